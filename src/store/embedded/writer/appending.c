/* appending.c — see appending.h. */
#include "store/embedded/writer/appending.h"

#include "store/embedded/writer/message_rows.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    LARGE_BATCH = 128 * 1024,  /* bytes; when its messages are … */
    LARGE_MESSAGES = 1024,     /* … on average, the database's way costs no more */
    LOAD = 64,                 /* messages without a quiet moment: fewer are no load */
    QUIET_MS = 20,             /* nothing was appended for so long: a moment to file what there is */
    BACKLOG = 4 * 1024 * 1024, /* bytes in the journal: time to file, whatever else there is */
};

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

void ks_appending_add(struct ks_appending *appending, struct ks_store_append_message *request)
{
    const struct ks_journal_record record = record_of(request);
    request->next = NULL;
    if (appending->first == NULL)
        appending->first = request;
    else
        appending->last->next = request;
    appending->last = request;
    appending->size += ks_journal_record_size(&record);
    appending->count++;
}

static void forget(struct ks_appending *appending)
{
    appending->first = NULL;
    appending->last = NULL;
    appending->size = 0;
    appending->count = 0;
}

/* ---- as rows ---- */

/* Behind all that is journalled: ids ascend. */
static enum ks_result insert(struct ks_appending *appending)
{
    struct ks_database_writer *writer = appending->writer;
    const struct ks_store_append_message *next = appending->first;
    const uint64_t before = next->message_id - 1;
    const uint64_t last = appending->last->message_id;
    enum ks_result result = ks_filing_file(appending->filing, writer);
    while (next != NULL && result == KS_OK) {
        struct ks_journal_record records[KS_INSERTED_TOGETHER] = {0};
        size_t count = 0;
        for (; next != NULL && count < KS_INSERTED_TOGETHER; next = next->next)
            records[count++] = record_of(next);
        result = ks_message_rows_insert(writer, records, count);
    }
    if (result == KS_OK)
        result = ks_message_rows_index(writer, before, last);
    if (result == KS_OK)
        ks_filing_note(appending->filing, last);
    return result;
}

/* A failure fails the batch. */
static enum ks_result become_rows(struct ks_appending *appending)
{
    enum ks_result result = ks_database_writer_begin(appending->writer);
    if (appending->first == NULL)
        return result == KS_OK ? ks_filing_file(appending->filing, appending->writer) : result;
    appending->are_rows = true;
    if (result == KS_OK)
        result = insert(appending);
    forget(appending);
    return result;
}

enum ks_result ks_appending_reach(struct ks_appending *appending, uint64_t up_to)
{
    if (up_to <= atomic_load(&appending->filing->filed))
        return KS_OK;
    return become_rows(appending);
}

/* ---- in the journal ---- */

static void measure_load(struct ks_appending *appending)
{
    uint64_t now = ks_clock_monotonic_ms(appending->clock);
    if (now - appending->last_append_ms >= QUIET_MS)
        appending->load = 0;
    appending->load += appending->count;
    appending->last_append_ms = now;
    appending->is_quiet = false;
}

/* Whose turn it is to write to the database cannot wait for the filer, who waits for its turn. And what is
 * done meanwhile must not make a batch forget that something of it has failed. */
static bool can_wait(const struct ks_appending *appending)
{
    const struct ks_database_writer *writer = appending->writer;
    return !writer->in_transaction && writer->failure == KS_OK &&
           ks_journal_is_open(&appending->filing->journal);
}

static bool reserve(struct ks_appending *appending)
{
    struct ks_journal *journal = &appending->filing->journal;
    bool has_room = ks_journal_reserve(journal, appending->size);
    while (!has_room && can_wait(appending) && ks_filing_make_room(appending->filing) == KS_OK)
        has_room = ks_journal_reserve(journal, appending->size);
    return has_room;
}

static void keep_pace(const struct ks_appending *appending)
{
    const uint64_t pause = can_wait(appending) ? ks_filing_pace(appending->filing, appending->size) : 0;
    if (pause > 0)
        usleep((useconds_t)pause);
}

/* Whether the journal is the better way: not for few messages, nor for so many bytes that all of it would be
 * written twice for little; and a batch is in one segment. */
static bool is_for_journal(const struct ks_appending *appending)
{
    const size_t size = appending->size;
    const bool are_few = appending->load < LOAD && !ks_journal_is_pending(&appending->filing->journal);
    const bool are_large = size > LARGE_BATCH && size / LARGE_MESSAGES > appending->count;
    return !are_few && !are_large && size <= KS_JOURNAL_SEGMENT_SIZE;
}

/* True when all that this batch has appended is durable in the journal. */
static bool journal_appended(struct ks_appending *appending)
{
    struct ks_filing *filing = appending->filing;
    if (appending->are_rows || !is_for_journal(appending) || !reserve(appending))
        return false;
    for (const struct ks_store_append_message *next = appending->first; next != NULL; next = next->next) {
        const struct ks_journal_record record = record_of(next);
        ks_journal_add(&filing->journal, &record);
    }
    keep_pace(appending);
    uint64_t began = ks_clock_stopwatch_ns();
    if (ks_journal_commit(&filing->journal) == KS_OK) {
        ks_database_writer_count_commit(appending->writer, began);
        forget(appending);
        return true;
    }
    char text[128];
    ks_log_error(appending->log, "the journal cannot be written, messages go straight to the database: %s",
                 strerror_r(errno, text, sizeof text));
    ks_filing_journal_failed(filing);
    return false;
}

/* ---- a batch ---- */

void ks_appending_batch(struct ks_appending *appending)
{
    if (appending->first == NULL)
        return;
    measure_load(appending);
    if (!journal_appended(appending))
        (void)become_rows(appending); /* a failure fails the batch, which whoever waits for it is told */
}

enum ks_result ks_appending_result(const struct ks_appending *appending)
{
    return appending->are_rows ? appending->writer->failure : KS_OK;
}

void ks_appending_batch_over(struct ks_appending *appending)
{
    appending->are_rows = false;
    if (ks_journal_pending(&appending->filing->journal) >= BACKLOG)
        ks_filing_ask(appending->filing);
}

uint64_t ks_appending_idle(struct ks_appending *appending)
{
    if (!ks_journal_is_pending(&appending->filing->journal))
        return KS_THREAD_UNTIL_POSTED;
    if (!appending->is_quiet) {
        appending->is_quiet = true;
        return QUIET_MS;
    }
    ks_filing_ask(appending->filing);
    return KS_THREAD_UNTIL_POSTED; /* if that fails, ks_filing_tick asks again */
}
