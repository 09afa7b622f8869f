/* deadline.h — many deadlines, one timer: a hashed timing wheel (Varghese and Lauck, 1987, scheme 6).
 *
 * Setting, moving and clearing cost a few instructions; a deadline that only moves later is not even
 * relinked. Precision is one tick. One thread; no allocation; no I/O.
 */
#ifndef KS_NET_LOOP_DEADLINE_H
#define KS_NET_LOOP_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KS_DEADLINE_TICK_MS = 64,
    KS_DEADLINE_SLOTS = 512, /* a power of two; later deadlines go round more than once */
};

struct ks_deadline {
    struct ks_deadline *next;
    struct ks_deadline **link; /* what points here; NULL while not set */
    uint64_t at_ms;
    uint64_t tick; /* of the slot where it hangs; at or before at_ms */
};

struct ks_deadline_wheel {
    struct ks_deadline *slots[KS_DEADLINE_SLOTS];
    uint64_t tick; /* the last one that was handled */
    size_t count;
};

/* An empty wheel at time `now_ms`. */
void ks_deadline_wheel_init(struct ks_deadline_wheel *wheel, uint64_t now_ms);

/* Makes `deadline` expire at `at_ms`; it may be set already. A zeroed structure is a deadline that is not
 * set. */
void ks_deadline_set(struct ks_deadline_wheel *wheel, struct ks_deadline *deadline, uint64_t at_ms);

/* Takes it off; nothing happens when it is not set. */
void ks_deadline_clear(struct ks_deadline_wheel *wheel, struct ks_deadline *deadline);

static inline bool ks_deadline_is_set(const struct ks_deadline *deadline)
{
    return deadline->link != NULL;
}

/* Takes off everything that is due at `now_ms` and calls `expired` for each; that may set and clear any
 * deadline of the wheel. */
void ks_deadline_wheel_advance(struct ks_deadline_wheel *wheel, uint64_t now_ms,
                               void (*expired)(struct ks_deadline *deadline, void *context), void *context);

#endif
