/* home_lock.h — one program at a time: a file of a home, locked with flock(2), so that a program that dies
 * lets go of it. Locks of one process exclude each other, too. One thread at a time.
 */
#ifndef KS_CLIENT_HOME_HOME_LOCK_H
#define KS_CLIENT_HOME_HOME_LOCK_H

#include "client/home/home_files.h"

#include <stdint.h>

struct ks_home_lock {
    int fd; /* of the lock file, whose bytes belong to whoever holds the lock; -1 when not open */
    bool held;
};

#define KS_HOME_LOCK_NONE ((struct ks_home_lock){.fd = -1, .held = false})

/* Creates or opens the lock file `name`. KESHER_OK, and ks_home_lock_close is due; KESHER_FILE. */
enum kesher_status ks_home_lock_open(struct ks_home_lock *lock, const struct kesher_home *home,
                                     const char *name, struct kesher_error *error);
void ks_home_lock_close(struct ks_home_lock *lock); /* lets go of it first */

/* Waits up to `wait_ms` for the others. Holding it already is fine. KESHER_OK; KESHER_TIMEOUT, with a
 * sentence saying that another program is `doing`; KESHER_FILE. */
enum kesher_status ks_home_lock_take(struct ks_home_lock *lock, uint32_t wait_ms, const char *doing,
                                     struct kesher_error *error);
void ks_home_lock_release(struct ks_home_lock *lock);

#endif
