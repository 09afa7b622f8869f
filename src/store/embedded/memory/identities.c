/* identities.c — see identities.h. */
#include "store/embedded/memory/identities.h"

#include "store/embedded/memory/id_hash.h"
#include "store/embedded/memory/users_internal.h"

#include <stdlib.h>
#include <string.h>

/* Strangers choose their keys. */
static unsigned key_hash(const struct ks_users *users, const uint8_t key[static KS_ACCOUNT_KEY_SIZE])
{
    return (unsigned)ks_keyed_hash(&users->hash_key, key, KS_ACCOUNT_KEY_SIZE);
}

/* The one that is set, whoever else is expected to have the key. */
static const struct ks_account_entry *find_key(const struct ks_users *users,
                                               const uint8_t key[static KS_ACCOUNT_KEY_SIZE])
{
    if (users->account_keys == NULL)
        return NULL;
    const UT_hash_table *table = users->account_keys->by_key.tbl;
    unsigned hash = key_hash(users, key);
    unsigned bucket = 0;
    HASH_TO_BKT(hash, table->num_buckets, bucket);
    for (const UT_hash_handle *handle = table->buckets[bucket].hh_head; handle != NULL;
         handle = handle->hh_next) {
        const struct ks_account_entry *account = ELMT_FROM_HH(table, handle);
        if (handle->hashv == hash && account->is_set && memcmp(account->key, key, sizeof account->key) == 0)
            return account;
    }
    return NULL;
}

static struct ks_classic_entry *find_classic(const struct ks_users *users, const struct ks_client_id *id)
{
    struct ks_classic_entry *classic = NULL;
    HASH_FIND_BYHASHVALUE(by_id, users->classic_ids, id->bytes, sizeof id->bytes, ks_id_hash(id), classic);
    return classic;
}

/* ---- any thread ---- */

/* KS_OK; KS_NOT_FOUND for an id that stands for nobody. Under the lock. */
static enum ks_result resolve(struct ks_users *users, const struct ks_client_id *shown,
                              struct ks_client_id *id)
{
    const struct ks_user_entry *user = ks_users_find(users, shown);
    const struct ks_classic_entry *classic = user == NULL ? find_classic(users, shown) : NULL;
    if (user != NULL && user->account != NULL)
        return KS_NOT_FOUND;
    *id = classic != NULL && classic->is_set ? classic->user->id : *shown;
    return KS_OK;
}

enum ks_result ks_identities_classic_id(struct ks_users *users, const struct ks_client_id *shown,
                                        struct ks_client_id *id)
{
    if (atomic_load_explicit(&users->account_count, memory_order_acquire) == 0) {
        *id = *shown;
        return KS_OK;
    }
    pthread_rwlock_rdlock(&users->lock);
    enum ks_result result = resolve(users, shown, id);
    pthread_rwlock_unlock(&users->lock);
    if (result != KS_OK)
        memset(id, 0, sizeof *id);
    return result;
}

enum ks_result ks_identities_describe(const struct ks_user_entry *user, struct ks_account *account)
{
    if (user == NULL || user->account == NULL)
        return KS_NOT_FOUND;
    *account = (struct ks_account){.id = user->id,
                                   .has_classic_id = user->account->classic != NULL,
                                   .registered = user->account->registered};
    memcpy(account->key, user->account->key, sizeof account->key);
    memcpy(account->name, user->name, user->name_size);
    return KS_OK;
}

enum ks_result ks_identities_find(struct ks_users *users, const uint8_t key[static KS_ACCOUNT_KEY_SIZE],
                                  struct ks_account *account)
{
    pthread_rwlock_rdlock(&users->lock);
    const struct ks_account_entry *found = find_key(users, key);
    enum ks_result result = KS_NOT_FOUND;
    if (found != NULL && found->user->published)
        result = ks_identities_describe(found->user, account);
    pthread_rwlock_unlock(&users->lock);
    return result;
}

/* ---- keys, on the writer's thread ---- */

static void free_classic(struct ks_users *users, struct ks_classic_entry *classic)
{
    if (classic == NULL)
        return;
    HASH_DELETE(by_id, users->classic_ids, classic);
    ks_table_free(classic);
}

static void free_account(struct ks_users *users, struct ks_account_entry *account)
{
    if (account == NULL)
        return;
    free_classic(users, account->classic);
    HASH_DELETE(by_key, users->account_keys, account);
    ks_table_free(account);
}

enum ks_result ks_identities_expect(struct ks_users *users, struct ks_user_entry *user,
                                    const uint8_t key[static KS_ACCOUNT_KEY_SIZE], int64_t registered,
                                    struct ks_account_entry **account)
{
    struct ks_account_entry *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    created->user = user;
    created->registered = registered;
    memcpy(created->key, key, sizeof created->key);
    pthread_rwlock_wrlock(&users->lock);
    HASH_ADD_KEYPTR_BYHASHVALUE(by_key, users->account_keys, created->key, sizeof created->key,
                                key_hash(users, key), created);
    pthread_rwlock_unlock(&users->lock);
    if (created->by_key.tbl == NULL) {
        free(created);
        return KS_NO_MEMORY;
    }
    *account = created;
    return KS_OK;
}

bool ks_identities_are_there(const struct ks_users *users)
{
    return users->account_keys != NULL;
}

/* Lists that are on their way cannot keep what they promised. Under the lock. */
static void note_change(struct ks_users *users, const struct ks_user_entry *user, bool was_hidden)
{
    bool is_hidden = ks_user_is_hidden(user);
    if (!user->listed || is_hidden == was_hidden)
        return;
    users->hidden = is_hidden ? users->hidden + 1 : users->hidden - 1;
    users->drops++;
}

void ks_identities_set(struct ks_users *users, struct ks_account_entry *account)
{
    struct ks_user_entry *user = account->user;
    pthread_rwlock_wrlock(&users->lock);
    bool was_hidden = ks_user_is_hidden(user);
    if (user->account == NULL)
        atomic_fetch_add_explicit(&users->account_count, 1, memory_order_release);
    free_account(users, user->account);
    user->account = account;
    account->is_set = true;
    note_change(users, user, was_hidden);
    pthread_rwlock_unlock(&users->lock);
}

void ks_identities_unexpect(struct ks_users *users, struct ks_account_entry *account)
{
    pthread_rwlock_wrlock(&users->lock);
    free_account(users, account);
    pthread_rwlock_unlock(&users->lock);
}

void ks_identities_forget(struct ks_users *users, struct ks_user_entry *user)
{
    if (user->account == NULL)
        return;
    free_account(users, user->account);
    user->account = NULL;
    atomic_fetch_sub_explicit(&users->account_count, 1, memory_order_release);
}

void ks_identities_clear(struct ks_users *users)
{
    while (users->account_keys != NULL)
        free_account(users, users->account_keys);
    while (users->classic_ids != NULL)
        free_classic(users, users->classic_ids);
}

/* ---- classic ids, on the writer's thread ---- */

bool ks_identities_has_classic_id(const struct ks_users *users, const struct ks_client_id *id)
{
    return find_classic(users, id) != NULL;
}

enum ks_result ks_identities_expect_classic(struct ks_users *users, struct ks_user_entry *user,
                                            const struct ks_client_id *id, struct ks_classic_entry **classic)
{
    struct ks_classic_entry *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    created->user = user;
    created->id = *id;
    pthread_rwlock_wrlock(&users->lock);
    HASH_ADD_KEYPTR_BYHASHVALUE(by_id, users->classic_ids, created->id.bytes, sizeof created->id.bytes,
                                ks_id_hash(id), created);
    pthread_rwlock_unlock(&users->lock);
    if (created->by_id.tbl == NULL) {
        free(created);
        return KS_NO_MEMORY;
    }
    *classic = created;
    return KS_OK;
}

void ks_identities_set_classic(struct ks_users *users, struct ks_user_entry *user,
                               struct ks_classic_entry *classic)
{
    pthread_rwlock_wrlock(&users->lock);
    bool was_hidden = ks_user_is_hidden(user);
    free_classic(users, user->account->classic);
    user->account->classic = classic;
    if (classic != NULL)
        classic->is_set = true;
    note_change(users, user, was_hidden);
    pthread_rwlock_unlock(&users->lock);
}

void ks_identities_unexpect_classic(struct ks_users *users, struct ks_classic_entry *classic)
{
    pthread_rwlock_wrlock(&users->lock);
    free_classic(users, classic);
    pthread_rwlock_unlock(&users->lock);
}
