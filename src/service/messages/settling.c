/* settling.c — see settling.h. */
#include "service/messages/settling.h"

#include <stdlib.h>
#include <string.h>

enum {
    PARTS_LIMIT = 1024, /* settling on one connection; the next stays on lease */
    JOINING_SHARE = 16, /* parts become one within this share of the settling time */
};

/* ---- deletion ---- */

static void deletion_done(struct ks_store_request *request)
{
    free(KS_CONTAINER_OF(request, struct ks_settling_part, request.request));
}

static struct ks_settling_part *take_first(struct ks_settling *settling)
{
    struct ks_settling_part *part = settling->first;
    settling->first = part->next;
    if (settling->first == NULL)
        settling->last = NULL;
    settling->count--;
    return part;
}

static void delete_first(struct ks_settling *settling)
{
    struct ks_settling_part *part = take_first(settling);
    struct ks_store_lease_delivered *request = &part->request;
    memset(request, 0, sizeof *request);
    request->request.reply_to = part->executor;
    request->request.done = deletion_done;
    request->receiver = part->receiver;
    request->owner = part->owner;
    request->last = part->last;
    ks_store_lease_delivered(part->environment->store, request);
}

void ks_settling_ended(struct ks_settling *settling, uint64_t position)
{
    while (settling->first != NULL && settling->first->end <= position)
        delete_first(settling);
}

void ks_settling_pass(struct ks_settling *settling, uint64_t now_ms)
{
    while (settling->first != NULL && settling->first->due_ms <= now_ms)
        delete_first(settling);
}

void ks_settling_forget(struct ks_settling *settling)
{
    while (settling->first != NULL)
        free(take_first(settling));
}

/* ---- settling ---- */

/* Whether the part can become one with the newest. */
static bool follows_closely(const struct ks_settling *settling, const struct ks_settling_part *part,
                            uint64_t now_ms, uint64_t settle_time_ms)
{
    const struct ks_settling_part *newest = settling->last;
    return newest != NULL && newest->last == part->after &&
           memcmp(&newest->receiver, &part->receiver, sizeof part->receiver) == 0 &&
           now_ms - newest->since_ms < settle_time_ms / JOINING_SHARE;
}

static void append(struct ks_settling *settling, struct ks_settling_part *part)
{
    part->next = NULL;
    if (settling->last != NULL)
        settling->last->next = part;
    else
        settling->first = part;
    settling->last = part;
    settling->count++;
}

static void join(struct ks_settling_part *newest, struct ks_settling_part *part)
{
    newest->last = part->last;
    newest->end = part->end;
    newest->due_ms = part->due_ms;
    free(part);
}

bool ks_settling_add(struct ks_settling *settling, struct ks_settling_part *part)
{
    uint64_t settle_time_ms = part->environment->settings.settle_time_ms;
    uint64_t now_ms = ks_clock_monotonic_ms(part->environment->clock);
    bool joins = follows_closely(settling, part, now_ms, settle_time_ms);
    if (!joins && settling->count >= PARTS_LIMIT)
        return false;
    enum ks_result result =
        ks_store_lease_settle(part->environment->store, &part->receiver, part->owner, part->last, &joins);
    if (result == KS_REFUSED)
        return false;
    part->since_ms = now_ms;
    part->due_ms = now_ms + settle_time_ms;
    if (result != KS_OK)
        free(part); /* the lease was lost, and somebody else delivers it */
    else if (joins)
        join(settling->last, part);
    else
        append(settling, part);
    return true;
}
