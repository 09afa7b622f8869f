/* session_keys.c — see session_keys.h. */
#include "service/core/session_keys.h"

#include <stdlib.h>
#include <string.h>

static struct ks_session_key *find(const struct ks_session_keys *keys, const struct ks_client_id *id)
{
    for (unsigned i = 0; i < keys->count; i++)
        if (memcmp(&keys->entries[i].id, id, sizeof *id) == 0)
            return &keys->entries[i];
    return NULL;
}

static void remove_key(struct ks_session_keys *keys, struct ks_session_key *entry)
{
    size_t behind = (size_t)(keys->entries + keys->count - (entry + 1));
    ks_content_key_release(entry->key);
    memmove(entry, entry + 1, behind * sizeof *entry);
    keys->count--;
}

void ks_session_keys_set(struct ks_session_keys *keys, const struct ks_client_id *id,
                         struct ks_content_key *key)
{
    ks_session_keys_drop(keys, id);
    if (keys->count == KS_SESSION_KEYS_LIMIT)
        remove_key(keys, &keys->entries[0]);
    struct ks_session_key *entries = realloc(keys->entries, (keys->count + 1) * sizeof *entries);
    if (entries == NULL)
        return;
    keys->entries = entries;
    entries[keys->count].id = *id;
    entries[keys->count].key = ks_content_key_retain(key);
    keys->count++;
}

struct ks_content_key *ks_session_keys_get(const struct ks_session_keys *keys, const struct ks_client_id *id)
{
    const struct ks_session_key *entry = find(keys, id);
    return entry == NULL ? NULL : ks_content_key_retain(entry->key);
}

void ks_session_keys_drop(struct ks_session_keys *keys, const struct ks_client_id *id)
{
    struct ks_session_key *entry = find(keys, id);
    if (entry != NULL)
        remove_key(keys, entry);
}

void ks_session_keys_clear(struct ks_session_keys *keys)
{
    while (keys->count > 0)
        remove_key(keys, &keys->entries[keys->count - 1]);
    free(keys->entries);
    keys->entries = NULL;
}
