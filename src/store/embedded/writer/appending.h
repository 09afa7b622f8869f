/* appending.h — what becomes of the messages of a batch of the writer: they are durable together when the
 * batch settles. Under load they go to the journal, with one write (journal.h), and become rows later
 * (filing.h, where the whole way is drawn). Few messages become rows at once: who sends one and looks into
 * the database finds it there. So does everything while the journal cannot be written.
 *
 * The writer's thread.
 */
#ifndef KS_STORE_EMBEDDED_WRITER_APPENDING_H
#define KS_STORE_EMBEDDED_WRITER_APPENDING_H

#include "store/embedded/writer/filing.h"
#include "store/store.h"

struct ks_appending {
    /* Set before anything else is called; all of it outlives the appending. */
    struct ks_database_writer *writer;
    struct ks_filing *filing;
    const struct ks_clock *clock;
    const struct ks_log *log;

    struct ks_store_append_message *first; /* of this batch, in the order of ids: not durable */
    struct ks_store_append_message *last;
    size_t size;             /* that they take in the journal */
    size_t count;            /* of them */
    bool are_rows;           /* what the batch has appended is in its transaction, and shares its fate */
    size_t load;             /* messages without a quiet moment … */
    uint64_t last_append_ms; /* … up to this one */
    bool is_quiet;           /* nothing was appended since the thread was idle */
};

/* Inside a batch: this message, whose id is given, is to be durable with it. It lives until the batch is
 * settled. */
void ks_appending_add(struct ks_appending *appending, struct ks_store_append_message *request);

/* Inside a batch: files all that was appended, if messages up to `up_to` are not filed yet; others see it
 * when the batch is committed. KS_OK; else the batch has failed. */
enum ks_result ks_appending_reach(struct ks_appending *appending, uint64_t up_to);

/* At the end of a batch, before its transaction is. */
void ks_appending_batch(struct ks_appending *appending);

/* While the batch settles: KS_OK when what it has appended is durable, else why not. */
enum ks_result ks_appending_result(const struct ks_appending *appending);

/* When it has settled. */
void ks_appending_batch_over(struct ks_appending *appending);

/* When the thread has nothing to do: after a quiet moment, has filed what is journalled. Returns when to be
 * asked again, as the hook of thread.h does. */
uint64_t ks_appending_idle(struct ks_appending *appending);

#endif
