/* drop.h — files to the server, encrypted and verified.
 *
 * Part of the public interface of libkesher; include <kesher/kesher.h>.
 *
 * A drop is one identity's session with one server: it connects, takes a key, sends files, compares
 * checksums, and comes back by itself when the connection is lost. Blocking; one thread at a time. One more
 * thread of its own reads, sums and encrypts while the caller's thread sends, so that memory stays constant
 * for any size.
 */
#ifndef KESHER_DROP_H
#define KESHER_DROP_H

#include <kesher/identity.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The largest file that the protocol can carry, in bytes. */
#define KESHER_FILE_SIZE_LIMIT UINT64_C(4294967023)

struct kesher_drop;

/* Loads the home's identity, connects to `address` and asks for a key. An identity that the home's own server
 * (kesher_home_server) does not know any more is registered anew under the same name and key pair, and the
 * old files are kept under another name; at any other server that is KESHER_UNKNOWN. `home` must outlive the
 * drop; `options` is copied, NULL for all defaults. KESHER_OK with *drop for kesher_drop_close; errors as
 * kesher_identity_load and kesher_register. */
KESHER_API enum kesher_status kesher_drop_open(const struct kesher_home *home, const char *address,
                                               const struct kesher_options *options,
                                               struct kesher_drop **drop, struct kesher_error *error);

/* Registers `name` as kesher_register does and goes on as an open drop: on the same connection, under the key
 * that the registration brought. KESHER_OK with *drop for kesher_drop_close; errors as kesher_register. */
KESHER_API enum kesher_status kesher_drop_register(struct kesher_home *home, const char *address,
                                                   const char *name, const struct kesher_options *options,
                                                   struct kesher_drop **drop, struct kesher_error *error);
KESHER_API void kesher_drop_close(struct kesher_drop *drop); /* NULL is allowed */

/* The part of `name` that servers keep as a file's name: what follows its last slash or backslash. Two files
 * of one user with the same kept name are one: the second takes the first one's place. KESHER_OK with *kept
 * pointing into `name`; KESHER_INVALID for what no server may keep: nothing, ".", "..", or a name with
 * control bytes in it. */
KESHER_API enum kesher_status kesher_kept_name(const char *name, const char **kept,
                                               struct kesher_error *error);

/* A file to be sent. Read with pread(2) from its start, several times if need be. */
struct kesher_upload {
    int fd;           /* a regular file, the caller's; may be unlinked */
    uint64_t size;    /* bytes to send */
    const char *name; /* the name that the server is told: 1–254 bytes, with a part that can be kept */
    void *tag;        /* the caller's */
};

struct kesher_upload_result {
    enum kesher_status status;
    uint32_t cksum; /* of the bytes sent, as the POSIX cksum command prints it; with KESHER_OK */
};

/* Sends one file and returns when the server has confirmed it (2104 to a 1029).
 * KESHER_OK with *cksum (may be NULL). KESHER_FILE: the file cannot be read, is too large or became shorter;
 * KESHER_INVALID: the name does not fit, or cannot be kept. The server is as before after both.
 * KESHER_REFUSED, KESHER_MISMATCH, KESHER_CONNECTION, KESHER_TIMEOUT, KESHER_PROTOCOL: given up after what
 * the options allow. KESHER_CRYPTO; KESHER_NO_MEMORY. The drop can be used again after any of them. */
KESHER_API enum kesher_status kesher_drop_put(struct kesher_drop *drop, const struct kesher_upload *upload,
                                              uint32_t *cksum, struct kesher_error *error);

/* Notes in the home that the server has confirmed a file of that name. True when that had been noted before,
 * for the same identity: then the file has taken the place of an older one. False says nothing, since the
 * protocol does not tell: another program may have put one, or the home cannot be written to. */
KESHER_API bool kesher_drop_note_confirmed(struct kesher_drop *drop, const char *name);

/* Where many files come from and where their results go. */
struct kesher_upload_list {
    void *context;
    /* The next file, or false when there is none. `upload` and what it points to stay the caller's and must
     * live until its `done`; at most 64 are out at a time. */
    bool (*next)(void *context, struct kesher_upload *upload);
    /* Once for each file that `next` gave, in any order. `error` is NULL with KESHER_OK. */
    void (*done)(void *context, const struct kesher_upload *upload, const struct kesher_upload_result *result,
                 const struct kesher_error *error);
};

/* Sends many files, small ones without waiting for one's confirmation before the next is sent. Only for
 * servers that take pipelined requests, as kesherd does. Files of which anything went wrong are sent again
 * one by one, in the order in which they came. Once one was given up for another reason than KESHER_FILE or
 * KESHER_INVALID, no file is asked for any more, and those that were to be sent again fail with what went
 * wrong with them; one that had no turn yet with KESHER_NOT_SENT. KESHER_OK when all were confirmed, else the
 * status of the file that ended it, or of the last that failed. */
KESHER_API enum kesher_status kesher_drop_put_pipelined(struct kesher_drop *drop,
                                                        const struct kesher_upload_list *list,
                                                        struct kesher_error *error);

#ifdef __cplusplus
}
#endif

#endif
