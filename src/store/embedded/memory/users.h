/* users.h — every user in RAM, by id and by name; public keys stay on disk.
 *
 * The writer thread alone adds, changes and removes users. Any thread may ask. A user is added *unpublished*
 * while its row is not committed: it holds its name against a second registration, and nobody else sees it.
 *
 * Order: a change that a thread has asked for must be visible to what the same thread asks next. So whoever
 * posts a change to the writer says so first (ks_users_expect_change); while changes are expected, questions
 * about that user answer KS_PENDING and go to the writer too, behind the change.
 *
 * Memory: about 280 bytes per user with a name of 16 bytes, its content key included; identities.h has what
 * an account needs more.
 */
#ifndef KS_STORE_EMBEDDED_MEMORY_USERS_H
#define KS_STORE_EMBEDDED_MEMORY_USERS_H

#include "crypto/random.h"
#include "store/embedded/memory/table.h"
#include "store/store.h"

struct ks_users;

struct ks_user_entry {
    UT_hash_handle by_id; /* its list is the order of registration */
    UT_hash_handle by_name;
    struct ks_client_id id;
    int64_t number;                     /* the row's, ascending in the order of registration */
    uint64_t place;                     /* in the order of registration; never used again by this process */
    int64_t since;                      /* steady seconds: when it registered */
    _Atomic int64_t last_seen;          /* wall seconds */
    struct ks_user_entry *next_touched; /* while `touched` */
    struct ks_content_key *content_key; /* the current one; NULL when there is none */
    struct ks_account_entry *account;   /* identities.h; NULL: none */
    _Atomic unsigned changes_expected;
    _Atomic bool touched; /* last_seen is newer than the disk's */
    bool published;
    bool listed; /* was published once, and so stands in lists until it is removed */
    bool has_public_key;
    bool key_was_reset; /* it had a public key, which an operator took away */
    bool leaving;       /* the writer's: its removal is applied and not settled */
    bool removed;       /* it only waits to be taken from the touched ones, to be freed */
    uint8_t name_size;
    char name[]; /* no NUL */
};

/* KS_OK with *users for ks_users_free; KS_NO_MEMORY, KS_CRYPTO. */
enum ks_result ks_users_new(const struct ks_random *random, struct ks_users **users);
void ks_users_free(struct ks_users *users); /* with every entry; NULL is allowed */

/* ---- any thread ---- */

/* KS_OK with *user; KS_NOT_FOUND; KS_PENDING: ask the writer, which says `behind_changes`: what was asked
 * for before is settled. */
enum ks_result ks_users_look_up(struct ks_users *users, const struct ks_client_id *id, bool behind_changes,
                                struct ks_user *user);

/* The same for a name. */
enum ks_result ks_users_look_up_name(struct ks_users *users, const char *name, size_t name_size,
                                     bool behind_changes, struct ks_user *user);

/* When the user was last seen by this process; 0: never. */
int64_t ks_users_last_seen(struct ks_users *users, const struct ks_client_id *id);

/* True when a published user has this name, or one that differs from it in the case of letters only. */
bool ks_users_name_is_taken(struct ks_users *users, const char *name, size_t name_size);

/* The current content key. KS_OK with a reference for the caller in *key; KS_NOT_FOUND; KS_REFUSED when there
 * is none, or it was last used before `fresh_since`; KS_PENDING. Counts as a use at `now`. */
enum ks_result ks_users_content_key(struct ks_users *users, const struct ks_client_id *id,
                                    bool behind_changes, int64_t fresh_since, int64_t now,
                                    struct ks_content_key **key);

/* Announces a change that will be posted to the writer, and keeps the user from being dropped until
 * ks_users_change_done; an operator may have it removed all the same. False when there is no such user. */
bool ks_users_expect_change(struct ks_users *users, const struct ks_client_id *id);

/* Notes that the user was seen. */
void ks_users_touch(struct ks_users *users, const struct ks_client_id *id, int64_t now);

/* How many there are, unpublished ones included. */
size_t ks_users_count(struct ks_users *users);

/* The list of all users but `except`, and the next ones of it, as store.h has them: at most `limit`, and a
 * bounded number at a time. Users are published in the order in which they are added, so those that were ever
 * published are the first of that order, and stand in lists until they are removed. KS_OK; KS_NOT_FOUND. */
enum ks_result ks_users_list_begin(struct ks_users *users, const struct ks_client_id *except,
                                   bool classic_only, uint64_t now_ms, uint64_t *count,
                                   struct ks_user_cursor *cursor);
enum ks_result ks_users_list(struct ks_users *users, const struct ks_client_id *except, bool classic_only,
                             struct ks_user_cursor *cursor, struct ks_user *list, size_t limit,
                             size_t *count);

/* True when a list was begun after `since_ms`. */
bool ks_users_listed_since(struct ks_users *users, uint64_t since_ms);

/* ---- the writer's thread only ---- */

/* Adds an unpublished user without keys. KS_OK with *entry; KS_EXISTS when id or name is taken; KS_NO_MEMORY.
 */
enum ks_result ks_users_add(struct ks_users *users, const struct ks_client_id *id, const char *name,
                            size_t name_size, struct ks_user_entry **entry);

/* The same for one who registers: KS_EXISTS also when the name is taken in another case. Users of older
 * databases may have such names all the same. */
enum ks_result ks_users_add_new(struct ks_users *users, const struct ks_client_id *id, const char *name,
                                size_t name_size, struct ks_user_entry **entry);

/* From now on everybody sees it, and whether it has a public key. Once it has one, none was reset. */
void ks_users_publish(struct ks_users *users, struct ks_user_entry *entry, bool has_public_key);

/* Hides a published user, to be removed when its row is gone, or published again. False, and nothing happens,
 * when a change is expected or last_seen waits to be written. */
bool ks_users_unpublish(struct ks_users *users, struct ks_user_entry *entry);

/* Removes a user and frees the entry; who waits for last_seen to be written is freed by the next
 * ks_users_take_touched. */
void ks_users_remove(struct ks_users *users, struct ks_user_entry *entry);

/* Published or not; NULL when unknown. */
struct ks_user_entry *ks_users_find(struct ks_users *users, const struct ks_client_id *id);

/* The same, for who has exactly this name. */
struct ks_user_entry *ks_users_find_named(struct ks_users *users, const char *name, size_t name_size);

void ks_users_change_done(struct ks_user_entry *entry);

/* Makes `key` the current one and takes a reference to it (NULL: none). The old one is released. */
void ks_users_set_content_key(struct ks_users *users, struct ks_user_entry *entry,
                              struct ks_content_key *key);

/* The user's public key is forgotten, by an operator's wish. */
void ks_users_forget_public_key(struct ks_users *users, struct ks_user_entry *entry);

/* Takes up to `limit` users that were seen since the last time; each is no longer `touched`. Returns how many
 * stand in `entries`: 0 when there are no more. */
size_t ks_users_take_touched(struct ks_users *users, struct ks_user_entry **entries, size_t limit);

/* Marks an entry again, when writing it failed. */
void ks_users_touch_again(struct ks_users *users, struct ks_user_entry *entry);

/* The next user on an endless walk round all of them; NULL when there is none. Removals do not disturb it. */
struct ks_user_entry *ks_users_walk(struct ks_users *users);

#endif
