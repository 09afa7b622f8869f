/* injector.h — what the files of the injector share. Private to them; injector.c says what it is, and
 * injection.py has the same structures and names in Python.
 */
#ifndef KS_TESTS_TORTURE_FAULTS_INJECTOR_H
#define KS_TESTS_TORTURE_FAULTS_INJECTOR_H

#include "../preload.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INJECTOR_MAGIC "kesher faults 1"

/* Calls that fail alike. "Data" is what is in the data directory; of "other" descriptors are those of loops.
 * "Memory" is told apart by who asks for it. */
#define INJECTOR_KINDS(KIND)                                                                                 \
    KIND(OPEN, "open")                                                                                       \
    KIND(OPEN_OTHER, "open other")                                                                           \
    KIND(CLOSE, "close")                                                                                     \
    KIND(READ, "read")                                                                                       \
    KIND(READ_OTHER, "read other")                                                                           \
    KIND(WRITE, "write")                                                                                     \
    KIND(WRITE_OTHER, "write other")                                                                         \
    KIND(WRITE_LOG, "write log")                                                                             \
    KIND(FSYNC, "fsync")                                                                                     \
    KIND(FDATASYNC, "fdatasync")                                                                             \
    KIND(SYNCFS, "syncfs")                                                                                   \
    KIND(SYNC_FILE_RANGE, "sync_file_range")                                                                 \
    KIND(TRUNCATE, "truncate")                                                                               \
    KIND(ALLOCATE, "allocate")                                                                               \
    KIND(RENAME, "rename")                                                                                   \
    KIND(LINK, "link")                                                                                       \
    KIND(UNLINK, "unlink")                                                                                   \
    KIND(MKDIR, "mkdir")                                                                                     \
    KIND(STAT, "stat")                                                                                       \
    KIND(STATVFS, "statvfs")                                                                                 \
    KIND(READDIR, "readdir")                                                                                 \
    KIND(CHMOD, "chmod")                                                                                     \
    KIND(ACCESS, "access")                                                                                   \
    KIND(LOCK, "lock")                                                                                       \
    KIND(MMAP, "mmap")                                                                                       \
    KIND(SOCKET, "socket")                                                                                   \
    KIND(BIND, "bind")                                                                                       \
    KIND(LISTEN, "listen")                                                                                   \
    KIND(ACCEPT, "accept")                                                                                   \
    KIND(RECEIVE, "receive")                                                                                 \
    KIND(SEND, "send")                                                                                       \
    KIND(SETSOCKOPT, "setsockopt")                                                                           \
    KIND(GETSOCKOPT, "getsockopt")                                                                           \
    KIND(NAMES, "socket names")                                                                              \
    KIND(SHUTDOWN, "shutdown")                                                                               \
    KIND(EPOLL_CREATE, "epoll_create")                                                                       \
    KIND(EPOLL_CTL, "epoll_ctl")                                                                             \
    KIND(EPOLL_WAIT, "epoll_wait")                                                                           \
    KIND(EVENTFD, "eventfd")                                                                                 \
    KIND(PIPE, "pipe")                                                                                       \
    KIND(THREAD, "thread")                                                                                   \
    KIND(SCHEDULER, "scheduler")                                                                             \
    KIND(SEMAPHORE, "semaphore")                                                                             \
    KIND(SLEEP, "sleep")                                                                                     \
    KIND(ENTROPY, "entropy")                                                                                 \
    KIND(RESOLVE, "resolve")                                                                                 \
    KIND(MEMORY_OURS, "memory kesherd")                                                                      \
    KIND(MEMORY_SQLITE, "memory sqlite")                                                                     \
    KIND(MEMORY_OPENSSL, "memory openssl")                                                                   \
    KIND(MEMORY_LIBUV, "memory libuv")                                                                       \
    KIND(MEMORY_OTHER, "memory other")

enum injector_kind {
#define INJECTOR_NAME(name, text) INJECTOR_##name,
    INJECTOR_KINDS(INJECTOR_NAME)
#undef INJECTOR_NAME
        INJECTOR_KIND_COUNT
};

enum {
    INJECTOR_FRAMES = 24,
    INJECTOR_PLACES = 1 << 14,
    INJECTOR_FAULTS = 1 << 14,
};

/* Calls are counted from 1 on, by kind. What of it is changed while the server runs is the test's to change,
 * and `is_armed` last. */
struct injector_row {
    char name[24];
    _Atomic uint64_t calls;
    _Atomic uint64_t failed;
    _Atomic uint32_t is_armed;
    int32_t error;     /* 0: a short count */
    uint32_t is_torn;  /* a part is done, of a file, and then it fails */
    uint32_t chance;   /* of UINT32_MAX, that a call fails that may */
    uint64_t from;     /* the first call that may fail */
    uint64_t in_a_row; /* calls from there on */
    uint64_t every;    /* so many behind the first one it begins again; 0: never */
};

/* A stack from which calls of a kind came. */
struct injector_place {
    uint64_t hash; /* 0: a free row */
    uint32_t kind;
    uint32_t depth;
    uint64_t calls;
    uint64_t failed;
    uint64_t frames[INJECTOR_FRAMES];
};

struct injector_fault {
    uint64_t call;
    uint32_t kind;
    int32_t error;
    uint32_t place; /* UINT32_MAX: there was no room for it */
    uint32_t unused;
};

struct injector_map {
    char magic[24];
    uint64_t notes_places; /* of all calls, not only of those that fail */
    _Atomic uint64_t fault_count;
    struct injector_row rows[INJECTOR_KIND_COUNT];
    struct injector_place places[INJECTOR_PLACES];
    struct injector_fault faults[INJECTOR_FAULTS];
    uint64_t least_size;    /* of an allocation that counts as a call */
    _Atomic int64_t blocks; /* allocated since the start and not freed */
    _Atomic int64_t bytes;  /* in them */
};

/* NULL before the start, and where nothing is to fail. */
struct injector_map *injector_current(void);

/* What a call is to do instead. Neither: what it would do anyway. */
struct injector_verdict {
    bool is_short;
    int error;
};

enum injector_target { TARGET_OTHER, TARGET_DATA, TARGET_SOCKET, TARGET_LOG };

/* Counts the call, and says what becomes of it. Any thread; errno stays. */
struct injector_verdict injector_judge(enum injector_kind kind);

/* The same for calls that fail or do not: true, with errno set, when it is to fail. */
bool injector_fails(enum injector_kind kind);

enum injector_target injector_target_of(int fd);

/* Whether a path is below the data directory. */
bool injector_is_data(int directory, const char *path);

/* What the program would call without us: the function of that name behind ours. */
void *injector_next(const char *name);

/* Which library that is, as the kind of an allocation of its. */
enum injector_kind injector_asker(const void *caller);

#endif
