/* session_keys.h — the AES keys that were issued on one connection: a 1028 prefers them to the user's current
 * key (protocol.md §1.1). One thread; the keys themselves are shared with the store. Private to src/service.
 */
#ifndef KS_SERVICE_CORE_SESSION_KEYS_H
#define KS_SERVICE_CORE_SESSION_KEYS_H

#include "store/store.h"

enum { KS_SESSION_KEYS_LIMIT = 8 }; /* users per connection; the longest-unused is forgotten for a ninth */

struct ks_session_key {
    struct ks_client_id id;
    struct ks_content_key *key;
};

struct ks_session_keys {
    struct ks_session_key *entries; /* newest last; NULL until the first */
    unsigned count;
};

/* Remembers `key` as the one last issued for `id`; takes a reference. Out of memory nothing is remembered,
 * and the user's current key serves instead, which is the same one. */
void ks_session_keys_set(struct ks_session_keys *keys, const struct ks_client_id *id,
                         struct ks_content_key *key);

/* A reference for the caller to the key last issued for `id`, or NULL. */
struct ks_content_key *ks_session_keys_get(const struct ks_session_keys *keys, const struct ks_client_id *id);

/* Forgets the key of `id`. */
void ks_session_keys_drop(struct ks_session_keys *keys, const struct ks_client_id *id);

/* Forgets all and frees. */
void ks_session_keys_clear(struct ks_session_keys *keys);

#endif
