/* departures.h — users that an operator removes. In this order, so that a crash leaves either the whole user
 * or a removal that goes on at the next start: the vault's stage thread fails its stages; the writer takes
 * its row out and notes its id in `removals`, in one commit: from then on it is gone; then deletes the rows
 * of its files and of what waits for it, in pieces; the reaper removes its directory from files/, in pieces,
 * and answers. That is the order in which the threads stop (engine.c), so nobody posts to a thread that is
 * gone.
 *
 * What is noted in `removals` is not adopted. The note stays until the next start: an upload that had begun
 * may put a file there for a moment. What could not be deleted, and what an earlier server has left, waits in
 * a list, and is tried again by the writer's tick.
 */
#ifndef KS_STORE_EMBEDDED_DEPARTURES_H
#define KS_STORE_EMBEDDED_DEPARTURES_H

#include "store/store.h"

#include <pthread.h>

struct ks_engine;
struct ks_departure;

struct ks_departures {
    pthread_mutex_t lock;     /* of both lists */
    struct ks_departure *all; /* that are not over */
    struct ks_departure *waiting;
    uint64_t retry_at_ms; /* the writer's */
};

void ks_departures_init(struct ks_departures *departures);

/* Frees those that wait. After the threads. */
void ks_departures_destroy(struct ks_departures *departures);

/* At the start: what earlier servers have left waits for the first tick. KS_OK, KS_NO_MEMORY, KS_IO. */
enum ks_result ks_departures_load(struct ks_engine *engine);

/* Any thread: removes the user of that name, and answers. */
void ks_departures_begin(struct ks_engine *engine, struct ks_store_remove_user *request);

/* Whether nothing of a removed user's files and messages is left, so that it can come back. The writer's
 * thread. */
bool ks_departures_is_over(struct ks_engine *engine, const struct ks_client_id *id);

/* It has come back, and its note in `removals` is gone, in the batch that is committed: nobody deletes that
 * of a later removal. The writer's thread. */
void ks_departures_forget(struct ks_engine *engine, const struct ks_client_id *id);

/* About once a second, on the writer's thread, between batches. */
void ks_departures_tick(struct ks_engine *engine);

#endif
