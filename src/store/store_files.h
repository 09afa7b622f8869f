/* store_files.h — requests to a store about files: what is on its way in, and what an account keeps
 * (protocol.md §1.2, §10); store.h has the rules for all requests, and the functions that ask.
 *
 * A *put* is an own file that comes over the secure port: a stage that may break off, be *parked*, and be
 * opened again by its put id, in another life of the server, too. The engine sums it as it is written, and
 * what it finds of one it reads.
 */
#ifndef KS_STORE_STORE_FILES_H
#define KS_STORE_STORE_FILES_H

#include "crypto/checksum.h"
#include "store/limits.h"
#include "store/store_request.h"
#include "wire/files_codec.h"
#include "wire/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ks_stage;
struct ks_stored_file;

/* ---- uploads (protocol.md §1.2) ---- */

/* A stage is one upload: a file in staging/ that grows chunk by chunk. Whoever opened it holds it until one
 * of ks_store_confirm (which takes it away, whatever the result), ks_store_append_message or ks_store_discard
 * (the same). */

/* What becomes of the bytes of a chunk before they are written: decryption and checksum, in place, while they
 * are in cache. Runs on a thread of the engine, in the order of the chunks, never twice at a time for one
 * stage. Sets *output_size <= size: how many bytes of `bytes` are to be written. KS_OK, else the stage fails.
 */
struct ks_stage_transform {
    /* NULL: the bytes are written as they are. */
    enum ks_result (*apply)(void *context, uint8_t *bytes, size_t size, bool last, size_t *output_size);
    void *context; /* the caller's; must live until the `done` of confirm, or of the last chunk */
};

enum ks_stage_purpose {
    KS_STAGE_FILE,    /* a file of the user, ended by ks_store_confirm */
    KS_STAGE_MESSAGE, /* the content of a message that the user sends, ended by ks_store_append_message */
    KS_STAGE_PUT,     /* an own file, opened by ks_store_put_open, ended by ks_store_confirm */
};

/* Opens a stage for `id`. KS_OK with `stage`; KS_NOT_FOUND for an unknown user; KS_INVALID for a file name
 * that ks_kept_name refuses; KS_REFUSED when the user's files would pass a limit with this one; KS_NO_SPACE,
 * KS_IO, KS_NO_MEMORY, KS_CRYPTO. Cheap and without waiting: what goes wrong with the disk is told by the
 * first chunk. */
struct ks_store_stage_open {
    struct ks_store_request request;
    struct ks_client_id id;              /* in */
    enum ks_stage_purpose purpose;       /* in */
    char file_name[KS_TEXT_FIELD_SIZE];  /* in, for KS_STAGE_FILE: as the client sent it, judged with
                                          * ks_kept_name */
    uint64_t content_size;               /* in: what will be written, at least, as far as that was declared */
    struct ks_stage_transform transform; /* in */
    struct ks_stage *stage;              /* out */
    bool has_files;                      /* out: whether the user has verified ones */
    enum ks_store_limit limit;           /* in: NONE; out: which one, with KS_REFUSED and KS_NO_SPACE */
};

/* The next bytes. The buffer belongs to the engine until `done`. With `last`, KS_OK means that the stage is
 * complete: all of it is written (not yet synced). One of a put is complete when it has the size that was
 * declared, whatever `last` says, and bytes beyond it are KS_INVALID. After an error the stage has failed:
 * every further chunk fails the same way, and so does its end. KS_OK; KS_INVALID for a chunk behind the last
 * one, and when the transform says that more came out of it than went in; KS_NOT_FOUND when the stage was
 * dropped for its age, or with its user; KS_NO_SPACE, KS_IO, KS_NO_MEMORY, or what the transform said. */
struct ks_store_stage_write {
    struct ks_store_request request;
    struct ks_stage *stage; /* in */
    uint8_t *bytes;         /* in; changed in place by the transform */
    size_t size;            /* in */
    bool last;              /* in */
};

/* 1029: makes a complete stage the user's verified file: data synced, renamed into place, directory synced,
 * row committed with Verified = 1. May be asked while chunks are still on their way; it runs after them, and
 * fails if they failed. The stage is gone afterwards. An older verified file of that name stays intact until
 * it is replaced, atomically. KS_OK; KS_REFUSED when the user's files would pass a limit: nothing is replaced
 * then; KS_INVALID when the stage is not complete, or is a message's; KS_NOT_FOUND when it was dropped for
 * its age, or with its user; KS_NO_SPACE, KS_IO, KS_NO_MEMORY, or what the stage failed with.
 *
 * 3015, of a put: the same, and further KS_CRYPTO when `cksum` is not that of what was written, which is
 * forgotten then; KS_EXISTS when there is a file of that name meanwhile, and the put does not replace, or,
 * for a put of what was kept already, when that is no longer there as it was. After any error what has
 * come is gone, but after KS_INVALID, KS_REFUSED, KS_EXISTS, KS_NO_SPACE and KS_NO_MEMORY it is parked,
 * unless it was the disk that said so of bytes it had taken before. */
struct ks_store_confirm {
    struct ks_store_request request;
    struct ks_stage *stage;    /* in; invalid afterwards */
    bool has_cksum;            /* in: always, of a put */
    uint32_t cksum;            /* in, if has_cksum: of the content, as its 2103 told; kept with the file */
    bool replaced;             /* out: another file of that name has gone */
    enum ks_store_limit limit; /* in: NONE; out: which one, with KS_REFUSED */
};

/* ---- own files (protocol.md §10) ---- */

/* 3013: opens a put of `id`. With *anew* what was parked under its put id is forgotten; else the first of
 * these that there is counts: what was parked under it, if that is not longer than `size`; a verified file of
 * that name and this size, of which nothing is to be written (is_kept); nothing. KS_OK with `stage`, `offset`
 * and the cksum of so much, which was read from the disk. KS_NOT_FOUND for an unknown user; KS_INVALID for a
 * name that ks_file_name_is_valid refuses; KS_EXISTS when there is a file of that name and of another size,
 * or it is put anew, and `replace` is not set (of one that comes later the confirmation tells); KS_CLOSED
 * when this put id is open, or another file took the place of what is kept while that was read; KS_REFUSED at
 * a limit of the user's: its files, its puts and their bytes, the oldest parked ones of which make room
 * first; KS_NO_SPACE, KS_IO, KS_NO_MEMORY, KS_CRYPTO. The stage is written with ks_store_stage_write, without
 * a transform, and ends with ks_store_confirm, ks_store_put_park or ks_store_discard, which forgets it. */
struct ks_store_put_open {
    struct ks_store_request request;
    struct ks_client_id id;             /* in */
    uint8_t put_id[KS_PUT_ID_SIZE];     /* in */
    char file_name[KS_TEXT_FIELD_SIZE]; /* in: NUL-terminated */
    uint64_t size;                      /* in: of all of the content */
    bool replace;                       /* in */
    bool anew;                          /* in */
    struct ks_stage *stage;             /* out */
    bool is_kept;                       /* out */
    uint64_t offset;                    /* out */
    uint32_t cksum;                     /* out */
    enum ks_store_limit limit;          /* in: NONE; out: which one, with KS_REFUSED and KS_NO_SPACE */
};

/* What is known of a verified file. */
struct ks_kept_file {
    char name[KS_TEXT_FIELD_SIZE]; /* the kept name, NUL-terminated */
    struct ks_file_facts facts;
};

/* 3010: the verified files of `id` with names behind `after`, in the order of the bytes of their names:
 * `count` of them. KS_OK; KS_NOT_FOUND for an unknown user; KS_IO, KS_NO_MEMORY. */
struct ks_store_list_files {
    struct ks_store_request request;
    struct ks_client_id id;         /* in */
    char after[KS_TEXT_FIELD_SIZE]; /* in: NUL-terminated */
    struct ks_kept_file *files;     /* in: room for `limit` */
    size_t limit;                   /* in */
    size_t count;                   /* out */
    bool more;                      /* out: there are others behind these */
};

/* 3011: opens a verified file for reading. It stays what it is, whole, whatever takes its place. With a
 * `prefix` its first bytes are read, and their sum is told; where it has fewer, that of all. KS_OK with
 * `file` for ks_store_file_close, and `kept`; KS_NOT_FOUND; KS_INVALID for one that is damaged, as far as can
 * be seen without reading it; KS_TOO_LARGE when too many files are open; KS_IO, KS_NO_MEMORY, KS_CLOSED. */
struct ks_store_file_open {
    struct ks_store_request request;
    struct ks_client_id id;        /* in */
    char name[KS_TEXT_FIELD_SIZE]; /* in: the kept name, NUL-terminated */
    uint64_t prefix;               /* in */
    struct ks_stored_file *file;   /* out */
    struct ks_kept_file kept;      /* out */
    struct ks_cksum sum;           /* out: of the prefix */
};

/* The next bytes from `offset` on: `size` of them, fewer than `capacity` only at the end of the file. One
 * read of a file is on its way at a time. KS_OK; KS_INVALID when it is shorter than it was; KS_IO. */
struct ks_store_file_read {
    struct ks_store_request request;
    struct ks_stored_file *file; /* in */
    uint64_t offset;             /* in */
    uint8_t *bytes;              /* in: the engine's until `done` */
    size_t capacity;             /* in */
    size_t size;                 /* out */
    struct ks_cksum sum;         /* in and out: the bytes are added to it */
};

/* 3012: removes a verified file, with KS_OK for good. KS_NOT_FOUND; else it is as it was: KS_NO_SPACE, KS_IO,
 * KS_NO_MEMORY. Goes behind the confirmations that the same thread has asked for before. */
struct ks_store_remove_file {
    struct ks_store_request request;
    struct ks_client_id id;        /* in */
    char name[KS_TEXT_FIELD_SIZE]; /* in: the kept name, NUL-terminated */
};

/* 3016: the SHA-256 of a verified file, which is computed now unless it is known. KS_OK; KS_NOT_FOUND, also
 * when the file went, or was replaced, meanwhile; KS_INVALID for a damaged one; KS_REFUSED when too many
 * wait; KS_IO, KS_NO_MEMORY, KS_CRYPTO; KS_CLOSED when the engine is about to close. */
struct ks_store_digest_file {
    struct ks_store_request request;
    struct ks_client_id id;              /* in */
    char name[KS_TEXT_FIELD_SIZE];       /* in: the kept name, NUL-terminated */
    uint8_t sha256[KS_FILE_SHA256_SIZE]; /* out */
};

#endif
