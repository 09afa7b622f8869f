/* users_load.c — see users_load.h. A million users are larger than any cache, and each stands at a place by
 * chance in either table: one after the other, they would spend most of the time waiting for memory. */
#include "store/embedded/memory/users_load.h"

#include "store/embedded/memory/id_hash.h"
#include "store/embedded/memory/users_internal.h"

enum {
    GROUP = 32, /* more than a core fetches at a time; what is fetched for them stays in its first cache */
    USERS_A_BUCKET = 2 /* as the tables would grow by themselves */
};

struct group {
    struct ks_user_entry *entries[GROUP];
    unsigned name_hashes[GROUP];
    size_t count;
};

enum ks_result ks_users_load_add(struct ks_users_load *load, const struct ks_client_id *id, const char *name,
                                 size_t name_size, struct ks_user_entry **entry)
{
    *entry = ks_users_entry_new(id, name, name_size);
    if (*entry == NULL)
        return KS_NO_MEMORY;
    if (load->last != NULL)
        load->last->next_touched = *entry;
    else
        load->first = *entry;
    load->last = *entry;
    load->count++;
    return KS_OK;
}

static struct ks_user_entry *take_first(struct ks_users_load *load)
{
    struct ks_user_entry *entry = load->first;
    load->first = entry->next_touched;
    entry->next_touched = NULL;
    return entry;
}

void ks_users_load_free(struct ks_users_load *load)
{
    while (load->first != NULL)
        ks_users_entry_free(take_first(load));
    *load = (struct ks_users_load){0};
}

/* ---- fetching ---- */

static UT_hash_bucket *bucket_of(const UT_hash_table *table, unsigned hash)
{
    unsigned bucket = 0;
    HASH_TO_BKT(hash, table->num_buckets, bucket);
    return &table->buckets[bucket];
}

/* What a look-up reads of the first user in a bucket, and an insertion writes: that may be two lines. */
static void fetch_first(const UT_hash_table *table, unsigned hash)
{
    const UT_hash_handle *handle = bucket_of(table, hash)->hh_head;
    if (handle == NULL)
        return;
    __builtin_prefetch(&handle->hh_prev, 1);
    __builtin_prefetch(&handle->hashv, 1);
}

/* First all buckets, then what stands in them: nobody waits for a bucket while others could be on their way.
 */
static void fetch_group(const struct ks_users *users, const struct group *group)
{
    if (users->by_id == NULL)
        return;
    const UT_hash_table *ids = users->by_id->by_id.tbl;
    const UT_hash_table *names = users->by_name->by_name.tbl;
    for (size_t i = 0; i < group->count; i++) {
        __builtin_prefetch(bucket_of(ids, ks_id_hash(&group->entries[i]->id)), 1);
        __builtin_prefetch(bucket_of(names, group->name_hashes[i]), 1);
    }
    for (size_t i = 0; i < group->count; i++) {
        fetch_first(ids, ks_id_hash(&group->entries[i]->id));
        fetch_first(names, group->name_hashes[i]);
    }
}

/* ---- adding ---- */

static void take_group(struct ks_users_load *load, const struct ks_users *users, size_t limit,
                       struct group *group)
{
    group->count = 0;
    while (load->first != NULL && group->count < limit) {
        struct ks_user_entry *entry = take_first(load);
        group->name_hashes[group->count] = ks_users_name_hash(users, entry->name, entry->name_size);
        group->entries[group->count++] = entry;
    }
}

static enum ks_result add_entry(struct ks_users *users, struct ks_user_entry *entry, unsigned name_hash)
{
    if (ks_users_find(users, &entry->id) != NULL ||
        ks_users_find_name(users, entry->name, entry->name_size, name_hash) != NULL)
        return KS_EXISTS;
    if (!ks_users_insert(users, entry, name_hash))
        return KS_NO_MEMORY;
    ks_users_show(users, entry);
    return KS_OK;
}

static enum ks_result add_group(struct ks_users_load *load, struct ks_users *users, size_t limit)
{
    struct group group;
    enum ks_result result = KS_OK;
    take_group(load, users, limit, &group);
    fetch_group(users, &group);
    for (size_t i = 0; i < group.count; i++) {
        if (result == KS_OK)
            result = add_entry(users, group.entries[i], group.name_hashes[i]);
        if (result != KS_OK)
            ks_users_entry_free(group.entries[i]);
    }
    return result;
}

/* Growing by itself, a table would put everybody in another place again and again. Until let_grow
 * it stays as large as this makes it: by chance, some bucket of very many has more than its share. */
static enum ks_result make_room(UT_hash_table *table, size_t count)
{
    int failed = 0;
    while (failed == 0 && table->num_buckets < count / USERS_A_BUCKET)
        HASH_EXPAND_BUCKETS(by_id, table, failed);
    table->noexpand = 1;
    return failed == 0 ? KS_OK : KS_NO_MEMORY;
}

static void let_grow(struct ks_users *users)
{
    if (users->by_id == NULL)
        return;
    users->by_id->by_id.tbl->noexpand = 0;
    users->by_name->by_name.tbl->noexpand = 0;
}

/* There is no table without its first user. */
static enum ks_result add_all(struct ks_users_load *load, struct ks_users *users)
{
    enum ks_result result = add_group(load, users, 1);
    if (result == KS_OK && load->first != NULL)
        result = make_room(users->by_id->by_id.tbl, load->count);
    if (result == KS_OK && load->first != NULL)
        result = make_room(users->by_name->by_name.tbl, load->count);
    while (result == KS_OK && load->first != NULL)
        result = add_group(load, users, GROUP);
    let_grow(users);
    return result;
}

enum ks_result ks_users_load_finish(struct ks_users_load *load, struct ks_users *users)
{
    pthread_rwlock_wrlock(&users->lock);
    enum ks_result result = add_all(load, users);
    pthread_rwlock_unlock(&users->lock);
    ks_users_load_free(load);
    return result;
}
