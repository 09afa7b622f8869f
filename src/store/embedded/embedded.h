/* embedded.h — opens the embedded engine: SQLite for users, messages and the index of files, the vault for
 * the files.
 *
 * In the data directory (0700): `kesher.db` with its WAL, `staging/`, `files/`, `messages/` (large contents
 * of waiting messages), and `lock`, which one server at a time holds with flock(2).
 */
#ifndef KS_STORE_EMBEDDED_EMBEDDED_H
#define KS_STORE_EMBEDDED_EMBEDDED_H

#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "crypto/random.h"
#include "store/limits.h"
#include "store/store.h"

struct ks_embedded_options {
    const char *data_directory; /* created with 0700 when it is not there */
    const struct ks_clock *clock;
    const struct ks_random *random;
    const struct ks_log *log;
    unsigned vault_threads;               /* 0: one per core, at most 4 */
    int64_t stage_lifetime;               /* seconds after its last byte; 0: 3600 */
    int64_t keyless_user_lifetime;        /* seconds without a public key; 0: 24 hours */
    int64_t content_key_lifetime;         /* seconds without use; 0: 24 hours */
    int64_t lease_lifetime_ms;            /* milliseconds without progress; 0: KS_LEASE_LIFETIME_MS */
    const struct ks_store_limits *limits; /* outlive the store; NULL: none */
    /* What makes names alike, for the users of a database that was made before there were accounts: KS_OK
     * with a text; KS_INVALID for a name that has none; KS_NO_MEMORY. NULL: the name in ASCII's lower case.
     */
    enum ks_result (*skeleton)(const char *name, size_t size, char skeleton[KS_SKELETON_SIZE]);
};

/* Opens, creates, upgrades and sweeps: takes the lock, sets WAL and synchronous=FULL and reads them back,
 * loads users and the sums of their files and of what waits for them, removes what is in staging/ but for own
 * files that broke off, and in messages/ without a row, adopts files without a row, goes on with removals of
 * users, and of files, that were cut short.
 * KS_OK with *store for ks_store_close. KS_EXISTS when another server holds the lock; KS_IO, KS_NO_SPACE,
 * KS_NO_MEMORY, KS_INVALID (a database of a newer kesher, or none at all). `why` then holds a sentence for
 * the operator, cut to `why_size`. */
enum ks_result ks_embedded_open(const struct ks_embedded_options *options, struct ks_store **store, char *why,
                                size_t why_size);

/* The 16-byte key of the users' public aliases, made at creation and kept in the database. `store` was opened
 * here. Valid until close. */
const uint8_t *ks_embedded_alias_key(const struct ks_store *store);

/* What the engine is doing, for metrics. */
struct ks_embedded_statistics {
    uint64_t users;
    uint64_t waiting_messages;
    uint64_t waiting_bytes;
    uint64_t writer_queue; /* tasks that wait for each thread, or kind of threads */
    uint64_t reader_queue;
    uint64_t pull_queue;
    uint64_t files_queue;
    uint64_t stage_queue;
    uint64_t confirm_queue;
    uint64_t files; /* verified ones of all users */
    uint64_t file_bytes;
    uint64_t puts;                 /* own files that are coming, or broke off … */
    uint64_t put_bytes;            /* … and what has come of them */
    uint64_t files_without_sha256; /* that is still to be computed, about */
    uint64_t free_bytes; /* of the data directory's file system, as last seen; UINT64_MAX: it could not be */
    uint64_t free_limit; /* that are to stay free */
    bool is_short;       /* uploads and messages are refused for it */
    uint64_t failed_commits;
    const struct ks_histogram *commit_requests; /* the engine's; read it with ks_counted */
    const uint64_t *commit_request_bounds;      /* KS_HISTOGRAM_BOUNDS of them */
    const struct ks_histogram *commit_microseconds;
    const uint64_t *commit_microsecond_bounds;
};

/* `store` was opened here. Any thread. */
void ks_embedded_statistics(const struct ks_store *store, struct ks_embedded_statistics *statistics);

/* How many users there are. Any thread. */
size_t ks_embedded_user_count(const struct ks_store *store);

#endif
