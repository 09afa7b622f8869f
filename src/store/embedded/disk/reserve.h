/* reserve.h — room for a disk that is full to the last byte: the file `reserve` in the data directory, which
 * is allocated and has nothing in it. To take messages is to write, too: what was delivered is deleted, and a
 * deletion goes through the database's log. So when that finds no room the reserve is given up, and while it
 * is, nothing new is taken in, unless the database has as much room inside itself. As soon as the disk has,
 * the reserve is allocated again.
 *
 * How large it is depends on the room that there was at a start, at the one with the most: an eighth, at most
 * 24 mebibytes, so that the log, which is written back at 16, has room to be written back.
 */
#ifndef KS_STORE_EMBEDDED_DISK_RESERVE_H
#define KS_STORE_EMBEDDED_DISK_RESERVE_H

#include "base/log.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct ks_reserve {
    const struct ks_log *log;
    int directory_fd;
    int fd;     /* -1: none can be had here */
    off_t size; /* allocated, or to be allocated again */
    bool is_given_up;
    _Atomic bool refuses;
};

/* A closed reserve. */
void ks_reserve_init(struct ks_reserve *reserve);

/* The opener's thread, before the database is opened, which needs some room: allocates the reserve or, on a
 * disk that is full, gives up what an earlier server has allocated. Without one everything works, but on a
 * full disk. */
void ks_reserve_open(struct ks_reserve *reserve, int directory_fd, const struct ks_log *log);

/* Closed is fine. */
void ks_reserve_close(struct ks_reserve *reserve);

/* One thread at a time: gives it up. True when that has made room. */
bool ks_reserve_give_up(struct ks_reserve *reserve);

bool ks_reserve_is_given_up(const struct ks_reserve *reserve);

/* The same thread, about once a second while it is given up: allocates it again, when there is room.
 * `inside` is how many bytes the database can do with before it grows. */
void ks_reserve_tick(struct ks_reserve *reserve, uint64_t inside);

/* Whether nothing new may be taken in. Any thread. */
bool ks_reserve_refuses(const struct ks_reserve *reserve);

#endif
