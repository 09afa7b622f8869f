/* removal.h — messages that were delivered, or whose receiver is no more, leave the disk: rows in pieces, so
 * that a huge part does not keep the writer from committing, then the files of large contents, after the
 * commit. On the writer's thread.
 *
 * What cannot be deleted stays noted in the inboxes (inboxes.h) and is tried again, at last every minute.
 */
#ifndef KS_STORE_SQLITE_REMOVAL_H
#define KS_STORE_SQLITE_REMOVAL_H

#include "base/retry.h"
#include "store/store.h"

struct ks_engine;
struct ks_removed_files;

enum { KS_REMOVED_FILES = 64 }; /* files that go in one go; others have their turn between */

struct ks_removal {
    size_t rows; /* deleted in this batch */
    uint64_t bytes;
    struct ks_removed_files *files; /* of the rows deleted in this batch */
    struct ks_retry retry;          /* of deleting what is undeleted */
};

/* Any thread: deletes the rows of a part that ks_inboxes_delivered took out, ends the removal, answers. */
void ks_removal_delivered(struct ks_engine *engine, struct ks_store_lease_delivered *request);

/* The writer's thread, inside the batch: deletes a piece of a receiver's messages with ids above `after`
 * and up to another one. KS_OK when no row is left; KS_MORE when there are others, for another batch;
 * KS_NO_MEMORY; else the batch has failed. */
enum ks_result ks_removal_piece(struct ks_engine *engine, const struct ks_client_id *receiver, uint64_t after,
                                uint64_t up_to);

/* The same, when the batch is over: the files of what was deleted go, if it is committed. */
void ks_removal_batch_over(struct ks_engine *engine, bool committed);

/* About once a second, between batches: deletes some of what is undeleted. */
void ks_removal_tick(struct ks_engine *engine);

#endif
