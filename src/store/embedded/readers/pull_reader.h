/* pull_reader.h — the thread that reads waiting messages (database_reader.h): the parts that are leased, and
 * where a part ends. On the same thread and connection, operators' questions are answered (details.h),
 * senders are counted (counting.h), and it is found out what is damaged (damage.h). Public keys are read by
 * another one (key_reader.h), so they never wait behind a large pull.
 *
 * Files of messages are read here, and never unlinked: the reaper does that (disk/reaper.h).
 */
#ifndef KS_STORE_EMBEDDED_READERS_PULL_READER_H
#define KS_STORE_EMBEDDED_READERS_PULL_READER_H

#include "store/embedded/memory/inboxes.h"
#include "store/embedded/readers/damage.h"
#include "store/embedded/readers/database_reader.h"
#include "store/embedded/writer/filing.h"
#include "store/store.h"

/* Whose statement has which place in the reader. */
enum ks_pull_statement {
    KS_PULL_WALK_SIZES,
    KS_PULL_READ_MESSAGES,
    KS_PULL_DESCRIBE_USER, /* these three are details.c's */
    KS_PULL_DESCRIBE_USERS,
    KS_PULL_SUM_FILES,
    KS_PULL_COUNT_SENDERS, /* counting.c's */
    KS_PULL_STATEMENTS,
};

struct ks_pull_reader {
    struct ks_database_reader reader; /* set as its header says */
    /* Set before the start; outlive the thread. */
    struct ks_inboxes *inboxes;
    const struct ks_filing *filing;
    struct ks_damage *damage;
    const struct ks_log *log;
    int directory_fd; /* the data directory */

    uint8_t *scratch; /* KS_SUMS_PIECE bytes, for contents in files */
};

/* KS_OK; KS_NO_MEMORY, KS_IO. */
enum ks_result ks_pull_reader_start(struct ks_pull_reader *pull_reader);

/* Answers what was asked, ends the thread. Not started is fine. */
void ks_pull_reader_stop(struct ks_pull_reader *pull_reader);

/* Any thread. ks_inboxes_lease has said KS_PENDING, and request->after and `until` say where to look: finds
 * the run that fits, leases it and posts the answer. */
void ks_pull_reader_lease(struct ks_pull_reader *pull_reader, struct ks_store_lease_waiting *request);

/* Any thread: reads, and posts the answer. */
void ks_pull_reader_read(struct ks_pull_reader *pull_reader, struct ks_store_lease_read *request);

#endif
