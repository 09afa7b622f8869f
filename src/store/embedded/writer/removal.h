/* removal.h — messages that were delivered, or whose receiver is no more, leave the disk: rows in pieces, so
 * that a huge part does not keep the writer from committing, then the files of large contents, after the
 * commit. On the writer's thread.
 *
 * What cannot be deleted stays noted in the inboxes (inboxes.h) and is tried again, at last every minute.
 */
#ifndef KS_STORE_EMBEDDED_WRITER_REMOVAL_H
#define KS_STORE_EMBEDDED_WRITER_REMOVAL_H

#include "base/retry.h"
#include "store/embedded/disk/reserve.h"
#include "store/embedded/memory/inboxes.h"
#include "store/embedded/writer/appending.h"

struct ks_removed_files;

enum { KS_REMOVED_FILES = 64 }; /* files that go in one go; others have their turn between */

struct ks_removal {
    /* Set before anything else is called; all of it outlives the removal. */
    struct ks_database_writer *writer;
    struct ks_appending *appending;
    struct ks_inboxes *inboxes;
    struct ks_reserve *reserve;
    struct ks_thread *reaper;
    const struct ks_clock *clock;
    const struct ks_log *log;
    int directory_fd; /* the data directory */

    size_t rows; /* deleted in this batch */
    uint64_t bytes;
    struct ks_removed_files *files; /* of the rows deleted in this batch */
    struct ks_retry retry;          /* of deleting what is undeleted */
};

/* The writer's thread, inside the batch: deletes a piece of a receiver's messages with ids above `after`
 * and up to another one. KS_OK when no row is left; KS_MORE when there are others, for another batch;
 * KS_NO_MEMORY; else the batch has failed. */
enum ks_result ks_removal_piece(struct ks_removal *removal, const struct ks_client_id *receiver,
                                uint64_t after, uint64_t up_to);

/* The same, when the batch is over: the files of what was deleted go, if it is committed. */
void ks_removal_batch_over(struct ks_removal *removal, bool committed);

/* About once a second, between batches: deletes some of what is undeleted. */
void ks_removal_tick(struct ks_removal *removal);

#endif
