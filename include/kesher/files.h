/* files.h — own files at a secure server: put, list, get, remove.
 *
 * Part of the public interface of libkesher; include <kesher/kesher.h>.
 *
 * `struct kesher_files` is one account's session for its files. It signs in, comes back by itself when the
 * connection is lost or the server restarts, within what the options allow, and goes on where it broke off.
 * What breaks off for good goes on with the same call again: a put, since the server keeps what it has for
 * some time; a get, since what came is in a partial file beside the target. Blocking; one thread at a time.
 * Memory is constant, whatever the size of files, and however many there are.
 *
 * A file's name is that at the server: parts with '/' between them, 1 to 254 bytes (kesher_file_name_check).
 */
#ifndef KESHER_FILES_H
#define KESHER_FILES_H

#include <kesher/home.h>
#include <kesher/options.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    KESHER_FILE_NAME_SIZE = 255, /* with its NUL */
    KESHER_SHA256_SIZE = 32,
};

struct kesher_files;

/* Loads the home's account, for which a passphrase may be asked, and signs in at the secure server of `link`.
 * `home` must outlive it; `options` is copied, NULL for all defaults. Its observer is told `progress` of
 * the file in hand, and `notice` of what is tried again. KESHER_OK with *files for kesher_files_close; errors
 * as kesher_account_open, and of the connection. */
KESHER_API enum kesher_status kesher_files_open(struct kesher_home *home, const char *link,
                                                const struct kesher_options *options,
                                                struct kesher_files **files, struct kesher_error *error);
KESHER_API void kesher_files_close(struct kesher_files *files); /* NULL is allowed */

/* Whether a file may have this name at a server. KESHER_OK; KESHER_INVALID with why not. */
KESHER_API enum kesher_status kesher_file_name_check(const char *name, struct kesher_error *error);

/* ---- list ---- */

struct kesher_file {
    char name[KESHER_FILE_NAME_SIZE]; /* as the server has it: escape it before it is shown */
    uint64_t size;
    uint64_t time_ns; /* when its content was complete, in nanoseconds since 1970; 0: not known */
    bool has_cksum;
    uint32_t cksum;
    bool has_sha256; /* computed some time after the put */
    uint8_t sha256[KESHER_SHA256_SIZE];
};

/* Calls `each` for every file that the account keeps, in the order of the bytes of their names, until it
 * answers false. `prefix` NULL: all; else only those whose names begin with it. Files that come or go
 * meanwhile are among them or not. `each` must not call the library with this object. KESHER_OK; errors of
 * the connection; KESHER_PROTOCOL. */
KESHER_API enum kesher_status kesher_files_list(struct kesher_files *files, const char *prefix,
                                                bool (*each)(void *context, const struct kesher_file *file),
                                                void *context, struct kesher_error *error);

/* ---- put ---- */

/* A file to be sent. Read with pread(2). */
struct kesher_put {
    const char *name; /* at the server */
    int fd;           /* a regular file, the caller's; may be unlinked */
    bool replace;     /* a file of that name that is there already; else that is KESHER_EXISTS */
    bool digest;      /* wait until the server has computed the SHA-256 */
    void *tag;        /* the caller's */
};

struct kesher_put_result {
    enum kesher_status status;
    uint64_t size;                      /* that was put */
    uint64_t resumed_at;                /* bytes that the server had already, and that were not sent */
    uint32_t cksum;                     /* as the POSIX cksum command prints it; with KESHER_OK */
    bool replaced;                      /* an older file of that name has gone */
    bool unchanged;                     /* the server kept just this already, and nothing was sent */
    uint8_t sha256[KESHER_SHA256_SIZE]; /* with `digest` */
};

struct kesher_put_list {
    void *context;
    /* The next file, or false when there is none. `put` and what it points to stay the caller's and must live
     * until its `done`; at most 64 are out at a time. */
    bool (*next)(void *context, struct kesher_put *put);
    /* Once for each file that `next` gave, in any order. `error` is NULL with KESHER_OK. */
    void (*done)(void *context, const struct kesher_put *put, const struct kesher_put_result *result,
                 const struct kesher_error *error);
};

/* Puts files; with KESHER_OK each is durable at the server. Small ones are sent ahead of answers, so that
 * many share the server's syncs. What the server has of a large one is not sent again. A file that
 * changes while it is sent is KESHER_FILE, and gets no name there: what came of it goes after some time.
 * After KESHER_FILE, KESHER_INVALID, KESHER_EXISTS and KESHER_REFUSED of one file others go on; after
 * anything else no file is asked for any more, and those that are out fail with KESHER_NOT_SENT. KESHER_OK
 * when all were put, else the status of the file that ended it, or of the last that failed. */
KESHER_API enum kesher_status kesher_files_put(struct kesher_files *files, const struct kesher_put_list *list,
                                               struct kesher_error *error);

/* ---- get ---- */

/* A file to be fetched, into a directory or to a descriptor. */
struct kesher_get {
    const char *name;   /* at the server */
    int directory;      /* open, the caller's: where `target` is; of no meaning with to_descriptor */
    const char *target; /* relative to `directory`, directories in it are made; never leaves it, not through
                         * symbolic links either */
    bool replace;       /* a file that is there; else that is KESHER_EXISTS */
    bool to_descriptor; /* `fd` instead of a file: a pipe, say. It gets what comes, as it comes: only the
                         * status tells whether that was all of it, and right */
    int fd;
    void *tag; /* the caller's */
};

struct kesher_get_result {
    enum kesher_status status;
    uint64_t size;
    uint64_t resumed_at; /* bytes of it that were in the partial file already */
    uint32_t cksum;
    bool replaced;
    bool unchanged; /* the target was just this already */
};

struct kesher_get_list {
    void *context;
    bool (*next)(void *context, struct kesher_get *get); /* as in kesher_put_list */
    void (*done)(void *context, const struct kesher_get *get, const struct kesher_get_result *result,
                 const struct kesher_error *error);
};

/* Fetches files. Each comes into a partial file beside its target ("NAME.part"), goes on there if one is
 * there, and gets its name, with its data and that name synced, once its cksum is right. KESHER_NOT_FOUND
 * for a name that the account has no file of; KESHER_EXISTS for a target that is there; KESHER_INVALID for a
 * target that leaves the directory, or that the file system cannot have; KESHER_FILE for what cannot be
 * written; KESHER_MISMATCH where the server's file is damaged. After these others go on; for the rest as
 * kesher_files_put. Of many files it has up to 156 descriptors open, so that they share their syncs; where
 * that is more than a quarter of what RLIMIT_NOFILE allows, that quarter, but at least 40. */
KESHER_API enum kesher_status kesher_files_get(struct kesher_files *files, const struct kesher_get_list *list,
                                               struct kesher_error *error);

/* ---- remove ---- */

/* Removes `count` files, for good. `done` is called for each, in order: KESHER_OK, KESHER_NOT_FOUND (and the
 * others go on), or what ended it. The same again is safe. KESHER_OK when all are gone; else as
 * kesher_files_put. */
KESHER_API enum kesher_status kesher_files_remove(
    struct kesher_files *files, const char *const *names, size_t count,
    void (*done)(void *context, size_t index, enum kesher_status status, const struct kesher_error *error),
    void *context, struct kesher_error *error);

#ifdef __cplusplus
}
#endif

#endif
