/* deadline.c — see deadline.h. */
#include "net/loop/deadline.h"

#include <string.h>

static uint64_t tick_of(uint64_t at_ms)
{
    return at_ms / KS_DEADLINE_TICK_MS;
}

static void hang(struct ks_deadline_wheel *wheel, struct ks_deadline *deadline)
{
    /* Never in a slot that was handled already: it would wait for a whole turn. */
    uint64_t tick = tick_of(deadline->at_ms) + 1;
    deadline->tick = tick > wheel->tick ? tick : wheel->tick + 1;
    struct ks_deadline **slot = &wheel->slots[deadline->tick & (KS_DEADLINE_SLOTS - 1)];
    deadline->next = *slot;
    if (*slot != NULL)
        (*slot)->link = &deadline->next;
    *slot = deadline;
    deadline->link = slot;
    wheel->count++;
}

void ks_deadline_wheel_init(struct ks_deadline_wheel *wheel, uint64_t now_ms)
{
    memset(wheel, 0, sizeof *wheel);
    wheel->tick = tick_of(now_ms);
}

void ks_deadline_set(struct ks_deadline_wheel *wheel, struct ks_deadline *deadline, uint64_t at_ms)
{
    bool later = ks_deadline_is_set(deadline) && tick_of(at_ms) + 1 >= deadline->tick;
    deadline->at_ms = at_ms;
    if (later)
        return; /* found too early when its slot comes, and hung anew then */
    ks_deadline_clear(wheel, deadline);
    hang(wheel, deadline);
}

void ks_deadline_clear(struct ks_deadline_wheel *wheel, struct ks_deadline *deadline)
{
    if (!ks_deadline_is_set(deadline))
        return;
    *deadline->link = deadline->next;
    if (deadline->next != NULL)
        deadline->next->link = deadline->link;
    deadline->next = NULL;
    deadline->link = NULL;
    wheel->count--;
}

static void handle_slot(struct ks_deadline_wheel *wheel, uint64_t now_ms,
                        void (*expired)(struct ks_deadline *, void *), void *context)
{
    /* The slot's list is moved to a list of our own first: `expired` may clear any of its members, and what
     * is hung anew must not be met again in this turn. */
    struct ks_deadline **slot = &wheel->slots[wheel->tick & (KS_DEADLINE_SLOTS - 1)];
    struct ks_deadline *due = *slot;
    *slot = NULL;
    if (due != NULL)
        due->link = &due;
    while (due != NULL) {
        struct ks_deadline *deadline = due;
        ks_deadline_clear(wheel, deadline);
        if (deadline->at_ms > now_ms)
            hang(wheel, deadline);
        else
            expired(deadline, context);
    }
}

void ks_deadline_wheel_advance(struct ks_deadline_wheel *wheel, uint64_t now_ms,
                               void (*expired)(struct ks_deadline *deadline, void *context), void *context)
{
    uint64_t until = tick_of(now_ms);
    if (until > wheel->tick + KS_DEADLINE_SLOTS) /* after a long sleep one turn sees every slot */
        wheel->tick = until - KS_DEADLINE_SLOTS;
    while (wheel->tick < until) {
        wheel->tick++;
        handle_slot(wheel, now_ms, expired, context);
    }
}
