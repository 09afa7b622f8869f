/* filing.c — see filing.h. */
#include "store/embedded/writer/filing.h"

#include "store/embedded/disk/sums.h"

#include <errno.h>
#include <string.h>

enum {
    PIECE = 4096,       /* messages that wait to be indexed; some ten milliseconds of the writer's time */
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
static enum ks_result run_without_conflict(struct ks_filing *filing, struct ks_query *query)
{
    enum ks_result result = ks_query_run(query);
    return ks_database_writer_check(filing->writer, result == KS_EXISTS ? KS_IO : result);
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
static enum ks_result insert_rows(struct ks_filing *filing, const struct ks_journal_record *records,
                                  size_t count)
{
    struct ks_query query = ks_database_writer_query(
        filing->writer, count == 1 ? KS_STATEMENT_INSERT_MESSAGE : KS_STATEMENT_INSERT_MESSAGES_TOGETHER);
    for (size_t i = 0; i < count; i++)
        bind_row(&query, &records[i]);
    enum ks_result result = run_without_conflict(filing, &query);
    if (result == KS_OK)
        filing->inserted = records[count - 1].message_id;
    return result;
}

/* Many rows by one statement cost less than half of what they cost one by one. */
static enum ks_result insert_group(struct ks_filing *filing, const struct ks_journal_record *records,
                                   size_t count)
{
    if (count == KS_INSERTED_TOGETHER)
        return insert_rows(filing, records, count);
    enum ks_result result = KS_OK;
    for (size_t i = 0; i < count && result == KS_OK; i++)
        result = insert_rows(filing, &records[i], 1);
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
static enum ks_result insert_journalled(struct ks_filing *filing, size_t limit)
{
    struct ks_journal_record records[KS_INSERTED_TOGETHER] = {0};
    enum ks_result result = KS_OK;
    size_t count = 1;
    while (result == KS_OK && limit > 0 && count > 0) {
        count = take_group(filing, records, limit < KS_INSERTED_TOGETHER ? limit : KS_INSERTED_TOGETHER);
        result = insert_group(filing, records, count);
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
static enum ks_result insert_appended(struct ks_filing *filing)
{
    enum ks_result result = ks_database_writer_begin(filing->writer);
    if (result == KS_OK)
        result = insert_journalled(filing, SIZE_MAX);
    const struct ks_store_append_message *next = filing->first;
    while (next != NULL && result == KS_OK) {
        struct ks_journal_record records[KS_INSERTED_TOGETHER] = {0};
        size_t count = 0;
        for (; next != NULL && count < KS_INSERTED_TOGETHER; next = next->next)
            records[count++] = record_of(next);
        result = insert_group(filing, records, count);
    }
    forget_appended(filing);
    return result;
}

/* ---- indexing ---- */

/* Indexes what was inserted and is not indexed, in the transaction that is open. */
static enum ks_result index_inserted(struct ks_filing *filing)
{
    const uint64_t last = filing->inserted;
    struct ks_query query = ks_database_writer_query(filing->writer, KS_STATEMENT_INDEX_MESSAGES);
    ks_query_integer(&query, (int64_t)filing->indexed_in_transaction);
    ks_query_integer(&query, (int64_t)last);
    enum ks_result result = run_without_conflict(filing, &query);
    if (result != KS_OK)
        return result;
    query = ks_database_writer_query(filing->writer, KS_STATEMENT_SET_INDEXED);
    ks_query_integer(&query, (int64_t)last);
    result = ks_database_writer_check(filing->writer, ks_query_run(&query));
    if (result == KS_OK)
        filing->indexed_in_transaction = last;
    return result;
}

enum ks_result ks_filing_reach(struct ks_filing *filing, uint64_t up_to)
{
    if (up_to <= atomic_load(&filing->indexed))
        return KS_OK;
    /* What is indexed in a transaction that was left open is seen by others only when this batch commits it.
     */
    enum ks_result result = ks_database_writer_begin(filing->writer);
    if (result != KS_OK || up_to <= filing->indexed_in_transaction)
        return result;
    result = insert_appended(filing);
    return result == KS_OK && filing->inserted > filing->indexed_in_transaction ? index_inserted(filing)
                                                                                : result;
}

void ks_filing_transaction_over(struct ks_filing *filing, bool committed)
{
    if (committed) {
        atomic_store(&filing->indexed, filing->indexed_in_transaction);
        filing->inserted_before = filing->inserted;
    } else {
        filing->indexed_in_transaction = atomic_load(&filing->indexed);
        filing->inserted = filing->inserted_before;
    }
    ks_journal_released(&filing->journal, committed);
}

/* ---- a batch ---- */

void ks_filing_append(struct ks_filing *filing, struct ks_store_append_message *request)
{
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

static void measure_load(struct ks_filing *filing)
{
    uint64_t now = ks_clock_monotonic_ms(filing->clock);
    if (now - filing->last_append_ms >= QUIET_MS)
        filing->load = 0;
    filing->load += filing->count;
    filing->last_append_ms = now;
}

/* True when all that this batch has appended is durable in the journal. */
static bool journal_appended(struct ks_filing *filing)
{
    if (is_little_to_do(filing) || filing->size > JOURNALLED_LIMIT ||
        !ks_journal_reserve(&filing->journal, filing->size))
        return false;
    for (const struct ks_store_append_message *next = filing->first; next != NULL; next = next->next) {
        const struct ks_journal_record record = record_of(next);
        ks_journal_add(&filing->journal, &record);
    }
    uint64_t began = ks_clock_stopwatch_ns();
    if (ks_journal_commit(&filing->journal) == KS_OK) {
        ks_database_writer_count_commit(filing->writer, began);
        forget_appended(filing);
        return true;
    }
    char text[128];
    ks_log_error(filing->log, "the journal cannot be written, messages go straight to the database: %s",
                 strerror_r(errno, text, sizeof text));
    filing->next_opening_ms = ks_clock_monotonic_ms(filing->clock) + REOPEN_MS;
    return false;
}

void ks_filing_batch(struct ks_filing *filing)
{
    const struct ks_database_writer *writer = filing->writer;
    if (writer->failure != KS_OK) {
        forget_appended(filing);
        return;
    }
    if (filing->first != NULL) {
        filing->quiet = false;
        measure_load(filing);
    }
    if (filing->first != NULL && (writer->must_commit || !journal_appended(filing)))
        (void)insert_appended(filing); /* a failure fails the batch, which whoever waits for it is told */
    if (writer->failure == KS_OK && writer->must_commit &&
        filing->inserted - filing->indexed_in_transaction >= PIECE)
        (void)index_inserted(filing); /* likewise */
}

/* ---- what the journal has ---- */

/* Ends a transaction of our own. */
static enum ks_result finish(struct ks_filing *filing)
{
    filing->writer->must_commit = true;
    enum ks_result result = ks_database_writer_finish(filing->writer);
    ks_database_writer_forget_failure(filing->writer);
    ks_retry_note(&filing->retry, ks_clock_monotonic_ms(filing->clock), result != KS_OK);
    if (result == KS_OK && !ks_journal_is_pending(&filing->journal))
        ks_journal_mark_empty(&filing->journal);
    return result;
}

/* Inserts and indexes some messages, in a transaction that may stay open: it is nobody's who waits. */
static enum ks_result take_some(struct ks_filing *filing, size_t count)
{
    enum ks_result result = ks_database_writer_open_transaction(filing->writer);
    if (result == KS_OK)
        result = insert_journalled(filing, count);
    if (result == KS_OK)
        result = index_inserted(filing);
    return result == KS_OK ? KS_OK : finish(filing);
}

static bool may_try(const struct ks_filing *filing)
{
    return ks_retry_is_due(&filing->retry, ks_clock_monotonic_ms(filing->clock));
}

/* Twice as fast as it grows: so a segment is free long before the other one is full. When batches are small
 * again, the journal becomes empty though it is never quiet. */
void ks_filing_batch_over(struct ks_filing *filing)
{
    bool is_full = ks_journal_has_full_segment(&filing->journal);
    bool is_behind =
        filing->count < FEW && filing->count_before < FEW && ks_journal_untaken(&filing->journal) > 0;
    if ((!is_full && !is_behind) || !may_try(filing))
        return;
    size_t count = 2 * filing->count > TAKEN_IN_A_GO ? 2 * filing->count : TAKEN_IN_A_GO;
    if (take_some(filing, count) == KS_OK && is_full && !ks_journal_has_full_segment(&filing->journal))
        (void)finish(filing);
}

enum ks_result ks_filing_insert_all(struct ks_filing *filing)
{
    enum ks_result result = KS_OK;
    if (ks_journal_is_pending(&filing->journal))
        result = take_some(filing, SIZE_MAX);
    return result == KS_OK && filing->writer->in_transaction ? finish(filing) : result;
}

uint64_t ks_filing_idle(struct ks_filing *filing)
{
    if (!ks_journal_is_pending(&filing->journal))
        return KS_THREAD_UNTIL_POSTED;
    if (!may_try(filing))
        return KS_RETRY_FIRST_MS;
    if (!filing->quiet) {
        filing->quiet = true;
        return QUIET_MS;
    }
    if (ks_journal_untaken(&filing->journal) == 0)
        return finish(filing) == KS_OK ? KS_THREAD_UNTIL_POSTED : KS_RETRY_FIRST_MS;
    return take_some(filing, TAKEN_IN_A_GO) == KS_OK ? 0 : KS_RETRY_FIRST_MS;
}

/* Opens the file. What has an id that was given out is in the database, or nobody was told that it is kept:
 * whoever sent that may have sent it again. So at a start it is the database that tells `known`. */
static enum ks_result open_journal(struct ks_filing *filing, uint64_t known,
                                   struct ks_journal_findings *findings, char *why, size_t why_size)
{
    const struct ks_journal_options options = {
        .directory_fd = filing->directory_fd,
        .clock = filing->clock,
        .random = filing->random,
        .in_database = known,
    };
    return ks_journal_open(&filing->journal, &options, findings, why, why_size);
}

/* Nothing is pending: from now on, messages may be journalled. */
static void begin_journal(struct ks_filing *filing)
{
    char text[128];
    if (!ks_journal_is_open(&filing->journal) || ks_journal_begin(&filing->journal) == KS_OK)
        return;
    ks_log_warning(filing->log, "the journal cannot be written, messages go straight to the database: %s",
                   strerror_r(errno, text, sizeof text));
    filing->next_opening_ms = ks_clock_monotonic_ms(filing->clock) + REOPEN_MS;
}

void ks_filing_tick(struct ks_filing *filing)
{
    struct ks_journal_findings findings;
    char why[256];
    if (ks_journal_is_open(&filing->journal) ||
        ks_clock_monotonic_ms(filing->clock) < filing->next_opening_ms)
        return;
    filing->next_opening_ms = ks_clock_monotonic_ms(filing->clock) + REOPEN_MS;
    if (ks_filing_insert_all(filing) != KS_OK ||
        open_journal(filing, filing->last_message_id, &findings, why, sizeof why) != KS_OK)
        return; /* the log has what failed first */
    begin_journal(filing);
    if (ks_journal_is_open(&filing->journal))
        ks_log_notice(filing->log, "the journal is open again");
}

/* ---- start and stop ---- */

static enum ks_result read_last_message_id(struct ks_filing *filing)
{
    int64_t last = 0;
    enum ks_result result = ks_database_read_integer(
        filing->writer->database, "SELECT seq FROM sqlite_sequence WHERE name='messages'", &last);
    if (result == KS_OK && last < 0)
        return KS_INVALID;
    filing->last_message_id = (uint64_t)last;
    filing->inserted = (uint64_t)last;
    filing->inserted_before = (uint64_t)last;
    return result == KS_NOT_FOUND ? KS_OK : result; /* there never was one */
}

static void tell_findings(const struct ks_filing *filing, const struct ks_journal_findings *findings)
{
    if (findings->damaged > 0)
        ks_log_error(filing->log,
                     "the journal was damaged: %zu bytes of messages that had been stored cannot be read, and"
                     " are in %s; the messages behind them are not lost",
                     findings->damaged, findings->name);
    if (findings->left_out > 0)
        ks_log_warning(filing->log,
                       "the journal ends in a write that was cut short: %zu messages behind the gap, which"
                       " nobody was told are stored, are left out",
                       findings->left_out);
}

/* What a crash has left in the journal becomes rows, which ks_filing_start indexes. Ids go on behind all that
 * the journal could have held: what could not be read, had ids, too. */
static enum ks_result recover_journalled(struct ks_filing *filing)
{
    enum ks_result result = ks_database_writer_begin(filing->writer);
    if (result == KS_OK)
        result = insert_journalled(filing, SIZE_MAX);
    enum ks_result finished = finish(filing);
    if (result != KS_OK || finished != KS_OK)
        return result != KS_OK ? result : finished;
    if (filing->inserted > filing->last_message_id)
        ks_log_notice(filing->log, "took the latest messages from the journal into the database");
    filing->inserted += KS_JOURNAL_RECORD_LIMIT;
    filing->inserted_before = filing->inserted;
    filing->last_message_id = filing->inserted;
    return KS_OK;
}

enum ks_result ks_filing_recover(struct ks_filing *filing, char *why, size_t why_size)
{
    struct ks_journal_findings findings;
    enum ks_result result = read_last_message_id(filing);
    if (result != KS_OK)
        return result;
    result = open_journal(filing, filing->inserted, &findings, why, why_size);
    if (result == KS_OK) {
        bool is_clean =
            !ks_journal_is_pending(&filing->journal) && findings.damaged == 0 && findings.left_out == 0;
        tell_findings(filing, &findings);
        return is_clean ? KS_OK : recover_journalled(filing);
    }
    if (result != KS_NO_SPACE)
        return result;
    ks_log_warning(filing->log, "%s; messages go straight to the database", why);
    filing->next_opening_ms = ks_clock_monotonic_ms(filing->clock) + REOPEN_MS;
    why[0] = '\0';
    return KS_OK;
}

enum ks_result ks_filing_start(struct ks_filing *filing)
{
    int64_t indexed = 0;
    enum ks_result result = ks_database_read_integer(
        filing->writer->database, "SELECT Value FROM settings WHERE Name='messages filed'", &indexed);
    if (result != KS_OK)
        return result == KS_NOT_FOUND ? KS_IO : result;
    /* Ids of messages that were never committed may have been indexed over: they are not given out again, or
     * a new message would count as indexed, and nobody would find it. */
    if (filing->last_message_id < (uint64_t)indexed)
        filing->last_message_id = (uint64_t)indexed;
    if (filing->inserted < (uint64_t)indexed)
        filing->inserted = filing->inserted_before = (uint64_t)indexed;
    filing->indexed_in_transaction = (uint64_t)indexed;
    atomic_store(&filing->indexed, (uint64_t)indexed);
    if (filing->inserted > filing->indexed_in_transaction &&
        ks_database_writer_begin(filing->writer) == KS_OK)
        (void)index_inserted(filing); /* what fails is told below */
    result = ks_database_writer_finish(filing->writer);
    ks_database_writer_forget_failure(filing->writer);
    if (result == KS_OK)
        begin_journal(filing);
    return result;
}

void ks_filing_stop(struct ks_filing *filing)
{
    (void)ks_filing_insert_all(filing); /* what fails stays in the journal for the next start */
    ks_journal_close(&filing->journal);
}
