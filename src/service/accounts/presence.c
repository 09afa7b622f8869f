/* presence.c — see presence.h. A uthash table of accounts, with a list of attendances for each.
 *
 * An attendance is cut with a task of its own, which may still be on its way when the connection leaves: then
 * the task frees it.
 */
#include "service/accounts/presence.h"

/* gcc's analyser does not see that what HASH_ADD added belongs to the table. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A table that cannot grow tells so: hh.tbl is NULL then. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

struct ks_attendance {
    struct ks_attendance *previous, *next; /* of the same account; under the lock */
    struct ks_presence *presence;
    struct attended *attended; /* under the lock */
    uint8_t key[KS_ACCOUNT_KEY_SIZE];
    struct ks_executor *executor;
    struct ks_task task; /* that cuts it */
    bool is_cut;         /* the task is posted, or has run; under the lock */
    /* The loop's. */
    bool has_run;
    bool has_left;
    void (*cut)(void *owner);
    void *owner;
};

/* An account with connections. */
struct attended {
    UT_hash_handle hh;
    struct ks_client_id id;
    struct ks_attendance *first;
    unsigned count;
};

struct ks_presence {
    pthread_mutex_t lock;
    struct attended *accounts;
    size_t count; /* of attendances */
};

enum ks_result ks_presence_new(struct ks_presence **presence)
{
    struct ks_presence *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    pthread_mutex_init(&created->lock, NULL);
    *presence = created;
    return KS_OK;
}

void ks_presence_free(struct ks_presence *presence)
{
    if (presence == NULL)
        return;
    pthread_mutex_destroy(&presence->lock);
    free(presence);
}

/* ---- coming and going ---- */

/* Under the lock; NULL for nobody. */
static struct attended *find_attended(struct ks_presence *presence, const struct ks_client_id *id)
{
    struct attended *found = NULL;
    HASH_FIND(hh, presence->accounts, id, sizeof *id, found);
    return found;
}

/* Under the lock. The account, which may be new; NULL when out of memory. */
static struct attended *have_attended(struct ks_presence *presence, const struct ks_client_id *id)
{
    struct attended *found = find_attended(presence, id);
    if (found != NULL)
        return found;
    found = calloc(1, sizeof *found);
    if (found == NULL)
        return NULL;
    found->id = *id;
    HASH_ADD(hh, presence->accounts, id, sizeof found->id, found);
    if (found->hh.tbl != NULL)
        return found;
    free(found);
    return NULL;
}

/* Under the lock. */
static enum ks_result enter(struct ks_presence *presence, const struct ks_client_id *id, unsigned limit,
                            struct ks_attendance *attendance)
{
    struct attended *attended = have_attended(presence, id);
    if (attended == NULL)
        return KS_NO_MEMORY;
    if (limit != 0 && attended->count >= limit)
        return KS_REFUSED;
    attendance->attended = attended;
    DL_APPEND2(attended->first, attendance, previous, next);
    attended->count++;
    presence->count++;
    return KS_OK;
}

static void run_cut(struct ks_task *task)
{
    struct ks_attendance *attendance = KS_CONTAINER_OF(task, struct ks_attendance, task);
    attendance->has_run = true;
    if (attendance->has_left)
        free(attendance);
    else if (attendance->cut != NULL)
        attendance->cut(attendance->owner);
}

enum ks_result ks_presence_enter(struct ks_presence *presence, const struct ks_client_id *id,
                                 const uint8_t key[static KS_ACCOUNT_KEY_SIZE], unsigned limit,
                                 struct ks_executor *executor, struct ks_attendance **attendance)
{
    struct ks_attendance *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    created->presence = presence;
    created->executor = executor;
    created->task.run = run_cut;
    memcpy(created->key, key, sizeof created->key);
    pthread_mutex_lock(&presence->lock);
    enum ks_result result = enter(presence, id, limit, created);
    pthread_mutex_unlock(&presence->lock);
    if (result != KS_OK) {
        free(created);
        return result;
    }
    *attendance = created;
    return KS_OK;
}

bool ks_attendance_set_owner(struct ks_attendance *attendance, void (*cut)(void *owner), void *owner)
{
    attendance->cut = cut;
    attendance->owner = owner;
    return !attendance->has_run;
}

/* Under the lock. */
static void take_off(struct ks_attendance *attendance)
{
    struct ks_presence *presence = attendance->presence;
    struct attended *attended = attendance->attended;
    DL_DELETE2(attended->first, attendance, previous, next);
    presence->count--;
    if (--attended->count > 0)
        return;
    HASH_DEL(presence->accounts, attended);
    free(attended);
}

void ks_presence_leave(struct ks_attendance *attendance)
{
    if (attendance == NULL)
        return;
    struct ks_presence *presence = attendance->presence;
    pthread_mutex_lock(&presence->lock);
    take_off(attendance);
    bool is_cut = attendance->is_cut;
    pthread_mutex_unlock(&presence->lock);
    attendance->has_left = true;
    if (!is_cut || attendance->has_run)
        free(attendance);
}

/* ---- cutting ---- */

/* Under the lock. */
static void cut(struct ks_attendance *attendance)
{
    if (attendance->is_cut)
        return;
    attendance->is_cut = true;
    ks_executor_post(attendance->executor, &attendance->task);
}

/* All of the account but `except`, and those with `key`; NULL: but none. */
static void cut_all(struct ks_presence *presence, const struct ks_client_id *id,
                    const struct ks_attendance *except, const uint8_t *key)
{
    pthread_mutex_lock(&presence->lock);
    const struct attended *attended = find_attended(presence, id);
    struct ks_attendance *attendance = attended != NULL ? attended->first : NULL;
    for (; attendance != NULL; attendance = attendance->next)
        if (attendance != except && (key == NULL || memcmp(attendance->key, key, KS_ACCOUNT_KEY_SIZE) != 0))
            cut(attendance);
    pthread_mutex_unlock(&presence->lock);
}

void ks_presence_cut(struct ks_presence *presence, const struct ks_client_id *id,
                     const struct ks_attendance *except)
{
    cut_all(presence, id, except, NULL);
}

void ks_presence_cut_others(struct ks_presence *presence, const struct ks_client_id *id,
                            const uint8_t key[static KS_ACCOUNT_KEY_SIZE])
{
    cut_all(presence, id, NULL, key);
}

size_t ks_presence_count(struct ks_presence *presence)
{
    pthread_mutex_lock(&presence->lock);
    size_t count = presence->count;
    pthread_mutex_unlock(&presence->lock);
    return count;
}
