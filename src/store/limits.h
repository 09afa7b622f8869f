/* limits.h — how much is stored for whom. An engine only reads it, whenever it judges a request; whoever has
 * opened the engine may change it at any time, from any thread. A lower limit takes nothing away that is
 * stored already. Of each, 0 is no limit.
 */
#ifndef KS_STORE_LIMITS_H
#define KS_STORE_LIMITS_H

#include <stdatomic.h>
#include <stdint.h>

struct ks_store_limits {
    _Atomic uint64_t users;            /* that may be registered */
    _Atomic uint64_t waiting_messages; /* for one receiver */
    _Atomic uint64_t waiting_bytes;    /* of the contents of these */
    _Atomic uint64_t user_files;       /* verified ones of one user */
    _Atomic uint64_t user_bytes;       /* of these */
    _Atomic uint64_t user_puts;        /* own files of one user that are coming, or broke off */
    _Atomic uint64_t puts;             /* of all users together */
    _Atomic uint64_t free_space;       /* bytes that are left to others on the data directory's file system */
};

/* The limit that a file or a message met when it was refused; named as its setting is. */
enum ks_store_limit {
    KS_STORE_LIMIT_NONE, /* it was something else */
    KS_STORE_LIMIT_USER_FILES,
    KS_STORE_LIMIT_USER_BYTES,
    KS_STORE_LIMIT_USER_PUTS,
    KS_STORE_LIMIT_PUTS,
    KS_STORE_LIMIT_FREE_SPACE,
    KS_STORE_LIMIT_WAITING_MESSAGES,
    KS_STORE_LIMIT_WAITING_BYTES,
    KS_STORE_LIMIT_SHARE_OF_MESSAGES, /* of waiting_messages: there is room, but for other senders */
    KS_STORE_LIMIT_SHARE_OF_BYTES,    /* likewise */
};

#endif
