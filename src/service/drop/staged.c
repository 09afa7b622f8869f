/* staged.c — see staged.h. uthash tables of names (each with its uploads, newest first), of users and of
 * networks; lists of uploads in the order of completion: of all, of users who never confirmed anything, and
 * of each user; rankings of networks, and of the users of each. One lock around all, held for moments. */
#include "service/drop/staged.h"

#include "base/executor.h"
#include "base/limits/ranking.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
/* gcc's analyser does not see that a bucket that HASH_ADD made belongs to the table. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* An allocation failure of uthash is reported, not fatal: the element is then not in the table. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

struct waiting_upload {
    struct ks_staged_upload upload;
    struct name_entry *name;
    struct user_entry *user;
    struct waiting_upload *older_of_name;
    struct waiting_upload *older, *newer;                 /* in the list of all */
    struct waiting_upload *older_of_user, *newer_of_user; /* in its user's */
    struct waiting_upload *older_of_unproven,
        *newer_of_unproven; /* in that of users who never confirmed anything */
};

struct name_key {
    struct ks_client_id id;
    char name[KS_TEXT_FIELD_SIZE];
};

struct name_entry {
    struct name_key key;
    struct waiting_upload *newest;
    UT_hash_handle hh;
};

struct network_entry {
    uint8_t key[KS_NETWORK_ADDRESS_SIZE];
    unsigned user_count;
    struct ks_ranking users; /* by the uploads that each has here */
    struct ks_ranked rank;   /* by those of all of them */
    UT_hash_handle hh;
};

struct user_entry {
    struct ks_client_id id;
    struct network_entry *network;
    unsigned count;                /* uploads on their way, and those here */
    bool is_proven;                /* has confirmed something */
    struct waiting_upload *oldest; /* of those here */
    struct ks_ranked rank;
    UT_hash_handle hh;
};

struct ks_staged {
    pthread_mutex_t lock;
    struct network_entry *networks;
    struct user_entry *users;
    struct ks_ranking ranking; /* of the networks */
    unsigned count;            /* of all users */
    struct name_entry *names;
    struct waiting_upload *oldest;
    struct waiting_upload *oldest_unproven;
    _Atomic uint64_t numbers; /* that were given */
};

enum ks_result ks_staged_new(struct ks_staged **staged)
{
    struct ks_staged *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    pthread_mutex_init(&created->lock, NULL);
    *staged = created;
    return KS_OK;
}

static struct name_key key_of(const struct ks_client_id *id, const char *name, size_t name_size)
{
    struct name_key key;
    memset(&key, 0, sizeof key);
    key.id = *id;
    memcpy(key.name, name, name_size < sizeof key.name ? name_size : sizeof key.name - 1);
    return key;
}

/* uthash's macros count as statements of the function. NOLINTNEXTLINE(readability-function-size) */
static struct name_entry *find_named(struct ks_staged *staged, const struct name_key *key)
{
    struct name_entry *found = NULL;
    HASH_FIND(hh, staged->names, key, sizeof *key, found);
    return found;
}

// NOLINTNEXTLINE(readability-function-size): the same
static struct name_entry *find_or_add_name(struct ks_staged *staged, const struct name_key *key)
{
    struct name_entry *name = find_named(staged, key);
    if (name != NULL)
        return name;
    name = calloc(1, sizeof *name);
    if (name == NULL)
        return NULL;
    name->key = *key;
    HASH_ADD(hh, staged->names, key, sizeof name->key, name);
    if (name->hh.tbl == NULL) {
        free(name);
        return NULL;
    }
    return name;
}

static void drop_name_if_empty(struct ks_staged *staged, struct name_entry *name)
{
    if (name->newest != NULL)
        return;
    HASH_DEL(staged->names, name);
    free(name);
}

/* ---- networks and users ---- */

// NOLINTNEXTLINE(readability-function-size): the same
static struct network_entry *add_network(struct ks_staged *staged, const uint8_t *key)
{
    struct network_entry *network = calloc(1, sizeof *network);
    if (network == NULL)
        return NULL;
    memcpy(network->key, key, sizeof network->key);
    if (ks_ranking_add(&staged->ranking, &network->rank) != KS_OK) {
        free(network);
        return NULL;
    }
    HASH_ADD(hh, staged->networks, key, sizeof network->key, network);
    if (network->hh.tbl != NULL)
        return network;
    ks_ranking_remove(&staged->ranking, &network->rank);
    free(network);
    return NULL;
}

// NOLINTNEXTLINE(readability-function-size): the same
static struct network_entry *find_or_add_network(struct ks_staged *staged, const uint8_t *key)
{
    struct network_entry *network = NULL;
    HASH_FIND(hh, staged->networks, key, sizeof network->key, network);
    return network != NULL ? network : add_network(staged, key);
}

static void drop_network_if_empty(struct ks_staged *staged, struct network_entry *network)
{
    if (network->user_count > 0)
        return;
    ks_ranking_remove(&staged->ranking, &network->rank);
    ks_ranking_free(&network->users);
    HASH_DEL(staged->networks, network);
    free(network);
}

// NOLINTNEXTLINE(readability-function-size): the same
static struct user_entry *find_user(struct ks_staged *staged, const struct ks_client_id *id)
{
    struct user_entry *user = NULL;
    HASH_FIND(hh, staged->users, id, sizeof *id, user);
    return user;
}

// NOLINTNEXTLINE(readability-function-size): the same
static struct user_entry *add_user_of(struct ks_staged *staged, const struct ks_client_id *id,
                                      struct network_entry *network)
{
    struct user_entry *user = calloc(1, sizeof *user);
    if (user == NULL)
        return NULL;
    user->id = *id;
    user->network = network;
    if (ks_ranking_add(&network->users, &user->rank) != KS_OK) {
        free(user);
        return NULL;
    }
    HASH_ADD(hh, staged->users, id, sizeof user->id, user);
    if (user->hh.tbl == NULL) {
        ks_ranking_remove(&network->users, &user->rank);
        free(user);
        return NULL;
    }
    network->user_count++;
    return user;
}

static struct user_entry *add_user(struct ks_staged *staged, const struct ks_client_id *id,
                                   const uint8_t *address)
{
    const struct ks_network_levels levels = ks_networks_levels(address);
    struct network_entry *network = find_or_add_network(staged, levels.keys[levels.count - 1]);
    if (network == NULL)
        return NULL;
    struct user_entry *user = add_user_of(staged, id, network);
    drop_network_if_empty(staged, network);
    return user;
}

static void drop_user_if_empty(struct ks_staged *staged, struct user_entry *user)
{
    struct network_entry *network = user->network;
    if (user->count > 0)
        return;
    ks_ranking_remove(&network->users, &user->rank);
    network->user_count--;
    drop_network_if_empty(staged, network);
    HASH_DEL(staged->users, user);
    free(user);
}

/* The user has one more here, or one less. */
static void weigh(struct ks_staged *staged, struct user_entry *user, int change)
{
    struct network_entry *network = user->network;
    ks_ranking_set_weight(&network->users, &user->rank, user->rank.weight + (uint64_t)change);
    ks_ranking_set_weight(&staged->ranking, &network->rank, network->rank.weight + (uint64_t)change);
}

static void give_place_back(struct ks_staged *staged, struct user_entry *user)
{
    user->count--;
    staged->count--;
    drop_user_if_empty(staged, user);
}

static void prove(struct ks_staged *staged, struct user_entry *user)
{
    struct waiting_upload *entry = NULL;
    if (user->is_proven)
        return;
    user->is_proven = true;
    DL_FOREACH2(user->oldest, entry, newer_of_user)
    {
        DL_DELETE2(staged->oldest_unproven, entry, older_of_unproven, newer_of_unproven);
    }
}

unsigned ks_staged_count(struct ks_staged *staged)
{
    pthread_mutex_lock(&staged->lock);
    unsigned count = staged->count;
    pthread_mutex_unlock(&staged->lock);
    return count;
}

void ks_staged_leave(struct ks_staged *staged, const struct ks_client_id *id)
{
    pthread_mutex_lock(&staged->lock);
    struct user_entry *user = find_user(staged, id);
    if (user != NULL)
        give_place_back(staged, user);
    pthread_mutex_unlock(&staged->lock);
}

/* ---- entries ---- */

/* Takes the entry out of everything, frees it, and returns what it held. */
static struct ks_staged_upload take_out(struct ks_staged *staged, struct waiting_upload *entry)
{
    struct user_entry *user = entry->user;
    struct waiting_upload **link = &entry->name->newest;
    while (*link != entry)
        link = &(*link)->older_of_name;
    *link = entry->older_of_name;
    DL_DELETE2(staged->oldest, entry, older, newer);
    DL_DELETE2(user->oldest, entry, older_of_user, newer_of_user);
    if (!user->is_proven)
        DL_DELETE2(staged->oldest_unproven, entry, older_of_unproven, newer_of_unproven);
    drop_name_if_empty(staged, entry->name);
    weigh(staged, user, -1);
    give_place_back(staged, user);
    struct ks_staged_upload upload = entry->upload;
    upload.name = NULL;
    free(entry);
    return upload;
}

static struct waiting_upload *entry_of_owner(const struct name_entry *name, uint64_t owner)
{
    struct waiting_upload *entry = name->newest;
    while (entry != NULL && entry->upload.owner != owner)
        entry = entry->older_of_name;
    return entry;
}

static void add_entry(struct ks_staged *staged, struct name_entry *name, struct user_entry *user,
                      struct waiting_upload *entry)
{
    entry->name = name;
    entry->user = user;
    entry->older_of_name = name->newest;
    name->newest = entry;
    DL_APPEND2(staged->oldest, entry, older, newer);
    DL_APPEND2(user->oldest, entry, older_of_user, newer_of_user);
    if (!user->is_proven)
        DL_APPEND2(staged->oldest_unproven, entry, older_of_unproven, newer_of_unproven);
    weigh(staged, user, 1);
}

/* Of whoever has most here, the oldest; NULL when nobody has any. */
static struct waiting_upload *oldest_of_largest(struct ks_staged *staged)
{
    struct ks_ranked *largest = ks_ranking_first(&staged->ranking);
    if (largest == NULL || largest->weight == 0)
        return NULL;
    struct network_entry *network = KS_CONTAINER_OF(largest, struct network_entry, rank);
    largest = ks_ranking_first(&network->users);
    return KS_CONTAINER_OF(largest, struct user_entry, rank)->oldest;
}

/* The user is counted with its new upload, so it stays whatever goes. */
static enum ks_staged_entry make_room(struct ks_staged *staged, unsigned all,
                                      struct ks_staged_upload *evicted)
{
    if (staged->count <= all)
        return KS_STAGED_ENTERED;
    struct waiting_upload *entry = oldest_of_largest(staged);
    if (entry == NULL)
        return KS_STAGED_IS_FULL;
    *evicted = take_out(staged, entry);
    return KS_STAGED_ENTERED_FOR_ANOTHER;
}

static enum ks_staged_entry enter(struct ks_staged *staged, struct user_entry *user, unsigned per_user,
                                  unsigned all, struct ks_staged_upload *evicted)
{
    user->count++;
    staged->count++;
    enum ks_staged_entry entry = KS_STAGED_USER_IS_FULL;
    if (user->count <= per_user)
        entry = make_room(staged, all, evicted);
    if (entry != KS_STAGED_ENTERED && entry != KS_STAGED_ENTERED_FOR_ANOTHER)
        give_place_back(staged, user);
    return entry;
}

enum ks_staged_entry ks_staged_enter(struct ks_staged *staged, const struct ks_client_id *id,
                                     const uint8_t address[static KS_NETWORK_ADDRESS_SIZE], unsigned per_user,
                                     unsigned all, struct ks_staged_upload *evicted)
{
    enum ks_staged_entry entry = KS_STAGED_NO_MEMORY;
    pthread_mutex_lock(&staged->lock);
    struct user_entry *user = find_user(staged, id);
    if (user == NULL)
        user = add_user(staged, id, address);
    if (user != NULL)
        entry = enter(staged, user, per_user, all, evicted);
    pthread_mutex_unlock(&staged->lock);
    return entry;
}

uint64_t ks_staged_number(struct ks_staged *staged)
{
    return atomic_fetch_add(&staged->numbers, 1) + 1;
}

enum ks_result ks_staged_put(struct ks_staged *staged, const struct ks_staged_upload *upload,
                             struct ks_staged_upload *replaced, bool *has_replaced)
{
    struct waiting_upload *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return KS_NO_MEMORY;
    entry->upload = *upload;
    struct name_key key = key_of(&upload->id, upload->name, upload->name_size);
    pthread_mutex_lock(&staged->lock);
    struct user_entry *user = find_user(staged, &upload->id); /* it is counted, so it is there */
    struct name_entry *name = user != NULL ? find_or_add_name(staged, &key) : NULL;
    if (name == NULL) {
        pthread_mutex_unlock(&staged->lock);
        free(entry);
        return KS_NO_MEMORY;
    }
    struct waiting_upload *previous = entry_of_owner(name, upload->owner);
    if (upload->has_files)
        prove(staged, user);
    add_entry(staged, name, user, entry);
    *has_replaced = previous != NULL;
    if (previous != NULL)
        *replaced = take_out(staged, previous->upload.number > upload->number ? entry : previous);
    pthread_mutex_unlock(&staged->lock);
    return KS_OK;
}

bool ks_staged_take(struct ks_staged *staged, const struct ks_client_id *id, const char *name,
                    size_t name_size, uint64_t owner, struct ks_staged_upload *upload)
{
    struct name_key key = key_of(id, name, name_size);
    pthread_mutex_lock(&staged->lock);
    struct name_entry *found = find_named(staged, &key);
    if (found != NULL) {
        struct waiting_upload *own = entry_of_owner(found, owner);
        *upload = take_out(staged, own != NULL ? own : found->newest);
    }
    pthread_mutex_unlock(&staged->lock);
    return found != NULL;
}

void ks_staged_confirmed(struct ks_staged *staged, const struct ks_client_id *id)
{
    pthread_mutex_lock(&staged->lock);
    struct user_entry *user = find_user(staged, id);
    if (user != NULL)
        prove(staged, user);
    pthread_mutex_unlock(&staged->lock);
}

static bool is_older(const struct waiting_upload *entry, uint64_t now_ms, uint64_t age_ms)
{
    return entry != NULL && now_ms > entry->upload.completed_ms &&
           now_ms - entry->upload.completed_ms > age_ms;
}

bool ks_staged_take_stale(struct ks_staged *staged, uint64_t now_ms, uint64_t lifetime_ms, unsigned all,
                          struct ks_staged_upload *upload)
{
    pthread_mutex_lock(&staged->lock);
    struct waiting_upload *stale = NULL;
    if (is_older(staged->oldest, now_ms, lifetime_ms))
        stale = staged->oldest;
    else if (staged->count > all / 2 && is_older(staged->oldest_unproven, now_ms, KS_STAGED_UNPROVEN_MS))
        stale = staged->oldest_unproven;
    if (stale != NULL)
        *upload = take_out(staged, stale);
    pthread_mutex_unlock(&staged->lock);
    return stale != NULL;
}

bool ks_staged_take_of(struct ks_staged *staged, const struct ks_client_id *id,
                       struct ks_staged_upload *upload)
{
    pthread_mutex_lock(&staged->lock);
    const struct user_entry *user = find_user(staged, id);
    bool found = user != NULL && user->oldest != NULL;
    if (found)
        *upload = take_out(staged, user->oldest);
    pthread_mutex_unlock(&staged->lock);
    return found;
}

void ks_staged_free(struct ks_staged *staged)
{
    if (staged == NULL)
        return;
    while (staged->oldest != NULL) {
        struct ks_staged_upload upload = take_out(staged, staged->oldest);
        ks_content_key_release(upload.key);
    }
    ks_ranking_free(&staged->ranking);
    pthread_mutex_destroy(&staged->lock);
    free(staged);
}
