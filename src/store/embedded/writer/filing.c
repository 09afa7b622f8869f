/* filing.c — see filing.h. */
#include "store/embedded/writer/filing.h"

#include "store/embedded/database/paced_writes.h"
#include "store/embedded/writer/message_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    PIECE = 4096,                /* messages, after which the writer may have the turn: some milliseconds */
    PIECES = 8,                  /* of one transaction: the fewer, the more often each page is written */
    MEASURED = 64 * 1024,        /* bytes of a transaction: fewer tell nothing of what filing costs */
    LAG = 4 * 1024 * 1024,       /* bytes that were not taken: with more, the filer does not keep up … */
    LAG_RANGE = 2 * 1024 * 1024, /* … and with so many more, who appends becomes as slow as it is */
    PAUSE_LIMIT_US = 50 * 1000,
    REOPEN_MS = 60 * 1000, /* after the journal has failed */
    NICE = 10,             /* nobody waits for the filer; who does, has nothing else to do */
};

/* ---- inside a transaction ---- */

/* The next messages of the journal. */
static size_t take_group(struct ks_filing *filing, struct ks_journal_record *records)
{
    size_t count = 0;
    while (count < KS_INSERTED_TOGETHER && ks_journal_take(&filing->journal, &records[count]))
        count++;
    return count;
}

/* The turn is wanted, and it is not the one who has it that wants it. */
static bool gives_way(const struct ks_database_writer *writer)
{
    return !writer->in_a_hurry && ks_write_turn_is_wanted(writer->turn);
}

/* Files at most PIECE messages. KS_OK: all that there are; KS_MORE: perhaps not. */
static enum ks_result file_piece(struct ks_filing *filing, struct ks_database_writer *writer)
{
    struct ks_journal_record records[KS_INSERTED_TOGETHER] = {0};
    uint64_t last = filing->filed_in_transaction;
    enum ks_result result = KS_OK;
    size_t count = 0;
    size_t group = 1;
    while (result == KS_OK && count < PIECE && !gives_way(writer)) {
        group = take_group(filing, records);
        if (group == 0)
            break;
        result = ks_message_rows_insert(writer, records, group);
        last = records[group - 1].message_id;
        count += group;
    }
    if (result == KS_OK && count > 0)
        result = ks_message_rows_index(writer, filing->filed_in_transaction, last);
    if (result == KS_OK)
        ks_filing_note(filing, last);
    return result == KS_OK && group > 0 ? KS_MORE : result;
}

enum ks_result ks_filing_file(struct ks_filing *filing, struct ks_database_writer *writer)
{
    enum ks_result result = KS_MORE;
    while (result == KS_MORE)
        result = file_piece(filing, writer);
    return result;
}

void ks_filing_note(struct ks_filing *filing, uint64_t last)
{
    filing->filed_in_transaction = last;
}

void ks_filing_transaction_over(struct ks_filing *filing, bool committed)
{
    if (committed)
        atomic_store(&filing->filed, filing->filed_in_transaction);
    else
        filing->filed_in_transaction = atomic_load(&filing->filed);
    ks_journal_released(&filing->journal, committed);
}

/* ---- the filer ---- */

/* Ends a transaction of our own. */
static enum ks_result finish(struct ks_database_writer *writer)
{
    enum ks_result result = ks_database_writer_finish(writer);
    ks_database_writer_forget_failure(writer);
    return result;
}

static void measure(struct ks_filing *filing, uint64_t began_ns, uint64_t bytes)
{
    if (bytes >= MEASURED)
        atomic_store(&filing->ns_per_kibibyte, (ks_clock_stopwatch_ns() - began_ns) / (bytes / 1024));
}

/* In one transaction. KS_MORE when there may be more. */
static enum ks_result file_some(struct ks_filing *filing)
{
    struct ks_database_writer *writer = &filing->connection;
    enum ks_result result = ks_database_writer_begin(writer);
    const uint64_t began = ks_clock_stopwatch_ns();
    const uint64_t before = ks_journal_taken(&filing->journal);
    if (result == KS_OK)
        result = KS_MORE;
    for (int i = 0; i < PIECES && result == KS_MORE && !gives_way(writer); i++)
        result = file_piece(filing, writer);
    const uint64_t bytes = ks_journal_taken(&filing->journal) - before;
    enum ks_result finished = finish(writer);
    measure(filing, began, bytes);
    return finished == KS_OK ? result : finished;
}

/* What comes meanwhile would be few in a transaction; the next time they are more. */
void ks_filing_file_journalled(struct ks_filing *filing)
{
    const uint64_t end = ks_journal_end(&filing->journal);
    enum ks_result result = KS_MORE;
    ks_paced_writes_begin();
    while (result == KS_MORE && !ks_journal_is_released(&filing->journal, end))
        result = file_some(filing);
    ks_retry_note(&filing->retry, ks_clock_monotonic_ms(filing->clock), result != KS_OK && result != KS_MORE);
}

static void run_asked(struct ks_task *task)
{
    struct ks_filing *filing = KS_CONTAINER_OF(task, struct ks_filing, task);
    atomic_store(&filing->is_asked, false);
    if (ks_retry_is_due(&filing->retry, ks_clock_monotonic_ms(filing->clock)))
        ks_filing_file_journalled(filing);
    ks_paced_writes_begin();
    if (atomic_exchange(&filing->log_is_long, false))
        ks_database_writer_write_back(&filing->connection);
}

void ks_filing_ask(struct ks_filing *filing)
{
    if (!atomic_exchange(&filing->is_asked, true))
        ks_filing_post(filing, &filing->task);
}

/* Before the filer is there, and after it, what is asked of it is left: the log is written back by who closes
 * the database. */
void ks_filing_write_back_log(struct ks_filing *filing)
{
    atomic_store(&filing->log_is_long, true);
    if (filing->thread != NULL)
        ks_filing_ask(filing);
}

void ks_filing_post(struct ks_filing *filing, struct ks_task *task)
{
    ks_executor_post(ks_thread_executor(filing->thread), task);
}

uint64_t ks_filing_pace(const struct ks_filing *filing, size_t size)
{
    const uint64_t taken = ks_journal_taken(&filing->journal);
    const uint64_t lag = ks_journal_end(&filing->journal) - taken;
    if (lag <= LAG)
        return 0;
    const uint64_t filed_us = size * atomic_load(&filing->ns_per_kibibyte) / (1024 * UINT64_C(1000));
    const uint64_t pause = filed_us * ((lag - LAG) / 1024) / (LAG_RANGE / 1024);
    return pause < PAUSE_LIMIT_US ? pause : PAUSE_LIMIT_US;
}

/* In a hurry to begin, it has the filer cut its transaction short. */
enum ks_result ks_filing_make_room(struct ks_filing *filing)
{
    const uint64_t pending = ks_journal_pending(&filing->journal);
    enum ks_result result = ks_database_writer_begin(filing->writer);
    if (result == KS_OK && ks_journal_pending(&filing->journal) == pending)
        (void)file_piece(filing, filing->writer); /* what fails, fails the transaction */
    return finish(filing->writer);
}

/* ---- opening the journal ---- */

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
    ks_filing_journal_failed(filing);
}

void ks_filing_journal_failed(struct ks_filing *filing)
{
    filing->next_opening_ms = ks_clock_monotonic_ms(filing->clock) + REOPEN_MS;
}

/* With the turn, so that nobody takes from it meanwhile. */
static void open_again(struct ks_filing *filing)
{
    struct ks_journal_findings findings;
    char why[256];
    ks_filing_journal_failed(filing); /* or not, which is told below */
    enum ks_result result = ks_database_writer_begin(filing->writer);
    if (result == KS_OK)
        result = ks_filing_file(filing, filing->writer);
    if (finish(filing->writer) != KS_OK || result != KS_OK)
        return; /* the log has what failed first */
    ks_write_turn_take(filing->writer->turn, true);
    if (open_journal(filing, filing->last_message_id, &findings, why, sizeof why) == KS_OK)
        begin_journal(filing);
    ks_write_turn_give(filing->writer->turn);
    if (ks_journal_is_open(&filing->journal))
        ks_log_notice(filing->log, "the journal is open again");
}

void ks_filing_tick(struct ks_filing *filing, bool is_quiet)
{
    bool is_pending = ks_journal_is_pending(&filing->journal);
    if (is_pending && is_quiet)
        ks_filing_ask(filing);
    if (!is_pending && is_quiet)
        ks_journal_mark_empty(&filing->journal);
    if (!ks_journal_is_open(&filing->journal) &&
        ks_clock_monotonic_ms(filing->clock) >= filing->next_opening_ms)
        open_again(filing);
}

/* ---- start and stop ---- */

static void set_filed(struct ks_filing *filing, uint64_t last)
{
    filing->last_message_id = last;
    filing->filed_in_transaction = last;
    atomic_store(&filing->filed, last);
}

static enum ks_result read_last_message_id(struct ks_filing *filing)
{
    int64_t last = 0;
    enum ks_result result = ks_database_read_integer(
        filing->writer->database, "SELECT seq FROM sqlite_sequence WHERE name='messages'", &last);
    if (result == KS_OK && last < 0)
        return KS_INVALID;
    set_filed(filing, (uint64_t)last);
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

/* Ids go on behind all that the journal could have held: what could not be read, had ids, too. In the
 * transaction, so that a second crash does not give them out again. */
static enum ks_result skip_ids(struct ks_filing *filing)
{
    char sql[192];
    const uint64_t last = filing->filed_in_transaction + KS_JOURNAL_RECORD_LIMIT;
    snprintf(sql, sizeof sql,
             "DELETE FROM sqlite_sequence WHERE name='messages';"
             "INSERT INTO sqlite_sequence(name, seq) VALUES('messages', %" PRIu64 ")",
             last);
    enum ks_result result = ks_database_run(filing->writer->database, sql);
    if (result == KS_OK)
        ks_filing_note(filing, last);
    return ks_database_writer_check(filing->writer, result);
}

/* What a crash has left in the journal becomes rows. */
static enum ks_result recover_journalled(struct ks_filing *filing)
{
    const bool is_pending = ks_journal_is_pending(&filing->journal);
    enum ks_result result = ks_database_writer_begin(filing->writer);
    if (result == KS_OK)
        result = ks_filing_file(filing, filing->writer);
    if (result == KS_OK)
        result = skip_ids(filing);
    enum ks_result finished = finish(filing->writer);
    if (result != KS_OK || finished != KS_OK)
        return result != KS_OK ? result : finished;
    if (is_pending)
        ks_log_notice(filing->log, "took the latest messages from the journal into the database");
    set_filed(filing, atomic_load(&filing->filed));
    return KS_OK;
}

enum ks_result ks_filing_recover(struct ks_filing *filing, char *why, size_t why_size)
{
    struct ks_journal_findings findings;
    enum ks_result result = read_last_message_id(filing);
    if (result != KS_OK)
        return result;
    result = open_journal(filing, filing->last_message_id, &findings, why, why_size);
    if (result == KS_OK) {
        bool is_clean =
            !ks_journal_is_pending(&filing->journal) && findings.damaged == 0 && findings.left_out == 0;
        tell_findings(filing, &findings);
        return is_clean ? KS_OK : recover_journalled(filing);
    }
    if (result != KS_NO_SPACE)
        return result;
    ks_log_warning(filing->log, "%s; messages go straight to the database", why);
    ks_filing_journal_failed(filing);
    why[0] = '\0';
    return KS_OK;
}

enum ks_result ks_filing_start(struct ks_filing *filing)
{
    const struct ks_database_writer *writer = filing->writer;
    const struct ks_thread_hooks hooks = {.nice = NICE};
    char why[256];
    filing->task.run = run_asked;
    filing->connection = (struct ks_database_writer){
        .database_path = writer->database_path,
        .log = writer->log,
        .turn = writer->turn,
        .context = writer->context,
        .transaction_over = writer->transaction_over,
        .log_is_long = writer->log_is_long,
        .courtesy = &filing->courtesy,
    };
    begin_journal(filing);
    ks_paced_writes_install();
    enum ks_result result = ks_database_writer_connect(&filing->connection, why, sizeof why);
    if (result == KS_OK)
        return ks_thread_start(&filing->thread, "store-filer", &hooks);
    ks_log_error(filing->log, "%s", why);
    return result;
}

void ks_filing_settle(struct ks_filing *filing)
{
    if (filing->thread != NULL)
        ks_thread_reach(filing->thread);
}

void ks_filing_stop(struct ks_filing *filing)
{
    ks_thread_stop(filing->thread);
    filing->thread = NULL;
    if (ks_journal_is_pending(&filing->journal))
        ks_filing_file_journalled(filing); /* what fails stays in the journal for the next start */
    ks_journal_close(&filing->journal);
    ks_database_writer_disconnect(&filing->connection);
}
