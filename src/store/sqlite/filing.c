/* filing.c — see filing.h. */
#include "store/sqlite/filing.h"

#include "store/reply.h"
#include "store/sqlite/engine.h"

enum { PIECE = 4096 }; /* messages; some ten milliseconds of the writer's time */

/* Files what was inserted and is not filed. */
static enum ks_result file_all(struct ks_engine *engine)
{
    struct ks_filing *filing = &engine->filing;
    const uint64_t last = engine->writer.last_message_id;
    enum ks_result result = ks_writer_begin(engine);
    if (result != KS_OK)
        return result;
    struct ks_query query = ks_writer_query(engine, KS_STATEMENT_FILE_MESSAGES);
    ks_query_integer(&query, (int64_t)filing->in_transaction);
    ks_query_integer(&query, (int64_t)last);
    result = ks_writer_check(engine, ks_query_run(&query));
    if (result != KS_OK)
        return result == KS_EXISTS ? KS_IO : result; /* no constraint can be broken in a sound database */
    query = ks_writer_query(engine, KS_STATEMENT_SET_FILED);
    ks_query_integer(&query, (int64_t)last);
    result = ks_writer_check(engine, ks_query_run(&query));
    if (result == KS_OK)
        filing->in_transaction = last;
    return result;
}

enum ks_result ks_filing_reach(struct ks_engine *engine, uint64_t up_to)
{
    return up_to > engine->filing.in_transaction ? file_all(engine) : KS_OK;
}

void ks_filing_batch(struct ks_engine *engine)
{
    if (engine->writer.failure == KS_OK && engine->writer.in_transaction &&
        engine->writer.last_message_id - engine->filing.in_transaction >= PIECE)
        (void)file_all(engine); /* a failure fails the batch, which whoever waits for it is told */
}

void ks_filing_transaction_over(struct ks_engine *engine, bool committed)
{
    struct ks_filing *filing = &engine->filing;
    if (committed)
        atomic_store(&filing->done, filing->in_transaction);
    else
        filing->in_transaction = atomic_load(&filing->done);
}

enum ks_result ks_filing_start(struct ks_engine *engine)
{
    int64_t filed = 0;
    enum ks_result result = ks_database_read_integer(
        engine->writer.database, "SELECT Value FROM settings WHERE Name='messages filed'", &filed);
    if (result != KS_OK)
        return result == KS_NOT_FOUND ? KS_IO : result;
    /* Ids of messages that were never committed may have been filed over: they are not given out again, or a
     * new message would count as filed, and nobody would find it. */
    if (engine->writer.last_message_id < (uint64_t)filed)
        engine->writer.last_message_id = (uint64_t)filed;
    engine->filing.in_transaction = (uint64_t)filed;
    atomic_store(&engine->filing.done, (uint64_t)filed);
    (void)ks_filing_reach(engine, engine->writer.last_message_id);
    result = ks_writer_finish(engine);
    ks_writer_forget_failure(engine);
    return result;
}

/* ---- before a lease ---- */

static struct ks_store_lease_waiting *lease_of(struct ks_task *task)
{
    return KS_CONTAINER_OF(task, struct ks_store_lease_waiting, request.task);
}

/* What waits is what has settled before, and that was filed: so nothing else can be leased here. */
static void settle(struct ks_task *task)
{
    struct ks_store_lease_waiting *request = lease_of(task);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    if (engine->writer.failure != KS_OK)
        ks_reply_post(&request->request, engine->writer.failure);
    else
        ks_messages_lease_filed(engine, request);
}

static void apply(struct ks_task *task)
{
    struct ks_engine *engine = ks_engine_of(lease_of(task)->request.store);
    (void)ks_filing_reach(engine, engine->writer.last_message_id);
    ks_writer_settle_later(engine, task, settle);
}

void ks_filing_before_lease(struct ks_engine *engine, struct ks_store_lease_waiting *request)
{
    request->count = 0;
    request->size = 0;
    request->request.task.run = apply;
    ks_writer_post(engine, &request->request.task);
}
