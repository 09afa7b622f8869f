/* store.h — what the server asks of storage, in the server's terms.
 *
 * An engine implements `struct ks_store_operations`; src/store/embedded is one (embedded.h), and a
 * test may bring its own. Nothing above this header may assume one process, one disk, or that an
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
 * Order: operations that one thread asks for take effect in the order of asking where they concern the keys
 * of the same user, or the same stage. Leases, lists and details show what was committed when they were asked
 * for, at least: whoever needs any other order waits for `done`.
 *
 * Threads: any thread may call.
 */
#ifndef KS_STORE_STORE_H
#define KS_STORE_STORE_H

#include "base/executor.h"
#include "base/result.h"
#include "store/limits.h"
#include "store/store_accounts.h"
#include "store/store_files.h"
#include "store/store_request.h"
#include "wire/frame.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- users ---- */

struct ks_user {
    struct ks_client_id id;
    char name[KS_TEXT_FIELD_SIZE]; /* NUL-terminated */
    bool has_public_key;
    bool is_account;     /* it signs in (store_accounts.h) */
    bool has_classic_id; /* and the classic ports know it, too, by another id */
};

/* Creates a user with a fresh random id. KS_OK with `id`; KS_EXISTS when the name is taken, in whatever case
 * of its letters, was an account's that was removed, or its skeleton is an account's; KS_TOO_LARGE when there
 * are as many users as there may be (ks_store_limits.users); KS_NO_SPACE, KS_IO, KS_NO_MEMORY, KS_CRYPTO. The
 * name has been judged with ks_text_is_new_user_name, the key with ks_public_key_parse. Of two requests for
 * one name at the same instant exactly one gets KS_OK. */
struct ks_store_register {
    struct ks_store_request request;
    char name[KS_TEXT_FIELD_SIZE];          /* in */
    char skeleton[KS_SKELETON_SIZE];        /* in */
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
    KS_CONTENT_KEY_USES = 16,          /* contents under one key without a 1029, then it is gone */
    KS_CONTENT_KEY_WRONG_PADDINGS = 3, /* contents under one key that are answered though their padding is
                                        * wrong; with the next one it is gone */
};

/* One issued key. Shared by the engine (as the user's current key) and by the session that asked for it, so
 * that whoever uses it finds one count; freed, and wiped, with the last reference. `bytes` never change. */
struct ks_content_key {
    _Atomic unsigned references;
    _Atomic unsigned uses;           /* contents completed since the last 1029 of a rightly padded one */
    _Atomic unsigned wrong_paddings; /* contents completed with one, ever */
    _Atomic bool gone;
    _Atomic int64_t last_used; /* ks_clock_steady_seconds */
    uint8_t bytes[KS_CONTENT_KEY_SIZE];
};

/* A key with one reference, the caller's; NULL when out of memory. */
struct ks_content_key *ks_content_key_new(const uint8_t bytes[static KS_CONTENT_KEY_SIZE], int64_t last_used);
struct ks_content_key *ks_content_key_retain(struct ks_content_key *key);
void ks_content_key_release(struct ks_content_key *key); /* NULL is allowed */

/* A content under the key is complete: counts it. True when it may be answered; false when it was one too
 * many, or the key was gone before: it is gone then, and whoever still has contents on their way under it
 * learns nothing of them. However many threads ask, true is said to KS_CONTENT_KEY_WRONG_PADDINGS wrongly
 * padded contents at most. */
bool ks_content_key_count(struct ks_content_key *key, bool rightly_padded);

/* A 1029 has taken a content that was rightly padded: as many more may follow. */
void ks_content_key_confirmed(struct ks_content_key *key);

/* True when no content may begin under it any more. */
bool ks_content_key_is_used_up(const struct ks_content_key *key);

/* Makes `key` the user's current one and, with has_public_key, stores the user's public key in the same
 * commit. KS_OK also when exactly this public key is stored already; KS_REFUSED when another one is (nothing
 * changes); KS_NOT_FOUND, also for an account that has no classic id; KS_NO_SPACE, KS_IO, KS_NO_MEMORY. The
 * engine takes a reference of its own. */
struct ks_store_set_keys {
    struct ks_store_request request;
    struct ks_client_id id;                 /* in */
    bool has_public_key;                    /* in */
    uint8_t public_key[KS_PUBLIC_KEY_SIZE]; /* in, if has_public_key */
    struct ks_content_key *content_key;     /* in; the caller keeps its reference */
};

/* The user's current key: KS_OK with a reference for the caller in `content_key`; KS_NOT_FOUND for an unknown
 * user; KS_REFUSED when there is none: never issued, dropped, or forgotten after 24 hours without use, and
 * asking for it is a use. Whether it is used up the caller asks (ks_content_key_is_used_up), who then drops
 * it. */
struct ks_store_content_key {
    struct ks_store_request request;
    struct ks_client_id id;             /* in */
    struct ks_content_key *content_key; /* out */
};

/* Forgets the user's current key, in RAM and on disk, if it has the bytes of `content_key`: that was used up.
 * With `only_on_disk` it stays the current one of this process, and no later one ever has it: what is counted
 * for a key is counted in RAM, and a restart must not begin at nought. KS_OK, durable, also when another key
 * is the current one, or none, or the user is unknown; KS_NO_SPACE, KS_IO, KS_NO_MEMORY. */
struct ks_store_drop_content_key {
    struct ks_store_request request;
    struct ks_client_id id;             /* in */
    struct ks_content_key *content_key; /* in; the caller keeps its reference, and holds it until done */
    bool only_on_disk;                  /* in */
};

/* ---- the list of users (protocol.md §1.3, 601) ---- */

/* A place in the list of users; the engine's. */
struct ks_user_cursor {
    struct ks_client_id last; /* all up to this one were given */
    uint64_t given;           /* how many were, the one that is left out included */
    uint64_t until;           /* the place of the list's last user in the order of registration */
    uint64_t drops;           /* how many users were dropped before the list began */
};

/* Begins a list of all users but `except`, in the order of registration, as they are now; with `classic_only`
 * without the accounts that have no classic id. KS_OK with `count` and `cursor`; KS_NOT_FOUND when `except`
 * is unknown. */
struct ks_store_list_begin {
    struct ks_store_request request;
    struct ks_client_id except;   /* in */
    bool classic_only;            /* in */
    uint64_t count;               /* out: how many the list has */
    struct ks_user_cursor cursor; /* out */
};

/* The next users of the list: `count` of them, at least one, unless all were given. KS_OK; KS_NOT_FOUND when
 * users were dropped meanwhile, or became accounts, or came to the classic ports or left them, so that the
 * list may not have the count that was promised (an engine puts dropping off for some minutes while lists are
 * being begun); KS_IO, KS_NO_MEMORY. */
struct ks_store_list_users {
    struct ks_store_request request;
    struct ks_client_id except;   /* in: as at the beginning */
    bool classic_only;            /* in: likewise */
    struct ks_user_cursor cursor; /* in and out */
    struct ks_user *users;        /* in: room for `limit` */
    size_t limit;                 /* in */
    size_t count;                 /* out */
};

/* ---- messages (protocol.md §1.3) ---- */

enum {
    KS_LEASE_LIFETIME_MS = 30 * 1000,              /* without any progress; then others may take it over */
    KS_MESSAGE_IN_MEMORY_LIMIT = 16 * 1024 * 1024, /* of a content that is appended without a stage */
};

/* 603: appends a message to what waits for `receiver`. KS_OK, durable, with `message_id`; KS_NOT_FOUND for an
 * unknown receiver; KS_REFUSED when what waits for it would pass a limit, or the sender would have more of
 * it, this message included, than the room that was left before this message; KS_INVALID when the stage is
 * not complete, is a file's, or has not content_size bytes; KS_TOO_LARGE without a stage, over
 * KS_MESSAGE_IN_MEMORY_LIMIT; KS_NO_SPACE, KS_IO, KS_NO_MEMORY, or what the stage failed with. Ids count up
 * from 1 over all receivers, in the order of the commits; their low 32 bits are never 0, and none is used
 * again after deletion, but one may be left out after a failure. Messages that one thread appends for one
 * receiver go in the order of asking; one with a stage takes its turn only when its content is safe, so
 * whoever needs an order behind it waits for `done`. */
struct ks_store_append_message {
    struct ks_store_request request;
    struct ks_client_id receiver; /* in: the id */
    struct ks_client_id sender;   /* in: the id */
    uint8_t type;                 /* in */
    uint32_t content_size;        /* in */
    const uint8_t *content;       /* in: content_size bytes that live until `done`; without a stage */
    struct ks_stage *stage;       /* in: KS_STAGE_MESSAGE with content_size bytes, or NULL; may be asked while
                                   * chunks are still on their way; invalid afterwards, whatever the result */
    uint64_t message_id;          /* out */
    enum ks_store_limit limit;    /* in: NONE; out: which one, with KS_REFUSED and KS_NO_SPACE */
    /* The store's, until `done`. */
    struct ks_store_append_message *next; /* of the same commit */
    const char *place;                    /* of a content that was staged */
};

/* Leases. What waits for a receiver is delivered in *parts*, each a run of messages, oldest first. A part is
 * leased to an owner (a number unique in this process) until it settles; one owner at a time has leases
 * on a receiver's messages, and may lease the next part behind the ones it has. A lease without any progress
 * (lease_waiting with KS_OK, lease_read, lease_renew) for KS_LEASE_LIFETIME_MS may be taken over by another
 * owner; until one does, it holds on.
 *
 * A part that *settles* is still its owner's, who says whether it was delivered, but holds nothing back: its
 * messages are hidden, count as waiting nowhere, and others lease what came later. When it comes back, it
 * waits before those that nobody has had. A crash lets it wait again under the same ids. */

/* 604: leases the next part to `owner`: of the oldest run of ids that waits, as many messages as fit
 * `size_limit`, but at least one if any waits. A run may end where what follows is leased, settles, or is
 * gone. KS_OK with `count` > 0; KS_OK with count 0 when nothing waits (no disk and no other thread is asked
 * then), or another owner has the lease; KS_NO_SPACE, KS_IO, KS_NO_MEMORY. */
struct ks_store_lease_waiting {
    struct ks_store_request request;
    struct ks_client_id receiver; /* in */
    uint64_t owner;               /* in */
    uint64_t size_limit;          /* in: of the part, contents and `overhead` for each */
    size_t overhead;              /* in: bytes */
    uint64_t count;               /* out */
    uint64_t size;                /* out: contents and `overhead` for each */
    uint64_t after;               /* out: the part are all messages with ids above this … */
    uint64_t last;                /* out: … and up to this */
    bool more;                    /* out: others waited behind the part */
    uint64_t until;               /* the engine's */
};

struct ks_stored_message {
    uint64_t message_id;
    struct ks_client_id sender; /* the id */
    uint8_t type;
    uint32_t content_size;
};

/* A place in a part; starts as {.message_id = after}. */
struct ks_message_cursor {
    uint64_t message_id; /* all up to this were given … */
    uint64_t next;       /* … and of this one `offset` bytes of the content; 0: none */
    uint64_t offset;
    uint64_t given;      /* how many messages were given as a whole … */
    uint64_t given_size; /* … and the bytes of their contents: what the engine compares with the part */
};

/* The next bytes of a leased part: for each message what `encode` makes of it, then its content, in one run
 * over as many calls as it takes. What `encode` makes is never split, contents are. KS_OK with `size` > 0, or
 * 0 when all was given; KS_NOT_FOUND when the lease was taken over or released, or the part settles; KS_IO,
 * KS_NO_MEMORY. A message that is missing or damaged is never given, nor is a part of another size: it is put
 * aside, and this part and those behind it are released. The answer is KS_NOT_FOUND then, or KS_IO when some
 * of the part was given before, or the message could not be put aside; whoever leases anew gets what follows.
 */
struct ks_store_lease_read {
    struct ks_store_request request;
    struct ks_client_id receiver;    /* in */
    uint64_t owner;                  /* in */
    uint64_t last;                   /* in: of the part */
    struct ks_message_cursor cursor; /* in and out */
    /* Makes exactly `overhead` bytes of a message; pure; on any thread. */
    void (*encode)(const void *context, const struct ks_stored_message *message, uint8_t *bytes); /* in */
    const void *context;                                                                          /* in */
    size_t overhead;                                                                              /* in */
    uint8_t *bytes;                                                                               /* in */
    size_t capacity; /* in: at least overhead + 1, else KS_INVALID */
    size_t size;     /* out */
};

/* The owner's settling part that ends with `last` was delivered: its messages are deleted. KS_OK when they
 * are gone for good; KS_NOT_FOUND when there is no such part (its receiver may have been removed); KS_IO,
 * KS_NO_SPACE, KS_NO_MEMORY: they are not delivered again by this process, and deleting them is tried again.
 */
struct ks_store_lease_delivered {
    struct ks_store_request request;
    struct ks_client_id receiver; /* in */
    uint64_t owner;               /* in */
    uint64_t last;                /* in: of the part */
    uint64_t after;               /* the engine's */
};

/* ---- for operators ---- */

/* What storage knows of a user. */
struct ks_user_details {
    struct ks_user user;
    uint8_t account_key[KS_ACCOUNT_KEY_SIZE]; /* if user.is_account */
    int64_t registered;                       /* wall seconds */
    int64_t last_seen;                        /* wall seconds */
    uint64_t files;                           /* verified ones … */
    uint64_t file_bytes;                      /* … and their bytes */
    uint64_t puts;                            /* own files that are coming, or broke off … */
    uint64_t put_bytes;                       /* … and what has come of them */
    uint64_t messages;                        /* that wait for the user … */
    uint64_t message_bytes;                   /* … and the bytes of their contents */
};

/* For who has the name in exactly these letters, as for resetting its key and removing it: KS_OK with
 * `details`, and with the public key if there is one; KS_NOT_FOUND; KS_IO, KS_NO_MEMORY. */
struct ks_store_describe_user {
    struct ks_store_request request;
    char name[KS_TEXT_FIELD_SIZE];          /* in */
    struct ks_user_details details;         /* out */
    uint8_t public_key[KS_PUBLIC_KEY_SIZE]; /* out, if details.user.has_public_key */
};

/* The next users in the order of registration: `count` of them, none at the end. Tells what is committed by
 * then: who comes or goes while the pages are asked for may be in them or not. KS_OK; KS_IO, KS_NO_MEMORY. */
struct ks_store_describe_users {
    struct ks_store_request request;
    uint64_t cursor;                 /* in and out: 0 at first */
    struct ks_user_details *details; /* in: room for `limit` */
    size_t limit;                    /* in */
    size_t count;                    /* out */
};

/* Forgets the public key and the content key of who has exactly this name: the next ks_store_set_keys with a
 * public key stores a new one. Such a user is not dropped for having none. Sessions keep the content keys
 * that they hold. KS_OK; KS_NOT_FOUND; KS_NO_SPACE, KS_IO, KS_NO_MEMORY. Whoever needs an order behind it
 * waits for `done`. */
struct ks_store_reset_key {
    struct ks_store_request request;
    char name[KS_TEXT_FIELD_SIZE]; /* in */
    struct ks_client_id id;        /* the engine's */
};

/* Removes the user of exactly this name, its files, its stages and what waits for it; what it has sent to
 * others stays. With KS_OK it is gone for good, and its name is free; that of an account, and its id, go to
 * nobody but by an invitation for this name (store_accounts.h). What the disk refuses to delete of its
 * files and messages is logged, reachable by nobody, and tried again, over restarts, too. Else the user is as
 * it was, but for its stages, which may be gone: KS_NOT_FOUND; KS_NO_SPACE, KS_IO, KS_NO_MEMORY. Whoever
 * needs an order behind it waits for `done`. Lists that are on their way end with KS_NOT_FOUND. With
 * `only_with_key` it is removed only if it is an account of this key in the very commit; else KS_NOT_FOUND.
 */
struct ks_store_remove_user {
    struct ks_store_request request;
    char name[KS_TEXT_FIELD_SIZE];            /* in */
    bool only_with_key;                       /* in */
    uint8_t account_key[KS_ACCOUNT_KEY_SIZE]; /* in, if only_with_key */
    struct ks_client_id id;                   /* out, with KS_OK: who it was */
};

enum { KS_CHECK_TEXT_SIZE = 640 };

/* What a check has found; lines for people, whatever strangers wrote in it is escaped. */
struct ks_check_finding {
    bool is_wrong; /* else it is only told */
    char what[KS_CHECK_TEXT_SIZE];
    char meaning[KS_CHECK_TEXT_SIZE];
    char done[KS_CHECK_TEXT_SIZE]; /* what was done about it; "" for nothing */
};

/* A place in a check; starts as zeros. */
struct ks_check_cursor {
    unsigned phase; /* the engine's */
    uint64_t after; /* the engine's */
    uint64_t files; /* that were looked at so far */
    uint64_t messages;
    uint64_t wrong; /* findings so far */
};

/* The next piece of a check of all that is stored; again until `is_complete`. Deletes nothing, and does not
 * report what is only in motion. With `repair`, what is damaged is put aside, and what is sound is served. A
 * piece may take as long as reading the largest file; nobody else waits for it. KS_OK; KS_CLOSED when the
 * engine is about to close; KS_NO_MEMORY, KS_IO. */
struct ks_store_check {
    struct ks_store_request request;
    bool repair;                       /* in */
    bool is_alone;                     /* in: nobody else uses the store, so it may be more thorough */
    struct ks_check_cursor cursor;     /* in and out */
    struct ks_check_finding *findings; /* in: room for `limit`, at least 16 */
    size_t limit;                      /* in */
    size_t count;                      /* out */
    bool is_complete;                  /* out */
};

/* KS_OK as soon as whoever makes changes durable has had a turn: the engine is alive. */
struct ks_store_probe {
    struct ks_store_request request;
};

/* ---- the engine ---- */

struct ks_store_operations {
    void (*register_user)(struct ks_store *store, struct ks_store_register *request);
    void (*look_up)(struct ks_store *store, struct ks_store_look_up *request);
    enum ks_result (*classic_id)(struct ks_store *store, const struct ks_client_id *shown,
                                 struct ks_client_id *id);
    void (*sign_in)(struct ks_store *store, struct ks_store_sign_in *request);
    void (*register_account)(struct ks_store *store, struct ks_store_register_account *request);
    void (*adopt)(struct ks_store *store, struct ks_store_adopt *request);
    void (*set_classic)(struct ks_store *store, struct ks_store_set_classic *request);
    void (*invite)(struct ks_store *store, struct ks_store_invite *request);
    void (*name_holder)(struct ks_store *store, struct ks_store_name_holder *request);
    enum ks_result (*name_at_hand)(struct ks_store *store, const struct ks_client_id *id,
                                   char name[static KS_TEXT_FIELD_SIZE]);
    void (*public_key)(struct ks_store *store, struct ks_store_public_key *request);
    void (*set_keys)(struct ks_store *store, struct ks_store_set_keys *request);
    void (*content_key)(struct ks_store *store, struct ks_store_content_key *request);
    void (*drop_content_key)(struct ks_store *store, struct ks_store_drop_content_key *request);
    void (*touch)(struct ks_store *store, const struct ks_client_id *id);
    void (*stage_open)(struct ks_store *store, struct ks_store_stage_open *request);
    void (*stage_write)(struct ks_store *store, struct ks_store_stage_write *request);
    void (*confirm)(struct ks_store *store, struct ks_store_confirm *request);
    void (*discard)(struct ks_store *store, struct ks_stage *stage, struct ks_store_request *request);
    void (*put_open)(struct ks_store *store, struct ks_store_put_open *request);
    void (*put_park)(struct ks_store *store, struct ks_stage *stage);
    void (*list_files)(struct ks_store *store, struct ks_store_list_files *request);
    void (*file_open)(struct ks_store *store, struct ks_store_file_open *request);
    void (*file_read)(struct ks_store *store, struct ks_store_file_read *request);
    void (*file_close)(struct ks_store *store, struct ks_stored_file *file);
    void (*remove_file)(struct ks_store *store, struct ks_store_remove_file *request);
    void (*digest_file)(struct ks_store *store, struct ks_store_digest_file *request);
    void (*list_begin)(struct ks_store *store, struct ks_store_list_begin *request);
    void (*list_users)(struct ks_store *store, struct ks_store_list_users *request);
    void (*append_message)(struct ks_store *store, struct ks_store_append_message *request);
    void (*lease_waiting)(struct ks_store *store, struct ks_store_lease_waiting *request);
    void (*lease_read)(struct ks_store *store, struct ks_store_lease_read *request);
    enum ks_result (*lease_settle)(struct ks_store *store, const struct ks_client_id *receiver,
                                   uint64_t owner, uint64_t last, bool *joins);
    void (*lease_delivered)(struct ks_store *store, struct ks_store_lease_delivered *request);
    void (*lease_renew)(struct ks_store *store, const struct ks_client_id *receiver, uint64_t owner);
    void (*lease_release)(struct ks_store *store, const struct ks_client_id *receiver, uint64_t owner);
    void (*describe_user)(struct ks_store *store, struct ks_store_describe_user *request);
    void (*describe_users)(struct ks_store *store, struct ks_store_describe_users *request);
    void (*reset_key)(struct ks_store *store, struct ks_store_reset_key *request);
    void (*remove_user)(struct ks_store *store, struct ks_store_remove_user *request);
    void (*check)(struct ks_store *store, struct ks_store_check *request);
    void (*probe)(struct ks_store *store, struct ks_store_probe *request);
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

/* Whom an id that was shown on a classic port, in a header or as a target, stands for: itself, for a classic
 * user or nobody; the account whose classic id it is; or nobody at all, when it is the id of an account, or
 * was one before it was adopted. KS_OK with *id; KS_NOT_FOUND, and *id is zeros, which nobody has. At hand,
 * as the next one: what was committed and answered before counts. */
static inline enum ks_result ks_store_classic_id(struct ks_store *store, const struct ks_client_id *shown,
                                                 struct ks_client_id *id)
{
    return store->operations->classic_id(store, shown, id);
}

static inline void ks_store_sign_in(struct ks_store *store, struct ks_store_sign_in *request)
{
    store->operations->sign_in(store, request);
}

static inline void ks_store_register_account(struct ks_store *store,
                                             struct ks_store_register_account *request)
{
    store->operations->register_account(store, request);
}

static inline void ks_store_adopt(struct ks_store *store, struct ks_store_adopt *request)
{
    store->operations->adopt(store, request);
}

static inline void ks_store_set_classic(struct ks_store *store, struct ks_store_set_classic *request)
{
    store->operations->set_classic(store, request);
}

static inline void ks_store_invite(struct ks_store *store, struct ks_store_invite *request)
{
    store->operations->invite(store, request);
}

static inline void ks_store_name_holder(struct ks_store *store, struct ks_store_name_holder *request)
{
    store->operations->name_holder(store, request);
}

/* The user's name for people, NUL-terminated, if the engine has it at hand; without waiting for anything, so
 * changes that are on their way may be missing. KS_OK; KS_NOT_FOUND, and `name` is as it was. */
static inline enum ks_result ks_store_name_at_hand(struct ks_store *store, const struct ks_client_id *id,
                                                   char name[static KS_TEXT_FIELD_SIZE])
{
    return store->operations->name_at_hand(store, id, name);
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

/* 1030, 1031, a broken upload or message: removes the stage, after the chunks that are on their way; it is
 * invalid from now on. Takes no memory, so that no stage stays behind for want of it. `request` is NULL, or
 * its `done` tells when that is over, with KS_OK. */
static inline void ks_store_discard(struct ks_store *store, struct ks_stage *stage,
                                    struct ks_store_request *request)
{
    store->operations->discard(store, stage, request);
}

static inline void ks_store_put_open(struct ks_store *store, struct ks_store_put_open *request)
{
    store->operations->put_open(store, request);
}

/* An own file broke off: what has come of it stays, for who opens its put id again, until its lifetime is
 * over. As ks_store_discard otherwise: behind the chunks that are on their way, and the stage is invalid from
 * now on. Where a chunk was KS_INVALID, KS_NO_SPACE or KS_NO_MEMORY, what came before it stays; of a stage
 * that has failed otherwise, or of a file that is kept already, nothing is left to stay. */
static inline void ks_store_put_park(struct ks_store *store, struct ks_stage *stage)
{
    store->operations->put_park(store, stage);
}

static inline void ks_store_list_files(struct ks_store *store, struct ks_store_list_files *request)
{
    store->operations->list_files(store, request);
}

static inline void ks_store_file_open(struct ks_store *store, struct ks_store_file_open *request)
{
    store->operations->file_open(store, request);
}

static inline void ks_store_file_read(struct ks_store *store, struct ks_store_file_read *request)
{
    store->operations->file_read(store, request);
}

/* Closes a file that was opened, behind the reads that are on their way; it is invalid from now on. Never
 * fails, takes no memory, waits for nothing. */
static inline void ks_store_file_close(struct ks_store *store, struct ks_stored_file *file)
{
    store->operations->file_close(store, file);
}

static inline void ks_store_remove_file(struct ks_store *store, struct ks_store_remove_file *request)
{
    store->operations->remove_file(store, request);
}

static inline void ks_store_digest_file(struct ks_store *store, struct ks_store_digest_file *request)
{
    store->operations->digest_file(store, request);
}

static inline void ks_store_list_begin(struct ks_store *store, struct ks_store_list_begin *request)
{
    store->operations->list_begin(store, request);
}

static inline void ks_store_list_users(struct ks_store *store, struct ks_store_list_users *request)
{
    store->operations->list_users(store, request);
}

static inline void ks_store_append_message(struct ks_store *store, struct ks_store_append_message *request)
{
    store->operations->append_message(store, request);
}

static inline void ks_store_lease_waiting(struct ks_store *store, struct ks_store_lease_waiting *request)
{
    store->operations->lease_waiting(store, request);
}

static inline void ks_store_lease_read(struct ks_store *store, struct ks_store_lease_read *request)
{
    store->operations->lease_read(store, request);
}

/* The owner's oldest leased part, which ends with `last`, settles from now on. With *joins it becomes one
 * with the part that the owner had settle before it, if it follows that one, and ends both with `last`;
 * *joins says whether it did, with KS_OK only. KS_OK; KS_NOT_FOUND when the lease was lost, or `last` is not
 * the end of that part; KS_REFUSED when too many parts of this receiver settle: it stays leased, ask again
 * later. */
static inline enum ks_result ks_store_lease_settle(struct ks_store *store,
                                                   const struct ks_client_id *receiver, uint64_t owner,
                                                   uint64_t last, bool *joins)
{
    return store->operations->lease_settle(store, receiver, owner, last, joins);
}

static inline void ks_store_lease_delivered(struct ks_store *store, struct ks_store_lease_delivered *request)
{
    store->operations->lease_delivered(store, request);
}

/* The receiver acknowledged something: the owner's lease is fresh again. Never fails; unknown leases are
 * ignored. */
static inline void ks_store_lease_renew(struct ks_store *store, const struct ks_client_id *receiver,
                                        uint64_t owner)
{
    store->operations->lease_renew(store, receiver, owner);
}

/* Gives up every part of the receiver's messages that `owner` has on lease or settling and that was not
 * delivered: it waits again; all that one owner had, in order. Never fails; unknown leases are ignored. A
 * lease_read that is still on its way ends with KS_NOT_FOUND or KS_OK. */
static inline void ks_store_lease_release(struct ks_store *store, const struct ks_client_id *receiver,
                                          uint64_t owner)
{
    store->operations->lease_release(store, receiver, owner);
}

static inline void ks_store_describe_user(struct ks_store *store, struct ks_store_describe_user *request)
{
    store->operations->describe_user(store, request);
}

static inline void ks_store_describe_users(struct ks_store *store, struct ks_store_describe_users *request)
{
    store->operations->describe_users(store, request);
}

static inline void ks_store_reset_key(struct ks_store *store, struct ks_store_reset_key *request)
{
    store->operations->reset_key(store, request);
}

static inline void ks_store_remove_user(struct ks_store *store, struct ks_store_remove_user *request)
{
    store->operations->remove_user(store, request);
}

static inline void ks_store_check(struct ks_store *store, struct ks_store_check *request)
{
    store->operations->check(store, request);
}

static inline void ks_store_probe(struct ks_store *store, struct ks_store_probe *request)
{
    store->operations->probe(store, request);
}

/* Finishes what was asked, flushes, frees everything: stages that are open, too (puts are parked), and files
 * that are open for reading. All `done`s have run or are posted to their executors when it returns; nobody
 * may ask any more. */
static inline void ks_store_close(struct ks_store *store)
{
    store->operations->close(store);
}

#endif
