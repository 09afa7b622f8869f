/* identities.h — accounts in RAM: who has which key, and whose classic id is which. They belong to the users
 * (users.h), whose lock is theirs; skeletons, invitations and names of removed accounts are on disk alone.
 *
 * What a change needs memory for, it takes before the commit: a key, or a classic id, is *expected* first,
 * and nobody but the writer knows of it. Then it is set, or forgotten. So a batch that fails leaves
 * everything as it was, and one that is committed cannot fail here.
 *
 * Memory: about 120 bytes for an account, and 90 for a classic id.
 */
#ifndef KS_STORE_EMBEDDED_MEMORY_IDENTITIES_H
#define KS_STORE_EMBEDDED_MEMORY_IDENTITIES_H

#include "store/embedded/memory/users.h"

struct ks_classic_entry {
    UT_hash_handle by_id;
    struct ks_user_entry *user;
    struct ks_client_id id;
    bool is_set; /* else expected: `user` may be gone */
};

struct ks_account_entry {
    UT_hash_handle by_key; /* of several with one key, one at most is set */
    struct ks_user_entry *user;
    struct ks_classic_entry *classic; /* NULL: the classic ports do not know it */
    int64_t registered;               /* wall seconds */
    uint8_t key[KS_ACCOUNT_KEY_SIZE];
    bool is_set; /* as above */
};

/* ---- any thread ---- */

/* As ks_store_classic_id: while there is no account, nothing is looked up. */
enum ks_result ks_identities_classic_id(struct ks_users *users, const struct ks_client_id *shown,
                                        struct ks_client_id *id);

/* Who has this key: KS_OK with *account; KS_NOT_FOUND. */
enum ks_result ks_identities_find(struct ks_users *users, const uint8_t key[static KS_ACCOUNT_KEY_SIZE],
                                  struct ks_account *account);

/* ---- the writer's thread only ---- */

/* The user, whether it is published or not, has an account: KS_OK with *account; KS_NOT_FOUND. */
enum ks_result ks_identities_describe(const struct ks_user_entry *user, struct ks_account *account);

/* Whether there is any account, or is to be one. */
bool ks_identities_are_there(const struct ks_users *users);

/* Whether somebody has this classic id, or is to have it. */
bool ks_identities_has_classic_id(const struct ks_users *users, const struct ks_client_id *id);

/* Expects that the user becomes an account of this key, or, if it is one, that its key becomes this one.
 * KS_OK with *account for one of the next two; KS_NO_MEMORY. */
enum ks_result ks_identities_expect(struct ks_users *users, struct ks_user_entry *user,
                                    const uint8_t key[static KS_ACCOUNT_KEY_SIZE], int64_t registered,
                                    struct ks_account_entry **account);

/* It is so. What the user had before is void, its classic id, too. */
void ks_identities_set(struct ks_users *users, struct ks_account_entry *account);

/* It is not; the user may be gone. */
void ks_identities_unexpect(struct ks_users *users, struct ks_account_entry *account);

/* The same for a classic id, which is nobody's. */
enum ks_result ks_identities_expect_classic(struct ks_users *users, struct ks_user_entry *user,
                                            const struct ks_client_id *id, struct ks_classic_entry **classic);

/* The user, an account, has this classic id from now on, or none (NULL). */
void ks_identities_set_classic(struct ks_users *users, struct ks_user_entry *user,
                               struct ks_classic_entry *classic);
void ks_identities_unexpect_classic(struct ks_users *users, struct ks_classic_entry *classic);

/* ---- for users.c, under the write lock ---- */

/* The user is no account any more, for it is about to be gone. */
void ks_identities_forget(struct ks_users *users, struct ks_user_entry *user);

/* Frees all of them; their users may be gone. */
void ks_identities_clear(struct ks_users *users);

#endif
