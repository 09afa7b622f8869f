/* filing.c — see filing.h. */
#include "store/embedded/writer/filing.h"

#include "store/embedded/disk/sums.h"
#include "store/embedded/engine.h"
#include "store/reply.h"

#include <errno.h>
#include <string.h>

enum {
    PIECE = 4096,       /* messages that wait to be filed; some ten milliseconds of the writer's time */
    TAKEN_IN_A_GO = 64, /* messages from the journal, at least, when they must be taken */
    JOURNALLED_LIMIT = 128 * 1024, /* bytes of a batch: with more, the database's way costs no more */
    FEW = 4,                       /* messages of a batch: fewer gain nothing from the journal … */
    FEW_BYTES = 64 * 1024,         /* … unless the journal has more than that */
    LOAD = 64,                     /* messages without a quiet moment: fewer are no load */
    QUIET_MS = 20,                 /* nothing was appended for so long: a moment to insert what there is */
    REOPEN_MS = 60 * 1000,         /* after the journal has failed */
};

/* ---- rows ---- */

/* No constraint can be broken in a sound database. */
static enum ks_result run_without_conflict(struct ks_engine *engine, struct ks_query *query)
{
    enum ks_result result = ks_query_run(query);
    return ks_database_writer_check(engine, result == KS_EXISTS ? KS_IO : result);
}

static uint32_t sum_of(const struct ks_journal_record *record)
{
    bool has_place = record->place != NULL;
    return ks_sums_of_row(&(struct ks_sums_row){
        .message_id = record->message_id,
        .receiver = &record->receiver,
        .sender = &record->sender,
        .type = record->type,
        .content_size = record->content_size,
        .bytes = has_place ? (const void *)record->place : record->content,
        .size = has_place ? strlen(record->place) : record->content_size,
    });
}

static void bind_row(struct ks_query *query, const struct ks_journal_record *record)
{
    ks_query_integer(query, (int64_t)record->message_id);
    ks_query_blob(query, record->receiver.bytes, sizeof record->receiver.bytes);
    ks_query_blob(query, record->sender.bytes, sizeof record->sender.bytes);
    ks_query_integer(query, record->type);
    ks_query_integer(query, record->content_size);
    if (record->place != NULL) {
        ks_query_text(query, record->place, strlen(record->place));
        ks_query_null(query);
    } else {
        ks_query_null(query);
        /* No bytes are an empty blob, a null pointer would be NULL. */
        ks_query_blob(query, record->content_size > 0 ? record->content : (const void *)"",
                      record->content_size);
    }
    ks_query_integer(query, sum_of(record));
}

/* One row, or KS_INSERTED_TOGETHER. */
static enum ks_result insert_rows(struct ks_engine *engine, const struct ks_journal_record *records,
                                  size_t count)
{
    struct ks_query query = ks_database_writer_query(
        engine, count == 1 ? KS_STATEMENT_INSERT_MESSAGE : KS_STATEMENT_INSERT_MESSAGES_TOGETHER);
    for (size_t i = 0; i < count; i++)
        bind_row(&query, &records[i]);
    enum ks_result result = run_without_conflict(engine, &query);
    if (result == KS_OK)
        engine->filing.inserted = records[count - 1].message_id;
    return result;
}

/* Many rows by one statement cost less than half of what they cost one by one. */
static enum ks_result insert_group(struct ks_engine *engine, const struct ks_journal_record *records,
                                   size_t count)
{
    if (count == KS_INSERTED_TOGETHER)
        return insert_rows(engine, records, count);
    enum ks_result result = KS_OK;
    for (size_t i = 0; i < count && result == KS_OK; i++)
        result = insert_rows(engine, &records[i], 1);
    return result;
}

static struct ks_journal_record record_of(const struct ks_store_append_message *request)
{
    return (struct ks_journal_record){
        .message_id = request->message_id,
        .receiver = request->receiver,
        .sender = request->sender,
        .type = request->type,
        .content_size = request->content_size,
        .place = request->place,
        .content = request->content,
    };
}

/* The next messages of the journal. */
static size_t take_group(struct ks_filing *filing, struct ks_journal_record *records, size_t limit)
{
    size_t count = 0;
    while (count < limit && ks_journal_take(&filing->journal, &records[count]))
        count++;
    return count;
}

/* Inserts at most `limit` messages of the journal. */
static enum ks_result insert_journalled(struct ks_engine *engine, size_t limit)
{
    struct ks_journal_record records[KS_INSERTED_TOGETHER] = {0};
    enum ks_result result = KS_OK;
    size_t count = 1;
    while (result == KS_OK && limit > 0 && count > 0) {
        count =
            take_group(&engine->filing, records, limit < KS_INSERTED_TOGETHER ? limit : KS_INSERTED_TOGETHER);
        result = insert_group(engine, records, count);
        limit -= count;
    }
    return result;
}

static void forget_appended(struct ks_filing *filing)
{
    filing->first = NULL;
    filing->last = NULL;
    filing->size = 0;
}

/* Inserts what this batch has appended so far, behind all that is journalled. */
static enum ks_result insert_appended(struct ks_engine *engine)
{
    struct ks_filing *filing = &engine->filing;
    enum ks_result result = ks_database_writer_begin(engine);
    if (result == KS_OK)
        result = insert_journalled(engine, SIZE_MAX);
    const struct ks_store_append_message *next = filing->first;
    while (next != NULL && result == KS_OK) {
        struct ks_journal_record records[KS_INSERTED_TOGETHER] = {0};
        size_t count = 0;
        for (; next != NULL && count < KS_INSERTED_TOGETHER; next = next->next)
            records[count++] = record_of(next);
        result = insert_group(engine, records, count);
    }
    forget_appended(filing);
    return result;
}

/* ---- filing ---- */

/* Files what was inserted and is not filed, in the transaction that is open. */
static enum ks_result file_inserted(struct ks_engine *engine)
{
    struct ks_filing *filing = &engine->filing;
    const uint64_t last = filing->inserted;
    struct ks_query query = ks_database_writer_query(engine, KS_STATEMENT_FILE_MESSAGES);
    ks_query_integer(&query, (int64_t)filing->in_transaction);
    ks_query_integer(&query, (int64_t)last);
    enum ks_result result = run_without_conflict(engine, &query);
    if (result != KS_OK)
        return result;
    query = ks_database_writer_query(engine, KS_STATEMENT_SET_FILED);
    ks_query_integer(&query, (int64_t)last);
    result = ks_database_writer_check(engine, ks_query_run(&query));
    if (result == KS_OK)
        filing->in_transaction = last;
    return result;
}

enum ks_result ks_filing_reach(struct ks_engine *engine, uint64_t up_to)
{
    struct ks_filing *filing = &engine->filing;
    if (up_to <= atomic_load(&filing->done))
        return KS_OK;
    /* What is filed in a transaction that was left open is seen by others only when this batch commits it. */
    enum ks_result result = ks_database_writer_begin(engine);
    if (result != KS_OK || up_to <= filing->in_transaction)
        return result;
    result = insert_appended(engine);
    return result == KS_OK && filing->inserted > filing->in_transaction ? file_inserted(engine) : result;
}

void ks_filing_transaction_over(struct ks_engine *engine, bool committed)
{
    struct ks_filing *filing = &engine->filing;
    if (committed) {
        atomic_store(&filing->done, filing->in_transaction);
        filing->inserted_before = filing->inserted;
    } else {
        filing->in_transaction = atomic_load(&filing->done);
        filing->inserted = filing->inserted_before;
    }
    ks_journal_released(&filing->journal, committed);
}

/* ---- a batch ---- */

void ks_filing_append(struct ks_engine *engine, struct ks_store_append_message *request)
{
    struct ks_filing *filing = &engine->filing;
    const struct ks_journal_record record = record_of(request);
    request->next = NULL;
    if (filing->first == NULL) {
        filing->first = request;
        filing->count_before = filing->count;
        filing->count = 0;
    } else {
        filing->last->next = request;
    }
    filing->last = request;
    filing->size += ks_journal_record_size(&record);
    filing->count++;
}

/* Who sends a few messages and looks into the database shall find them there. One small batch between large
 * ones is no sign of little to do. */
static bool is_little_to_do(const struct ks_filing *filing)
{
    bool are_few = filing->load < LOAD || (filing->count < FEW && filing->count_before < FEW);
    return are_few && ks_journal_untaken(&filing->journal) <= FEW_BYTES;
}

static void measure_load(struct ks_engine *engine)
{
    struct ks_filing *filing = &engine->filing;
    uint64_t now = ks_clock_monotonic_ms(engine->clock);
    if (now - filing->last_append_ms >= QUIET_MS)
        filing->load = 0;
    filing->load += filing->count;
    filing->last_append_ms = now;
}

/* True when all that this batch has appended is durable in the journal. */
static bool journal_appended(struct ks_engine *engine)
{
    struct ks_filing *filing = &engine->filing;
    if (is_little_to_do(filing) || filing->size > JOURNALLED_LIMIT ||
        !ks_journal_reserve(&filing->journal, filing->size))
        return false;
    for (const struct ks_store_append_message *next = filing->first; next != NULL; next = next->next) {
        const struct ks_journal_record record = record_of(next);
        ks_journal_add(&filing->journal, &record);
    }
    uint64_t began = ks_clock_stopwatch_ns();
    if (ks_journal_commit(&filing->journal) == KS_OK) {
        ks_database_writer_count_commit(engine, began);
        forget_appended(filing);
        return true;
    }
    char text[128];
    ks_log_error(engine->log, "the journal cannot be written, messages go straight to the database: %s",
                 strerror_r(errno, text, sizeof text));
    filing->next_opening_ms = ks_clock_monotonic_ms(engine->clock) + REOPEN_MS;
    return false;
}

void ks_filing_batch(struct ks_engine *engine)
{
    struct ks_filing *filing = &engine->filing;
    struct ks_database_writer *writer = &engine->writer;
    if (writer->failure != KS_OK) {
        forget_appended(filing);
        return;
    }
    if (filing->first != NULL) {
        filing->quiet = false;
        measure_load(engine);
    }
    if (filing->first != NULL && (writer->must_commit || !journal_appended(engine)))
        (void)insert_appended(engine); /* a failure fails the batch, which whoever waits for it is told */
    if (writer->failure == KS_OK && writer->must_commit && filing->inserted - filing->in_transaction >= PIECE)
        (void)file_inserted(engine); /* likewise */
}

/* ---- what the journal has ---- */

/* Ends a transaction of our own. */
static enum ks_result finish(struct ks_engine *engine)
{
    engine->writer.must_commit = true;
    enum ks_result result = ks_database_writer_finish(engine);
    ks_database_writer_forget_failure(engine);
    ks_retry_note(&engine->filing.retry, ks_clock_monotonic_ms(engine->clock), result != KS_OK);
    if (result == KS_OK && !ks_journal_is_pending(&engine->filing.journal))
        ks_journal_mark_empty(&engine->filing.journal);
    return result;
}

/* Inserts and files some messages, in a transaction that may stay open: it is nobody's who waits. */
static enum ks_result take_some(struct ks_engine *engine, size_t count)
{
    enum ks_result result = ks_database_writer_open_transaction(engine);
    if (result == KS_OK)
        result = insert_journalled(engine, count);
    if (result == KS_OK)
        result = file_inserted(engine);
    return result == KS_OK ? KS_OK : finish(engine);
}

static bool may_try(const struct ks_engine *engine)
{
    return ks_retry_is_due(&engine->filing.retry, ks_clock_monotonic_ms(engine->clock));
}

/* Twice as fast as it grows: so a segment is free long before the other one is full. When batches are small
 * again, the journal becomes empty though it is never quiet. */
void ks_filing_batch_over(struct ks_engine *engine)
{
    struct ks_filing *filing = &engine->filing;
    bool is_full = ks_journal_has_full_segment(&filing->journal);
    bool is_behind =
        filing->count < FEW && filing->count_before < FEW && ks_journal_untaken(&filing->journal) > 0;
    if ((!is_full && !is_behind) || !may_try(engine))
        return;
    size_t count = 2 * filing->count > TAKEN_IN_A_GO ? 2 * filing->count : TAKEN_IN_A_GO;
    if (take_some(engine, count) == KS_OK && is_full && !ks_journal_has_full_segment(&filing->journal))
        (void)finish(engine);
}

enum ks_result ks_filing_insert_all(struct ks_engine *engine)
{
    enum ks_result result = KS_OK;
    if (ks_journal_is_pending(&engine->filing.journal))
        result = take_some(engine, SIZE_MAX);
    return result == KS_OK && engine->writer.in_transaction ? finish(engine) : result;
}

uint64_t ks_filing_idle(struct ks_engine *engine)
{
    struct ks_filing *filing = &engine->filing;
    if (!ks_journal_is_pending(&filing->journal))
        return KS_THREAD_UNTIL_POSTED;
    if (!may_try(engine))
        return KS_RETRY_FIRST_MS;
    if (!filing->quiet) {
        filing->quiet = true;
        return QUIET_MS;
    }
    if (ks_journal_untaken(&filing->journal) == 0)
        return finish(engine) == KS_OK ? KS_THREAD_UNTIL_POSTED : KS_RETRY_FIRST_MS;
    return take_some(engine, TAKEN_IN_A_GO) == KS_OK ? 0 : KS_RETRY_FIRST_MS;
}

/* Opens the file. What has an id that was given out is in the database, or nobody was told that it is kept:
 * whoever sent that may have sent it again. So at a start it is the database that tells `known`. */
static enum ks_result open_journal(struct ks_engine *engine, uint64_t known,
                                   struct ks_journal_findings *findings, char *why, size_t why_size)
{
    const struct ks_journal_options options = {
        .directory_fd = engine->directory_fd,
        .clock = engine->clock,
        .random = engine->random,
        .in_database = known,
    };
    return ks_journal_open(&engine->filing.journal, &options, findings, why, why_size);
}

/* Nothing is pending: from now on, messages may be journalled. */
static void begin_journal(struct ks_engine *engine)
{
    struct ks_filing *filing = &engine->filing;
    char text[128];
    if (!ks_journal_is_open(&filing->journal) || ks_journal_begin(&filing->journal) == KS_OK)
        return;
    ks_log_warning(engine->log, "the journal cannot be written, messages go straight to the database: %s",
                   strerror_r(errno, text, sizeof text));
    filing->next_opening_ms = ks_clock_monotonic_ms(engine->clock) + REOPEN_MS;
}

void ks_filing_tick(struct ks_engine *engine)
{
    struct ks_filing *filing = &engine->filing;
    struct ks_journal_findings findings;
    char why[256];
    if (ks_journal_is_open(&filing->journal) ||
        ks_clock_monotonic_ms(engine->clock) < filing->next_opening_ms)
        return;
    filing->next_opening_ms = ks_clock_monotonic_ms(engine->clock) + REOPEN_MS;
    if (ks_filing_insert_all(engine) != KS_OK ||
        open_journal(engine, engine->writer.last_message_id, &findings, why, sizeof why) != KS_OK)
        return; /* the log has what failed first */
    begin_journal(engine);
    if (ks_journal_is_open(&filing->journal))
        ks_log_notice(engine->log, "the journal is open again");
}

/* ---- start and stop ---- */

static enum ks_result read_last_message_id(struct ks_engine *engine)
{
    int64_t last = 0;
    enum ks_result result = ks_database_read_integer(
        engine->writer.database, "SELECT seq FROM sqlite_sequence WHERE name='messages'", &last);
    if (result == KS_OK && last < 0)
        return KS_INVALID;
    engine->writer.last_message_id = (uint64_t)last;
    engine->filing.inserted = (uint64_t)last;
    engine->filing.inserted_before = (uint64_t)last;
    return result == KS_NOT_FOUND ? KS_OK : result; /* there never was one */
}

static void tell_findings(const struct ks_engine *engine, const struct ks_journal_findings *findings)
{
    if (findings->damaged > 0)
        ks_log_error(engine->log,
                     "the journal was damaged: %zu bytes of messages that had been stored cannot be read, and"
                     " are in %s; the messages behind them are not lost",
                     findings->damaged, findings->name);
    if (findings->left_out > 0)
        ks_log_warning(engine->log,
                       "the journal ends in a write that was cut short: %zu messages behind the gap, which"
                       " nobody was told are stored, are left out",
                       findings->left_out);
}

/* What a crash has left in the journal becomes rows, which ks_filing_start files. Ids go on behind all that
 * the journal could have held: what could not be read, had ids, too. */
static enum ks_result recover_journalled(struct ks_engine *engine)
{
    struct ks_filing *filing = &engine->filing;
    enum ks_result result = ks_database_writer_begin(engine);
    if (result == KS_OK)
        result = insert_journalled(engine, SIZE_MAX);
    enum ks_result finished = finish(engine);
    if (result != KS_OK || finished != KS_OK)
        return result != KS_OK ? result : finished;
    if (filing->inserted > engine->writer.last_message_id)
        ks_log_notice(engine->log, "took the latest messages from the journal into the database");
    filing->inserted += KS_JOURNAL_RECORD_LIMIT;
    filing->inserted_before = filing->inserted;
    engine->writer.last_message_id = filing->inserted;
    return KS_OK;
}

enum ks_result ks_filing_recover(struct ks_engine *engine, char *why, size_t why_size)
{
    struct ks_filing *filing = &engine->filing;
    struct ks_journal_findings findings;
    enum ks_result result = read_last_message_id(engine);
    if (result != KS_OK)
        return result;
    result = open_journal(engine, filing->inserted, &findings, why, why_size);
    if (result == KS_OK) {
        bool is_clean =
            !ks_journal_is_pending(&filing->journal) && findings.damaged == 0 && findings.left_out == 0;
        tell_findings(engine, &findings);
        return is_clean ? KS_OK : recover_journalled(engine);
    }
    if (result != KS_NO_SPACE)
        return result;
    ks_log_warning(engine->log, "%s; messages go straight to the database", why);
    filing->next_opening_ms = ks_clock_monotonic_ms(engine->clock) + REOPEN_MS;
    why[0] = '\0';
    return KS_OK;
}

enum ks_result ks_filing_start(struct ks_engine *engine)
{
    struct ks_filing *filing = &engine->filing;
    int64_t filed = 0;
    enum ks_result result = ks_database_read_integer(
        engine->writer.database, "SELECT Value FROM settings WHERE Name='messages filed'", &filed);
    if (result != KS_OK)
        return result == KS_NOT_FOUND ? KS_IO : result;
    /* Ids of messages that were never committed may have been filed over: they are not given out again, or a
     * new message would count as filed, and nobody would find it. */
    if (engine->writer.last_message_id < (uint64_t)filed)
        engine->writer.last_message_id = (uint64_t)filed;
    if (filing->inserted < (uint64_t)filed)
        filing->inserted = filing->inserted_before = (uint64_t)filed;
    filing->in_transaction = (uint64_t)filed;
    atomic_store(&filing->done, (uint64_t)filed);
    if (filing->inserted > filing->in_transaction && ks_database_writer_begin(engine) == KS_OK)
        (void)file_inserted(engine); /* what fails is told below */
    result = ks_database_writer_finish(engine);
    ks_database_writer_forget_failure(engine);
    if (result == KS_OK)
        begin_journal(engine);
    return result;
}

void ks_filing_stop(struct ks_engine *engine)
{
    (void)ks_filing_insert_all(engine); /* what fails stays in the journal for the next start */
    ks_journal_close(&engine->filing.journal);
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
    if (engine->writer.failure == KS_NO_SPACE && ks_reserve_give_up(&engine->reserve))
        ks_filing_before_lease(engine, request);
    else if (engine->writer.failure != KS_OK)
        ks_reply_post(&request->request, engine->writer.failure);
    else
        ks_messages_lease_filed(engine, request);
}

static void apply(struct ks_task *task)
{
    struct ks_engine *engine = ks_engine_of(lease_of(task)->request.store);
    (void)ks_filing_reach(engine, engine->writer.last_message_id);
    ks_database_writer_settle_later(engine, task, settle);
}

void ks_filing_before_lease(struct ks_engine *engine, struct ks_store_lease_waiting *request)
{
    request->count = 0;
    request->size = 0;
    request->request.task.run = apply;
    ks_database_writer_post(engine, &request->request.task);
}
