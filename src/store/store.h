/* store.h — what the server asks of storage, in the server's terms.
 *
 * An engine implements `struct ks_store_operations`; src/store/sqlite with src/store/vault is the embedded
 * one, and a test may bring its own. Nothing above this header may assume one process, one disk, or that an
 * answer comes at once.
 *
 * Requests. Every operation takes a request structure that begins with `struct ks_store_request`. The caller
 * owns its memory, fills the `in` fields, leaves it alone until `done` has run, and finds the `out` fields
 * and `request.result` there. `done` runs exactly once: on `reply_to`, or, where the engine has the answer in
 * RAM, inside the call itself. So call as the last thing, and expect either. An operation runs to its end
 * whatever becomes of the connection that asked.
 *
 * Acknowledged means durable: `done` with KS_OK runs only after the commit (ks_store_touch aside).
 *
 * Order: operations that one thread asks for take effect in the order of asking, as far as they concern the
 * same user or the same stage.
 *
 * Threads: any thread may call.
 */
#ifndef KS_STORE_STORE_H
#define KS_STORE_STORE_H

#include "base/executor.h"
#include "base/result.h"
#include "wire/frame.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ks_store;
struct ks_stage;

struct ks_store_request {
    struct ks_task task;    /* the engine's, while the request is on its way */
    struct ks_store *store; /* likewise */
    struct ks_executor *reply_to;
    void (*done)(struct ks_store_request *request);
    enum ks_result result;
};

/* ---- users ---- */

struct ks_user {
    struct ks_client_id id;
    char name[KS_TEXT_FIELD_SIZE]; /* NUL-terminated */
    bool has_public_key;
};

/* Creates a user with a fresh random id. KS_OK with `id`; KS_EXISTS when the name is taken; KS_NO_SPACE,
 * KS_IO, KS_NO_MEMORY, KS_CRYPTO. The name has been judged with ks_text_is_user_name, the key with
 * ks_public_key_parse. Of two requests for one name at the same instant exactly one gets KS_OK. */
struct ks_store_register {
    struct ks_store_request request;
    char name[KS_TEXT_FIELD_SIZE];          /* in */
    bool has_public_key;                    /* in */
    uint8_t public_key[KS_PUBLIC_KEY_SIZE]; /* in, if has_public_key */
    struct ks_client_id id;                 /* out */
};

/* KS_OK with `user`; KS_NOT_FOUND. */
struct ks_store_look_up {
    struct ks_store_request request;
    struct ks_client_id id; /* in */
    struct ks_user user;    /* out */
};

/* KS_OK with `public_key`; KS_NOT_FOUND for an unknown user; KS_REFUSED when the user has none yet; KS_IO,
 * KS_NO_MEMORY. */
struct ks_store_public_key {
    struct ks_store_request request;
    struct ks_client_id id;                 /* in */
    uint8_t public_key[KS_PUBLIC_KEY_SIZE]; /* out */
};

/* ---- content keys: the AES keys that 2102 and 2105 hand out (protocol.md §1.1, §1.2) ---- */

enum {
    KS_CONTENT_KEY_USES = 16, /* contents under one key without a 1029, then it is dropped */
};

/* One issued key. Shared by the engine (as the user's current key) and by the session that asked for it;
 * freed, and wiped, with the last reference. `bytes` never change. */
struct ks_content_key {
    _Atomic unsigned references;
    _Atomic unsigned uses;     /* contents completed since the last 1029 */
    _Atomic int64_t last_used; /* wall seconds */
    uint8_t bytes[KS_CONTENT_KEY_SIZE];
};

/* A key with one reference, the caller's; NULL when out of memory. */
struct ks_content_key *ks_content_key_new(const uint8_t bytes[static KS_CONTENT_KEY_SIZE],
                                          int64_t wall_seconds);
struct ks_content_key *ks_content_key_retain(struct ks_content_key *key);
void ks_content_key_release(struct ks_content_key *key); /* NULL is allowed */

/* Makes `key` the user's current one and, with has_public_key, stores the user's public key in the same
 * commit. KS_OK also when exactly this public key is stored already; KS_REFUSED when another one is (nothing
 * changes); KS_NOT_FOUND; KS_NO_SPACE, KS_IO, KS_NO_MEMORY. The engine takes a reference of its own. */
struct ks_store_set_keys {
    struct ks_store_request request;
    struct ks_client_id id;                 /* in */
    bool has_public_key;                    /* in */
    uint8_t public_key[KS_PUBLIC_KEY_SIZE]; /* in, if has_public_key */
    struct ks_content_key *content_key;     /* in; the caller keeps its reference */
};

/* The user's current key: KS_OK with a reference for the caller in `content_key`; KS_NOT_FOUND for an unknown
 * user; KS_REFUSED when there is none: never issued, forgotten after 24 hours, or used up. */
struct ks_store_content_key {
    struct ks_store_request request;
    struct ks_client_id id;             /* in */
    struct ks_content_key *content_key; /* out */
};

/* Forgets `content_key` as the user's current one, in RAM and on disk, if it still is: it was used up.
 * KS_OK, KS_NO_SPACE, KS_IO. */
struct ks_store_drop_content_key {
    struct ks_store_request request;
    struct ks_client_id id;             /* in */
    struct ks_content_key *content_key; /* in; the caller keeps its reference, and holds it until done */
};

/* ---- uploads (protocol.md §1.2) ---- */

/* A stage is one upload: a file in staging/ that grows chunk by chunk. Whoever opened it holds it until one
 * of ks_store_confirm (which takes it away, whatever the result), or ks_store_discard (the same). */

/* What becomes of the bytes of a chunk before they are written: decryption and checksum, in place, while they
 * are in cache. Runs on a thread of the engine, in the order of the chunks, never twice at a time for one
 * stage. Sets *output_size <= size: how many bytes of `bytes` are to be written. KS_OK, else the stage fails.
 */
struct ks_stage_transform {
    enum ks_result (*apply)(void *context, uint8_t *bytes, size_t size, bool last, size_t *output_size);
    void *context; /* the caller's; must live until the `done` of confirm or discard */
};

/* Opens a stage for a file of `id`. KS_OK with `stage`; KS_NO_SPACE, KS_IO, KS_NO_MEMORY.
 * Cheap and without waiting: what goes wrong with the disk is told by the first chunk. */
struct ks_store_stage_open {
    struct ks_store_request request;
    struct ks_client_id id;              /* in */
    char file_name[KS_TEXT_FIELD_SIZE];  /* in: as the client sent it, judged with ks_kept_name */
    uint64_t content_size;               /* in: as declared, for planning only */
    struct ks_stage_transform transform; /* in */
    struct ks_stage *stage;              /* out */
};

/* The next bytes. The buffer belongs to the engine until `done`. With `last`, KS_OK means that the stage is
 * complete: all of it is written (not yet synced). After an error every further chunk fails the same way.
 * KS_OK, KS_NO_SPACE, KS_IO, KS_NO_MEMORY, or what the transform said. */
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
 * it is replaced, atomically. KS_OK; KS_NOT_FOUND when the stage was discarded for its age meanwhile;
 * KS_NO_SPACE, KS_IO, KS_NO_MEMORY. */
struct ks_store_confirm {
    struct ks_store_request request;
    struct ks_stage *stage; /* in; invalid afterwards */
};

/* 1030, 1031, a broken upload: removes the stage, after the chunks that are on their way. Always KS_OK. */
struct ks_store_discard {
    struct ks_store_request request;
    struct ks_stage *stage; /* in; invalid afterwards */
};

/* The part of a client's file name that is kept: what follows the last '/' or '\'. KS_OK with *kept pointing
 * into `name`; KS_INVALID for empty, ".", "..", and names with control bytes (below 0x20, 0x7f). Pure. */
enum ks_result ks_kept_name(const char *name, size_t name_size, const char **kept, size_t *kept_size);

/* ---- the engine ---- */

struct ks_store_operations {
    void (*register_user)(struct ks_store *store, struct ks_store_register *request);
    void (*look_up)(struct ks_store *store, struct ks_store_look_up *request);
    void (*public_key)(struct ks_store *store, struct ks_store_public_key *request);
    void (*set_keys)(struct ks_store *store, struct ks_store_set_keys *request);
    void (*content_key)(struct ks_store *store, struct ks_store_content_key *request);
    void (*drop_content_key)(struct ks_store *store, struct ks_store_drop_content_key *request);
    void (*touch)(struct ks_store *store, const struct ks_client_id *id);
    void (*stage_open)(struct ks_store *store, struct ks_store_stage_open *request);
    void (*stage_write)(struct ks_store *store, struct ks_store_stage_write *request);
    void (*confirm)(struct ks_store *store, struct ks_store_confirm *request);
    void (*discard)(struct ks_store *store, struct ks_store_discard *request);
    void (*close)(struct ks_store *store);
};

struct ks_store {
    const struct ks_store_operations *operations;
};

static inline void ks_store_register_user(struct ks_store *store, struct ks_store_register *request)
{
    store->operations->register_user(store, request);
}

static inline void ks_store_look_up(struct ks_store *store, struct ks_store_look_up *request)
{
    store->operations->look_up(store, request);
}

static inline void ks_store_public_key(struct ks_store *store, struct ks_store_public_key *request)
{
    store->operations->public_key(store, request);
}

static inline void ks_store_set_keys(struct ks_store *store, struct ks_store_set_keys *request)
{
    store->operations->set_keys(store, request);
}

static inline void ks_store_content_key(struct ks_store *store, struct ks_store_content_key *request)
{
    store->operations->content_key(store, request);
}

static inline void ks_store_drop_content_key(struct ks_store *store,
                                             struct ks_store_drop_content_key *request)
{
    store->operations->drop_content_key(store, request);
}

/* Notes that the user was seen just now; written within a minute, and at close. Never fails; an unknown id is
 * ignored. */
static inline void ks_store_touch(struct ks_store *store, const struct ks_client_id *id)
{
    store->operations->touch(store, id);
}

static inline void ks_store_stage_open(struct ks_store *store, struct ks_store_stage_open *request)
{
    store->operations->stage_open(store, request);
}

static inline void ks_store_stage_write(struct ks_store *store, struct ks_store_stage_write *request)
{
    store->operations->stage_write(store, request);
}

static inline void ks_store_confirm(struct ks_store *store, struct ks_store_confirm *request)
{
    store->operations->confirm(store, request);
}

static inline void ks_store_discard(struct ks_store *store, struct ks_store_discard *request)
{
    store->operations->discard(store, request);
}

/* Finishes what was asked, flushes, frees everything. All `done`s have run or are posted to their executors
 * when it returns; nobody may ask any more. */
static inline void ks_store_close(struct ks_store *store)
{
    store->operations->close(store);
}

#endif
