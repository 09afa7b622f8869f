/* store_door.h — for those who may ask the store late: when the answer to a request comes back, and the
 * connection that has asked is gone. By then the server may be about to close the store, on another thread;
 * what is open there goes with it. One for each server; starts as zeros. Any thread.
 */
#ifndef KS_SERVICE_CORE_STORE_DOOR_H
#define KS_SERVICE_CORE_STORE_DOOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct ks_store_door {
    _Atomic unsigned inside;
    _Atomic bool is_closed;
};

/* True: the store may be asked until ks_store_door_leave, and stays open. False: it is closed, or about to
 * be: ask nothing. Without a door (NULL) it stays open for longer than everybody. */
static inline bool ks_store_door_enter(struct ks_store_door *door)
{
    if (door == NULL)
        return true;
    atomic_fetch_add(&door->inside, 1);
    if (!atomic_load(&door->is_closed))
        return true;
    atomic_fetch_sub(&door->inside, 1);
    return false;
}

static inline void ks_store_door_leave(struct ks_store_door *door)
{
    if (door != NULL)
        atomic_fetch_sub(&door->inside, 1);
}

/* Nobody enters from now on. False while somebody is inside: ask again in a moment, for nobody stays long. */
static inline bool ks_store_door_close(struct ks_store_door *door)
{
    atomic_store(&door->is_closed, true);
    return atomic_load(&door->inside) == 0;
}

#endif
