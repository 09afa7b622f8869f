/* users_table.c — users_internal.h: the tables themselves. Whoever calls has the lock. */
#include "base/text.h"
#include "store/embedded/memory/id_hash.h"
#include "store/embedded/memory/users_internal.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct ks_user_entry *ks_users_entry_new(const struct ks_client_id *id, const char *name, size_t name_size)
{
    const size_t size = offsetof(struct ks_user_entry, name) + name_size; /* there are a million of them */
    struct ks_user_entry *created = calloc(1, size > sizeof *created ? size : sizeof *created);
    if (created == NULL)
        return NULL;
    created->id = *id;
    created->name_size = (uint8_t)name_size;
    memcpy(created->name, name, name_size);
    return created;
}

void ks_users_entry_free(struct ks_user_entry *entry)
{
    ks_content_key_release(entry->content_key);
    free(entry);
}

unsigned ks_users_name_hash(const struct ks_users *users, const char *name, size_t size)
{
    char lower[KS_TEXT_FIELD_SIZE];
    ks_text_to_lower(name, size, lower);
    return (unsigned)ks_keyed_hash(&users->hash_key, lower, size);
}

struct ks_user_entry *ks_users_find(struct ks_users *users, const struct ks_client_id *id)
{
    struct ks_user_entry *entry = NULL;
    HASH_FIND_BYHASHVALUE(by_id, users->by_id, id->bytes, sizeof id->bytes, ks_id_hash(id), entry);
    return entry;
}

struct ks_user_entry *ks_users_find_name(struct ks_users *users, const char *name, size_t size, unsigned hash)
{
    struct ks_user_entry *entry = NULL;
    HASH_FIND_BYHASHVALUE(by_name, users->by_name, name, size, hash, entry);
    return entry;
}

bool ks_users_insert(struct ks_users *users, struct ks_user_entry *entry, unsigned hash)
{
    HASH_ADD_KEYPTR_BYHASHVALUE(by_id, users->by_id, entry->id.bytes, sizeof entry->id.bytes,
                                ks_id_hash(&entry->id), entry);
    if (entry->by_id.tbl == NULL)
        return false;
    HASH_ADD_KEYPTR_BYHASHVALUE(by_name, users->by_name, entry->name, entry->name_size, hash, entry);
    if (entry->by_name.tbl == NULL) {
        HASH_DELETE(by_id, users->by_id, entry);
        return false;
    }
    entry->place = ++users->last_place;
    return true;
}

void ks_users_show(struct ks_users *users, struct ks_user_entry *entry)
{
    entry->published = true;
    if (entry->listed)
        return;
    entry->listed = true;
    users->listed++;
    users->hidden += ks_user_is_hidden(entry) ? 1 : 0;
    users->last_listed_place = entry->place;
}
