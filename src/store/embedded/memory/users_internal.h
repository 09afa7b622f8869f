/* users_internal.h — users from within: what users.c, users_load.c and identities.c share, with the functions
 * of users_table.c, which all three call. Private to these four.
 */
#ifndef KS_STORE_EMBEDDED_MEMORY_USERS_INTERNAL_H
#define KS_STORE_EMBEDDED_MEMORY_USERS_INTERNAL_H

#include "base/limits/keyed_hash.h"
#include "store/embedded/memory/identities.h"

#include <pthread.h>

struct ks_users {
    pthread_rwlock_t lock; /* of all tables, of the entries' plain fields and of the next seven */
    struct ks_user_entry *by_id;
    struct ks_user_entry *by_name;
    uint64_t last_place;
    uint64_t last_listed_place;
    uint64_t listed;                       /* how many are */
    uint64_t hidden;                       /* how many of these the classic ports do not know */
    uint64_t drops;                        /* how often one of the listed was removed, hidden or shown */
    struct ks_account_entry *account_keys; /* those that are expected, too */
    struct ks_classic_entry *classic_ids;  /* likewise */
    _Atomic uint64_t account_count;        /* without those */
    _Atomic uint64_t list_begun_ms;        /* when the last one was, plus one; 0: never */
    _Atomic(struct ks_user_entry *) touched;
    struct ks_user_entry *touched_waiting; /* the writer's: taken from `touched`, not handed out yet */
    struct ks_user_entry *walk;            /* the writer's: who is next; NULL for the first */
    struct ks_hash_key hash_key;           /* strangers choose their names */
};

/* In neither table, unpublished, without keys. NULL when out of memory. */
struct ks_user_entry *ks_users_entry_new(const struct ks_client_id *id, const char *name, size_t name_size);

/* Of one that stands in neither table. */
void ks_users_entry_free(struct ks_user_entry *entry);

/* The same for a name in every case, so that the names which are taken by it stand in its bucket. */
unsigned ks_users_name_hash(const struct ks_users *users, const char *name, size_t size);

/* Who has exactly this name, whose hash is `hash`; NULL when nobody has. */
struct ks_user_entry *ks_users_find_name(struct ks_users *users, const char *name, size_t size,
                                         unsigned hash);

/* Adds an entry to both tables, as the last; id and name are nobody's. False when there is no memory; then it
 * stands in neither. Under the write lock. */
bool ks_users_insert(struct ks_users *users, struct ks_user_entry *entry, unsigned hash);

/* Whether the classic ports do not know it. Under the lock. */
static inline bool ks_user_is_hidden(const struct ks_user_entry *entry)
{
    return entry->account != NULL && entry->account->classic == NULL;
}

/* From now on everybody sees the entry. Under the write lock. */
void ks_users_show(struct ks_users *users, struct ks_user_entry *entry);

#endif
