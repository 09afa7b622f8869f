/* counting.h — counts whose messages fill an inbox that is more than half full, so that its largest senders
 * are refused first (inboxes.h). A count is begun by the writer when a message needs it, runs on the pull
 * thread, some thousand rows in a go, and is then kept up to date by inboxes.c until messages are taken.
 * Messages that need it wait for it; nobody else does.
 */
#ifndef KS_STORE_EMBEDDED_READERS_COUNTING_H
#define KS_STORE_EMBEDDED_READERS_COUNTING_H

#include "store/embedded/memory/inboxes.h"
#include "store/embedded/readers/database_reader.h"
#include "store/embedded/writer/appending.h"
#include "store/store.h"

#include <pthread.h>

struct ks_count;

struct ks_counting {
    /* Set before anything else is called; all of it outlives the counting. */
    struct ks_database_writer *writer;
    const struct ks_filing *filing;
    struct ks_appending *appending;
    struct ks_inboxes *inboxes;
    struct ks_database_reader *reader; /* the pull reader's */
    /* The writer's thread, inside its batch: a message that has waited for a count goes on. */
    void (*apply)(struct ks_store_append_message *request);

    struct ks_count *counts; /* that are on their way; the writer's */
    pthread_mutex_t lock;
    bool closing; /* the writer is about to stop, or has */
};

void ks_counting_init(struct ks_counting *counting);
void ks_counting_destroy(struct ks_counting *counting);

/* The writer's thread, inside its batch: begins to count what waits for the receiver, if nobody does yet.
 * `request`, NULL for none, goes to counting->apply when it is done. KS_OK; KS_NO_MEMORY. */
enum ks_result ks_counting_begin(struct ks_counting *counting, const struct ks_client_id *receiver,
                                 struct ks_store_append_message *request);

/* The writer's thread: whether messages for the receiver wait for a count. What is sent later waits behind
 * them. */
bool ks_counting_is_awaited(struct ks_counting *counting, const struct ks_client_id *receiver);

/* The writer's thread, inside its batch: those go on without the count, in their order, for one that cannot
 * wait comes behind them; the count is for the next one then. */
void ks_counting_go_on(struct ks_counting *counting, const struct ks_client_id *receiver);

/* Before the writer is stopped: counts that end from now on come too late. */
void ks_counting_close(struct ks_counting *counting);

/* When the writer and the pull thread are stopped: answers what still waits for a count with KS_IO. */
void ks_counting_finish(struct ks_counting *counting);

#endif
