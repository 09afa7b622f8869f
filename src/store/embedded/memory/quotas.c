/* quotas.c — see quotas.h. One uthash table under one mutex. */
#include "store/embedded/memory/quotas.h"

#include "store/embedded/memory/id_hash.h"
#include "store/embedded/memory/table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct quota {
    UT_hash_handle hh;
    struct ks_client_id id;
    uint64_t files;
    uint64_t bytes;
};

struct ks_quotas {
    pthread_mutex_t lock; /* of the table */
    struct quota *quotas;
    uint64_t files; /* of all users */
    uint64_t bytes;
    const struct ks_store_limits *limits;
};

struct ks_quotas *ks_quotas_new(const struct ks_store_limits *limits)
{
    struct ks_quotas *quotas = calloc(1, sizeof *quotas);
    if (quotas == NULL)
        return NULL;
    pthread_mutex_init(&quotas->lock, NULL);
    quotas->limits = limits;
    return quotas;
}

void ks_quotas_free(struct ks_quotas *quotas)
{
    if (quotas == NULL)
        return;
    struct quota *quota = quotas->quotas;
    struct quota *next = NULL;
    HASH_CLEAR(hh, quotas->quotas);
    for (; quota != NULL; quota = next) {
        next = quota->hh.next;
        free(quota);
    }
    pthread_mutex_destroy(&quotas->lock);
    free(quotas);
}

/* ---- under the lock ---- */

static struct quota *quota_find(const struct ks_quotas *quotas, const struct ks_client_id *id)
{
    struct quota *quota = NULL;
    HASH_FIND_BYHASHVALUE(hh, quotas->quotas, id->bytes, sizeof id->bytes, ks_id_hash(id), quota);
    return quota;
}

/* The one there is, or a new one; NULL when out of memory. */
static struct quota *quota_get(struct ks_quotas *quotas, const struct ks_client_id *id)
{
    struct quota *quota = quota_find(quotas, id);
    if (quota != NULL)
        return quota;
    quota = calloc(1, sizeof *quota);
    if (quota == NULL)
        return NULL;
    quota->id = *id;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, quotas->quotas, quota->id.bytes, sizeof quota->id.bytes, ks_id_hash(id),
                                quota);
    if (quota->hh.tbl != NULL)
        return quota;
    free(quota);
    return NULL;
}

static void quota_remove(struct ks_quotas *quotas, struct quota *quota)
{
    quotas->files -= quota->files;
    quotas->bytes -= quota->bytes;
    HASH_DELETE(hh, quotas->quotas, quota);
    free(quota);
}

/* A file may have been changed by a stranger's hand meanwhile: then less is taken away than was added. */
static uint64_t less(uint64_t from, uint64_t what)
{
    return from > what ? from - what : 0;
}

static bool passes(uint64_t limit, uint64_t sum)
{
    return limit != 0 && sum > limit;
}

/* The limit that the change would pass, or none. `quota` is NULL for who has no files. */
static enum ks_store_limit judge(const struct ks_quotas *quotas, const struct quota *quota,
                                 const struct ks_quota_change *change)
{
    uint64_t files = quota != NULL ? quota->files : 0;
    uint64_t bytes = quota != NULL ? quota->bytes : 0;
    if (!change->replaces && passes(atomic_load(&quotas->limits->user_files), files + 1))
        return KS_STORE_LIMIT_USER_FILES;
    if (change->after > change->before &&
        passes(atomic_load(&quotas->limits->user_bytes), less(bytes, change->before) + change->after))
        return KS_STORE_LIMIT_USER_BYTES;
    return KS_STORE_LIMIT_NONE;
}

/* The user now has so much, and all of them together as much more or less. */
static void set(struct ks_quotas *quotas, struct quota *quota, uint64_t files, uint64_t bytes)
{
    quotas->files = quotas->files - quota->files + files;
    quotas->bytes = quotas->bytes - quota->bytes + bytes;
    quota->files = files;
    quota->bytes = bytes;
}

static void count(struct ks_quotas *quotas, struct quota *quota, const struct ks_quota_change *change)
{
    set(quotas, quota, quota->files + (change->replaces ? 0 : 1),
        less(quota->bytes, change->before) + change->after);
}

static enum ks_result answer(enum ks_store_limit passed, enum ks_store_limit *limit)
{
    if (limit != NULL)
        *limit = passed;
    return passed == KS_STORE_LIMIT_NONE ? KS_OK : KS_REFUSED;
}

/* ---- for all ---- */

enum ks_result ks_quotas_judge(struct ks_quotas *quotas, const struct ks_client_id *id,
                               const struct ks_quota_change *change, enum ks_store_limit *limit)
{
    pthread_mutex_lock(&quotas->lock);
    enum ks_store_limit passed = judge(quotas, quota_find(quotas, id), change);
    pthread_mutex_unlock(&quotas->lock);
    return answer(passed, limit);
}

enum ks_result ks_quotas_take(struct ks_quotas *quotas, const struct ks_client_id *id,
                              const struct ks_quota_change *change, enum ks_store_limit *limit)
{
    pthread_mutex_lock(&quotas->lock);
    enum ks_result result = answer(judge(quotas, quota_find(quotas, id), change), limit);
    struct quota *quota = result == KS_OK ? quota_get(quotas, id) : NULL;
    if (quota != NULL)
        count(quotas, quota, change);
    else if (result == KS_OK)
        result = KS_NO_MEMORY;
    pthread_mutex_unlock(&quotas->lock);
    return result;
}

void ks_quotas_give_back(struct ks_quotas *quotas, const struct ks_client_id *id,
                         const struct ks_quota_change *change)
{
    pthread_mutex_lock(&quotas->lock);
    struct quota *quota = quota_find(quotas, id);
    if (quota != NULL) {
        set(quotas, quota, less(quota->files, change->replaces ? 0 : 1),
            less(quota->bytes, change->after) + change->before);
        if (quota->files == 0)
            quota_remove(quotas, quota);
    }
    pthread_mutex_unlock(&quotas->lock);
}

enum ks_result ks_quotas_load(struct ks_quotas *quotas, const struct ks_client_id *id, uint64_t size)
{
    const struct ks_quota_change change = {.replaces = false, .before = 0, .after = size};
    pthread_mutex_lock(&quotas->lock);
    struct quota *quota = quota_get(quotas, id);
    if (quota != NULL)
        count(quotas, quota, &change);
    pthread_mutex_unlock(&quotas->lock);
    return quota != NULL ? KS_OK : KS_NO_MEMORY;
}

void ks_quotas_forget(struct ks_quotas *quotas, const struct ks_client_id *id)
{
    pthread_mutex_lock(&quotas->lock);
    struct quota *quota = quota_find(quotas, id);
    if (quota != NULL)
        quota_remove(quotas, quota);
    pthread_mutex_unlock(&quotas->lock);
}

void ks_quotas_sums(struct ks_quotas *quotas, const struct ks_client_id *id, uint64_t *files, uint64_t *bytes)
{
    pthread_mutex_lock(&quotas->lock);
    const struct quota *quota = quota_find(quotas, id);
    *files = quota != NULL ? quota->files : 0;
    *bytes = quota != NULL ? quota->bytes : 0;
    pthread_mutex_unlock(&quotas->lock);
}

size_t ks_quotas_users(struct ks_quotas *quotas)
{
    pthread_mutex_lock(&quotas->lock);
    size_t users = HASH_COUNT(quotas->quotas);
    pthread_mutex_unlock(&quotas->lock);
    return users;
}

void ks_quotas_all(struct ks_quotas *quotas, uint64_t *files, uint64_t *bytes)
{
    pthread_mutex_lock(&quotas->lock);
    *files = quotas->files;
    *bytes = quotas->bytes;
    pthread_mutex_unlock(&quotas->lock);
}
