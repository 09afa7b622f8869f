/* users.c — see users.h. Two uthash tables over one set of entries (users_table.c), under one read-write
 * lock; the stack of touched users is lock-free. */
#include "base/text.h"
#include "store/embedded/memory/users_internal.h"

#include <stdlib.h>
#include <string.h>

enum { LIST_PIECE = 1024 }; /* users looked at in one go: the writer waits so long */

static enum ks_result users_init_lock(struct ks_users *users)
{
    pthread_rwlockattr_t attributes;
    if (pthread_rwlockattr_init(&attributes) != 0)
        return KS_NO_MEMORY;
    /* Many askers must not starve the one writer. */
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    int failure = pthread_rwlock_init(&users->lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    return failure == 0 ? KS_OK : KS_NO_MEMORY;
}

enum ks_result ks_users_new(const struct ks_random *random, struct ks_users **users)
{
    struct ks_users *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    atomic_init(&created->touched, NULL);
    atomic_init(&created->list_begun_ms, 0);
    atomic_init(&created->account_count, 0);
    enum ks_result result = ks_random_fill(random, &created->hash_key, sizeof created->hash_key);
    if (result == KS_OK)
        result = users_init_lock(created);
    if (result != KS_OK) {
        free(created);
        return result;
    }
    *users = created;
    return KS_OK;
}

/* Those that were removed and are only held by the list. */
static void free_removed(struct ks_user_entry *touched)
{
    struct ks_user_entry *next = NULL;
    for (; touched != NULL; touched = next) {
        next = touched->next_touched;
        if (touched->removed)
            ks_users_entry_free(touched);
    }
}

void ks_users_free(struct ks_users *users)
{
    if (users == NULL)
        return;
    free_removed(users->touched_waiting);
    free_removed(atomic_load(&users->touched));
    HASH_CLEAR(by_name, users->by_name);
    struct ks_user_entry *entry = users->by_id;
    struct ks_user_entry *next = NULL;
    HASH_CLEAR(by_id, users->by_id);
    for (; entry != NULL; entry = next) {
        next = entry->by_id.next;
        ks_users_entry_free(entry);
    }
    ks_identities_clear(users);
    pthread_rwlock_destroy(&users->lock);
    free(users);
}

static struct ks_user_entry *find_published(struct ks_users *users, const struct ks_client_id *id)
{
    struct ks_user_entry *entry = ks_users_find(users, id);
    return entry != NULL && entry->published ? entry : NULL;
}

/* Whether somebody has the name, whatever the case of its letters. */
static bool name_is_taken(const struct ks_users *users, const char *name, size_t size, bool published)
{
    if (users->by_name == NULL)
        return false;
    const UT_hash_table *table = users->by_name->by_name.tbl;
    unsigned hash = ks_users_name_hash(users, name, size);
    unsigned bucket = 0;
    HASH_TO_BKT(hash, table->num_buckets, bucket);
    for (const UT_hash_handle *handle = table->buckets[bucket].hh_head; handle != NULL;
         handle = handle->hh_next) {
        const struct ks_user_entry *entry = ELMT_FROM_HH(table, handle);
        if (handle->hashv == hash && entry->name_size == size &&
            ks_text_equals_in_any_case(entry->name, name, size) && (entry->published || !published))
            return true;
    }
    return false;
}

/* ---- any thread ---- */

/* The user, if the answer is in RAM: KS_OK, KS_NOT_FOUND or KS_PENDING. Under the lock. */
static enum ks_result find_settled(struct ks_users *users, const struct ks_client_id *id, bool behind_changes,
                                   struct ks_user_entry **entry)
{
    *entry = find_published(users, id);
    if (*entry == NULL)
        return KS_NOT_FOUND;
    if (behind_changes || atomic_load_explicit(&(*entry)->changes_expected, memory_order_acquire) == 0)
        return KS_OK;
    return KS_PENDING;
}

static void describe(const struct ks_user_entry *entry, struct ks_user *user)
{
    user->is_account = entry->account != NULL;
    user->has_classic_id = entry->account != NULL && entry->account->classic != NULL;
    user->id = entry->id;
    memcpy(user->name, entry->name, entry->name_size);
    memset(user->name + entry->name_size, 0, sizeof user->name - entry->name_size);
    user->has_public_key = entry->has_public_key;
}

enum ks_result ks_users_look_up(struct ks_users *users, const struct ks_client_id *id, bool behind_changes,
                                struct ks_user *user)
{
    struct ks_user_entry *entry = NULL;
    pthread_rwlock_rdlock(&users->lock);
    enum ks_result result = find_settled(users, id, behind_changes, &entry);
    if (result == KS_OK)
        describe(entry, user);
    pthread_rwlock_unlock(&users->lock);
    return result;
}

enum ks_result ks_users_look_up_name(struct ks_users *users, const char *name, size_t name_size,
                                     bool behind_changes, struct ks_user *user)
{
    unsigned hash = ks_users_name_hash(users, name, name_size);
    enum ks_result result = KS_NOT_FOUND;
    pthread_rwlock_rdlock(&users->lock);
    struct ks_user_entry *entry = ks_users_find_name(users, name, name_size, hash);
    if (entry != NULL)
        result = find_settled(users, &entry->id, behind_changes, &entry);
    if (result == KS_OK)
        describe(entry, user);
    pthread_rwlock_unlock(&users->lock);
    return result;
}

int64_t ks_users_last_seen(struct ks_users *users, const struct ks_client_id *id)
{
    pthread_rwlock_rdlock(&users->lock);
    struct ks_user_entry *entry = find_published(users, id);
    int64_t last_seen = entry != NULL ? atomic_load(&entry->last_seen) : 0;
    pthread_rwlock_unlock(&users->lock);
    return last_seen;
}

struct ks_user_entry *ks_users_find_named(struct ks_users *users, const char *name, size_t name_size)
{
    return ks_users_find_name(users, name, name_size, ks_users_name_hash(users, name, name_size));
}

bool ks_users_name_is_taken(struct ks_users *users, const char *name, size_t name_size)
{
    pthread_rwlock_rdlock(&users->lock);
    bool is_taken = name_is_taken(users, name, name_size, true);
    pthread_rwlock_unlock(&users->lock);
    return is_taken;
}

static bool is_fresh(const struct ks_content_key *key, int64_t fresh_since)
{
    return key != NULL && atomic_load(&key->last_used) >= fresh_since;
}

enum ks_result ks_users_content_key(struct ks_users *users, const struct ks_client_id *id,
                                    bool behind_changes, int64_t fresh_since, int64_t now,
                                    struct ks_content_key **key)
{
    struct ks_user_entry *entry = NULL;
    pthread_rwlock_rdlock(&users->lock);
    enum ks_result result = find_settled(users, id, behind_changes, &entry);
    if (result == KS_OK && !is_fresh(entry->content_key, fresh_since))
        result = KS_REFUSED;
    if (result == KS_OK) {
        *key = ks_content_key_retain(entry->content_key);
        atomic_store(&(*key)->last_used, now);
    }
    pthread_rwlock_unlock(&users->lock);
    return result;
}

bool ks_users_expect_change(struct ks_users *users, const struct ks_client_id *id)
{
    pthread_rwlock_rdlock(&users->lock);
    struct ks_user_entry *entry = find_published(users, id);
    if (entry != NULL)
        atomic_fetch_add_explicit(&entry->changes_expected, 1, memory_order_relaxed);
    pthread_rwlock_unlock(&users->lock);
    return entry != NULL;
}

void ks_users_touch_again(struct ks_users *users, struct ks_user_entry *entry)
{
    if (atomic_exchange(&entry->touched, true))
        return;
    struct ks_user_entry *newest = atomic_load_explicit(&users->touched, memory_order_relaxed);
    do {
        entry->next_touched = newest;
    } while (!atomic_compare_exchange_weak_explicit(&users->touched, &newest, entry, memory_order_release,
                                                    memory_order_relaxed));
}

void ks_users_touch(struct ks_users *users, const struct ks_client_id *id, int64_t now)
{
    /* Under the lock to the end: the entry must not be removed between the mark and the push. */
    pthread_rwlock_rdlock(&users->lock);
    struct ks_user_entry *entry = find_published(users, id);
    if (entry != NULL) {
        atomic_store(&entry->last_seen, now);
        ks_users_touch_again(users, entry);
    }
    pthread_rwlock_unlock(&users->lock);
}

size_t ks_users_count(struct ks_users *users)
{
    pthread_rwlock_rdlock(&users->lock);
    size_t count = HASH_CNT(by_id, users->by_id);
    pthread_rwlock_unlock(&users->lock);
    return count;
}

/* ---- lists ---- */

/* Whether the user stands in a list. */
static bool is_in_list(const struct ks_user_entry *entry, bool classic_only)
{
    return !classic_only || !ks_user_is_hidden(entry);
}

enum ks_result ks_users_list_begin(struct ks_users *users, const struct ks_client_id *except,
                                   bool classic_only, uint64_t now_ms, uint64_t *count,
                                   struct ks_user_cursor *cursor)
{
    pthread_rwlock_rdlock(&users->lock);
    const struct ks_user_entry *entry = find_published(users, except);
    bool known = entry != NULL;
    if (known) {
        *cursor = (struct ks_user_cursor){.until = users->last_listed_place, .drops = users->drops};
        *count = users->listed - (classic_only ? users->hidden : 0) - is_in_list(entry, classic_only);
        atomic_store_explicit(&users->list_begun_ms, now_ms + 1, memory_order_relaxed);
    }
    pthread_rwlock_unlock(&users->lock);
    return known ? KS_OK : KS_NOT_FOUND;
}

/* The entry behind the cursor; NULL at the end. Nobody of the list was removed, so who was given last is
 * there. Under the lock. */
static const struct ks_user_entry *list_next(struct ks_users *users, const struct ks_user_cursor *cursor)
{
    const struct ks_user_entry *entry = users->by_id;
    if (cursor->given > 0) {
        entry = ks_users_find(users, &cursor->last);
        if (entry != NULL)
            entry = entry->by_id.next;
    }
    return entry != NULL && entry->place <= cursor->until ? entry : NULL;
}

/* Looks at the next ones, and gives those that stand in the list. True when there are more. Under the lock.
 */
static bool list_piece(struct ks_users *users, const struct ks_client_id *except, bool classic_only,
                       struct ks_user_cursor *cursor, struct ks_user *list, size_t limit, size_t *count)
{
    size_t looked_at = 0;
    const struct ks_user_entry *entry = list_next(users, cursor);
    for (; entry != NULL && entry->place <= cursor->until; entry = entry->by_id.next) {
        if (*count == limit || looked_at++ == LIST_PIECE)
            return true;
        if (is_in_list(entry, classic_only) && memcmp(&entry->id, except, sizeof *except) != 0)
            describe(entry, &list[(*count)++]);
        cursor->last = entry->id;
        cursor->given++;
    }
    return false;
}

enum ks_result ks_users_list(struct ks_users *users, const struct ks_client_id *except, bool classic_only,
                             struct ks_user_cursor *cursor, struct ks_user *list, size_t limit, size_t *count)
{
    bool intact = true;
    bool more = true;
    *count = 0;
    while (intact && more && *count == 0 && limit > 0) {
        pthread_rwlock_rdlock(&users->lock);
        intact = cursor->drops == users->drops;
        more = intact && list_piece(users, except, classic_only, cursor, list, limit, count);
        pthread_rwlock_unlock(&users->lock);
    }
    return intact ? KS_OK : KS_NOT_FOUND;
}

bool ks_users_listed_since(struct ks_users *users, uint64_t since_ms)
{
    return atomic_load_explicit(&users->list_begun_ms, memory_order_relaxed) > since_ms;
}

/* ---- the writer's thread only ---- */

enum ks_result ks_users_add(struct ks_users *users, const struct ks_client_id *id, const char *name,
                            size_t name_size, struct ks_user_entry **entry)
{
    unsigned hash = ks_users_name_hash(users, name, name_size);
    if (ks_users_find(users, id) != NULL || ks_users_find_name(users, name, name_size, hash) != NULL)
        return KS_EXISTS;
    struct ks_user_entry *created = ks_users_entry_new(id, name, name_size);
    if (created == NULL)
        return KS_NO_MEMORY;
    pthread_rwlock_wrlock(&users->lock);
    bool inserted = ks_users_insert(users, created, hash);
    pthread_rwlock_unlock(&users->lock);
    if (!inserted) {
        ks_users_entry_free(created);
        return KS_NO_MEMORY;
    }
    *entry = created;
    return KS_OK;
}

enum ks_result ks_users_add_new(struct ks_users *users, const struct ks_client_id *id, const char *name,
                                size_t name_size, struct ks_user_entry **entry)
{
    if (name_is_taken(users, name, name_size, false))
        return KS_EXISTS;
    return ks_users_add(users, id, name, name_size, entry);
}

void ks_users_publish(struct ks_users *users, struct ks_user_entry *entry, bool has_public_key)
{
    pthread_rwlock_wrlock(&users->lock);
    entry->has_public_key = has_public_key;
    entry->key_was_reset = entry->key_was_reset && !has_public_key;
    ks_users_show(users, entry);
    pthread_rwlock_unlock(&users->lock);
}

bool ks_users_unpublish(struct ks_users *users, struct ks_user_entry *entry)
{
    pthread_rwlock_wrlock(&users->lock);
    bool quiet = atomic_load(&entry->changes_expected) == 0 && !atomic_load(&entry->touched);
    if (quiet)
        entry->published = false;
    pthread_rwlock_unlock(&users->lock);
    return quiet;
}

void ks_users_remove(struct ks_users *users, struct ks_user_entry *entry)
{
    pthread_rwlock_wrlock(&users->lock);
    if (users->walk == entry)
        users->walk = entry->by_id.next;
    if (entry->listed) {
        users->listed--;
        users->hidden -= ks_user_is_hidden(entry) ? 1 : 0;
        users->drops++;
    }
    ks_identities_forget(users, entry);
    HASH_DELETE(by_id, users->by_id, entry);
    HASH_DELETE(by_name, users->by_name, entry);
    /* Nobody finds it any more, so nobody touches it from here on. */
    entry->removed = atomic_load(&entry->touched);
    pthread_rwlock_unlock(&users->lock);
    if (!entry->removed)
        ks_users_entry_free(entry);
}

void ks_users_change_done(struct ks_user_entry *entry)
{
    atomic_fetch_sub_explicit(&entry->changes_expected, 1, memory_order_release);
}

void ks_users_set_content_key(struct ks_users *users, struct ks_user_entry *entry, struct ks_content_key *key)
{
    if (key != NULL)
        ks_content_key_retain(key);
    pthread_rwlock_wrlock(&users->lock);
    struct ks_content_key *old = entry->content_key;
    entry->content_key = key;
    pthread_rwlock_unlock(&users->lock);
    ks_content_key_release(old);
}

void ks_users_forget_public_key(struct ks_users *users, struct ks_user_entry *entry)
{
    pthread_rwlock_wrlock(&users->lock);
    entry->has_public_key = false;
    entry->key_was_reset = true;
    pthread_rwlock_unlock(&users->lock);
}

size_t ks_users_take_touched(struct ks_users *users, struct ks_user_entry **entries, size_t limit)
{
    size_t count = 0;
    while (count < limit) {
        if (users->touched_waiting == NULL)
            users->touched_waiting = atomic_exchange_explicit(&users->touched, NULL, memory_order_acquire);
        struct ks_user_entry *entry = users->touched_waiting;
        if (entry == NULL)
            break;
        users->touched_waiting = entry->next_touched;
        /* From here a new touch queues it again, so nothing that comes after the writing is lost. */
        atomic_store(&entry->touched, false);
        if (entry->removed)
            ks_users_entry_free(entry);
        else
            entries[count++] = entry;
    }
    return count;
}

struct ks_user_entry *ks_users_walk(struct ks_users *users)
{
    struct ks_user_entry *entry = users->walk != NULL ? users->walk : users->by_id;
    if (entry != NULL)
        users->walk = entry->by_id.next;
    return entry;
}
