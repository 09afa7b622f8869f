/* staged.c — see staged.h. A uthash table of names, each with the uploads of that name, newest first; and one
 * list of all in the order of completion, for the sweep. A lock around both, held for moments. */
#include "service/staged.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
/* gcc's analyser does not see that a bucket that HASH_ADD made belongs to the table. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* An allocation failure of uthash is reported, not fatal: the element is then not in the table. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct entry {
    struct ks_staged_upload upload;
    struct name_entry *name;
    struct entry *older_of_name;
    struct entry *newer; /* in the list of all */
    struct entry *older;
};

struct name_key {
    struct ks_client_id id;
    char name[KS_TEXT_FIELD_SIZE];
};

struct name_entry {
    struct name_key key;
    struct entry *newest;
    UT_hash_handle hh;
};

struct user_entry {
    struct ks_client_id id;
    unsigned count; /* uploads on their way, and those here */
    UT_hash_handle hh;
};

struct ks_staged {
    pthread_mutex_t lock;
    struct user_entry *users;
    unsigned count; /* of all users */
    struct name_entry *names;
    struct entry *newest;
    struct entry *oldest;
    _Atomic uint64_t owners;
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

uint64_t ks_staged_new_owner(struct ks_staged *staged)
{
    return atomic_fetch_add(&staged->owners, 1) + 1;
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
static struct name_entry *find_name(struct ks_staged *staged, const struct name_key *key)
{
    struct name_entry *found = NULL;
    HASH_FIND(hh, staged->names, key, sizeof *key, found);
    return found;
}

// NOLINTNEXTLINE(readability-function-size): the same
static struct name_entry *find_or_add_name(struct ks_staged *staged, const struct name_key *key)
{
    struct name_entry *name = find_name(staged, key);
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

/* uthash's macros count as statements of the function. NOLINTNEXTLINE(readability-function-size) */
static struct user_entry *find_or_add_user(struct ks_staged *staged, const struct ks_client_id *id)
{
    struct user_entry *user = NULL;
    HASH_FIND(hh, staged->users, id, sizeof *id, user);
    if (user != NULL)
        return user;
    user = calloc(1, sizeof *user);
    if (user == NULL)
        return NULL;
    user->id = *id;
    HASH_ADD(hh, staged->users, id, sizeof user->id, user);
    if (user->hh.tbl == NULL) {
        free(user);
        return NULL;
    }
    return user;
}

static void drop_user_if_empty(struct ks_staged *staged, struct user_entry *user)
{
    if (user->count > 0)
        return;
    HASH_DEL(staged->users, user);
    free(user);
}

static enum ks_staged_entry enter(struct ks_staged *staged, const struct ks_client_id *id, unsigned per_user)
{
    struct user_entry *user = find_or_add_user(staged, id);
    if (user == NULL)
        return KS_STAGED_NO_MEMORY;
    bool has_room = user->count < per_user;
    if (has_room) {
        user->count++;
        staged->count++;
    }
    drop_user_if_empty(staged, user);
    return has_room ? KS_STAGED_ENTERED : KS_STAGED_USER_IS_FULL;
}

enum ks_staged_entry ks_staged_enter(struct ks_staged *staged, const struct ks_client_id *id,
                                     unsigned per_user, unsigned all)
{
    pthread_mutex_lock(&staged->lock);
    enum ks_staged_entry entry = staged->count < all ? enter(staged, id, per_user) : KS_STAGED_IS_FULL;
    pthread_mutex_unlock(&staged->lock);
    return entry;
}

unsigned ks_staged_count(struct ks_staged *staged)
{
    pthread_mutex_lock(&staged->lock);
    unsigned count = staged->count;
    pthread_mutex_unlock(&staged->lock);
    return count;
}

/* Under the lock. NOLINTNEXTLINE(readability-function-size): the same */
static void count_out(struct ks_staged *staged, const struct ks_client_id *id)
{
    struct user_entry *user = NULL;
    HASH_FIND(hh, staged->users, id, sizeof *id, user);
    if (user == NULL)
        return;
    user->count--;
    staged->count--;
    drop_user_if_empty(staged, user);
}

void ks_staged_leave(struct ks_staged *staged, const struct ks_client_id *id)
{
    pthread_mutex_lock(&staged->lock);
    count_out(staged, id);
    pthread_mutex_unlock(&staged->lock);
}

/* Takes the entry out of both lists, frees it, and returns what it held. */
static struct ks_staged_upload remove_entry(struct ks_staged *staged, struct entry *entry)
{
    struct entry **link = &entry->name->newest;
    while (*link != entry)
        link = &(*link)->older_of_name;
    *link = entry->older_of_name;
    *(entry->newer != NULL ? &entry->newer->older : &staged->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &staged->oldest) = entry->newer;
    drop_name_if_empty(staged, entry->name);
    struct ks_staged_upload upload = entry->upload;
    upload.name = NULL;
    count_out(staged, &upload.id);
    free(entry);
    return upload;
}

static struct entry *entry_of_owner(const struct name_entry *name, uint64_t owner)
{
    struct entry *entry = name->newest;
    while (entry != NULL && entry->upload.owner != owner)
        entry = entry->older_of_name;
    return entry;
}

static void add_entry(struct ks_staged *staged, struct name_entry *name, struct entry *entry)
{
    entry->name = name;
    entry->older_of_name = name->newest;
    name->newest = entry;
    entry->older = staged->newest;
    *(staged->newest != NULL ? &staged->newest->newer : &staged->oldest) = entry;
    staged->newest = entry;
}

enum ks_result ks_staged_put(struct ks_staged *staged, const struct ks_staged_upload *upload,
                             struct ks_staged_upload *replaced, bool *has_replaced)
{
    struct entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return KS_NO_MEMORY;
    entry->upload = *upload;
    struct name_key key = key_of(&upload->id, upload->name, upload->name_size);
    pthread_mutex_lock(&staged->lock);
    struct name_entry *name = find_or_add_name(staged, &key);
    if (name == NULL) {
        pthread_mutex_unlock(&staged->lock);
        free(entry);
        return KS_NO_MEMORY;
    }
    struct entry *previous = entry_of_owner(name, upload->owner);
    add_entry(staged, name, entry);
    *has_replaced = previous != NULL;
    if (previous != NULL)
        *replaced = remove_entry(staged, previous);
    pthread_mutex_unlock(&staged->lock);
    return KS_OK;
}

bool ks_staged_take(struct ks_staged *staged, const struct ks_client_id *id, const char *name,
                    size_t name_size, uint64_t owner, struct ks_staged_upload *upload)
{
    struct name_key key = key_of(id, name, name_size);
    pthread_mutex_lock(&staged->lock);
    struct name_entry *found = find_name(staged, &key);
    if (found != NULL) {
        struct entry *own = entry_of_owner(found, owner);
        *upload = remove_entry(staged, own != NULL ? own : found->newest);
    }
    pthread_mutex_unlock(&staged->lock);
    return found != NULL;
}

bool ks_staged_take_older(struct ks_staged *staged, int64_t before, struct ks_staged_upload *upload)
{
    pthread_mutex_lock(&staged->lock);
    bool found = staged->oldest != NULL && staged->oldest->upload.completed_at < before;
    if (found)
        *upload = remove_entry(staged, staged->oldest);
    pthread_mutex_unlock(&staged->lock);
    return found;
}

void ks_staged_free(struct ks_staged *staged)
{
    struct ks_staged_upload upload;
    if (staged == NULL)
        return;
    while (ks_staged_take_older(staged, INT64_MAX, &upload))
        ks_content_key_release(upload.key);
    pthread_mutex_destroy(&staged->lock);
    free(staged);
}
