/* digests.c — see digests.h. There are two jobs: an urgent one, for which somebody waits, and one in the
 * background. Each is opened (store-read), read (its thread), and becomes a finding (store-files), which is
 * written (the writer). All that happens on store-files ends with go_on, which begins whatever can begin. */
#include "store/embedded/readers/digests.h"

#include "base/limits/log_repeats.h"
#include "base/text.h"
#include "store/embedded/vault/sweep.h"
#include "store/reply.h"

#include <stdlib.h>
#include <string.h>

enum {
    GATHER_MS = 500, /* findings wait so long for others */
    NICE = 10,       /* of the thread for those who ask */
    ESCAPED_SIZE = 512,
};

static bool is_stopping(const struct ks_digests *digests)
{
    return atomic_load_explicit(&digests->stopping, memory_order_relaxed);
}

/* ---- requests ---- */

static void answer(struct ks_digests *digests, struct ks_store_digest_file *request, enum ks_result result)
{
    digests->asked--;
    ks_reply_post(&request->request, result);
}

/* With the SHA-256, if there is one. */
static void answer_all(struct ks_digests *digests, struct ks_digest_askers *askers, enum ks_result result,
                       const uint8_t *sha256)
{
    struct ks_store_digest_file *request = NULL;
    while ((request = ks_digest_askers_take(askers)) != NULL) {
        if (sha256 != NULL)
            memcpy(request->sha256, sha256, sizeof request->sha256);
        answer(digests, request, result);
    }
}

static bool has_room(const struct ks_digests *digests, const struct ks_client_id *id)
{
    const size_t own =
        ks_digest_askers_count(&digests->waiting, id) + ks_digest_askers_count(&digests->urgent.askers, id) +
        ks_digest_findings_count(digests->gathered, id) + ks_digest_findings_count(digests->written, id);
    return digests->asked < KS_DIGESTS_LIMIT && own < KS_DIGESTS_LIMIT - digests->asked;
}

/* ---- writing ---- */

static void run_settled(struct ks_task *task);

/* The writer's thread. */
static void run_write(struct ks_interlude *interlude)
{
    struct ks_digests *digests = KS_CONTAINER_OF(interlude, struct ks_digests, interlude);
    digests->write_result = ks_digest_findings_write(digests->written, digests->writer);
    digests->writing.run = run_settled;
    ks_file_reader_post(digests->reader, &digests->writing);
}

static void post_write(struct ks_digests *digests)
{
    digests->is_writing = true;
    digests->interlude.run = run_write;
    ks_database_writer_between(digests->writer, &digests->interlude);
}

static uint64_t gathered_since_ms(const struct ks_digests *digests)
{
    return (ks_clock_stopwatch_ns() - digests->gathering_ns) / (1000 * UINT64_C(1000));
}

static bool retry_is_due(const struct ks_digests *digests)
{
    return ks_retry_is_due(&digests->retry, ks_clock_monotonic_ms(digests->clock));
}

static void note_try(struct ks_digests *digests, bool failed)
{
    ks_retry_note(&digests->retry, ks_clock_monotonic_ms(digests->clock), failed);
}

/* Whether it is time to write what was gathered. */
static bool is_enough(const struct ks_digests *digests)
{
    const size_t count = digests->gathered->count;
    return count == KS_DIGEST_FINDINGS || (count > 0 && digests->is_hurried) ||
           (count > 0 && gathered_since_ms(digests) >= GATHER_MS);
}

static void write_on(struct ks_digests *digests)
{
    if (digests->is_writing || !is_enough(digests))
        return;
    struct ks_digest_findings *empty = digests->written;
    digests->written = digests->gathered;
    digests->gathered = empty;
    digests->is_hurried = false;
    post_write(digests);
}

/* ---- findings ---- */

static void tell_damage(const struct ks_digests *digests, const struct ks_file_row *row)
{
    char path[ESCAPED_SIZE];
    ks_log_trouble(digests->log, KS_LOG_ERROR,
                   "a file is damaged, its content is not what was confirmed (kesherd check says more): %s",
                   ks_text_escape(row->path, strlen(row->path), path, sizeof path));
}

/* There is room: whoever begins a job has seen to it. */
static void gather(struct ks_digest_job *job, bool is_sound)
{
    struct ks_digests *digests = job->digests;
    struct ks_digest_findings *gathered = digests->gathered;
    struct ks_digest_finding *finding = &gathered->items[gathered->count++];
    *finding = (struct ks_digest_finding){
        .row = job->row,
        .is_sound = is_sound,
        .size = (uint64_t)job->file->status.st_size,
        .written = ks_sweep_written(&job->file->status),
        .askers = job->askers,
    };
    memcpy(finding->sha256, job->reading.sha256, sizeof finding->sha256);
    if (gathered->count == 1)
        digests->gathering_ns = ks_clock_stopwatch_ns();
    digests->is_hurried = digests->is_hurried || job->askers.first != NULL;
    job->askers = (struct ks_digest_askers){0};
}

static void settle_finding(struct ks_digests *digests, struct ks_digest_finding *finding)
{
    const uint64_t unknown = atomic_load(&digests->unknown);
    enum ks_result result = finding->is_sound ? KS_OK : KS_INVALID;
    if (finding->is_written)
        atomic_store(&digests->unknown, unknown > 0 ? unknown - 1 : 0);
    answer_all(digests, &finding->askers, finding->is_written ? result : KS_NOT_FOUND, finding->sha256);
}

static void go_on(struct ks_digests *digests);

/* What could not be written is computed again some day. */
static void run_settled(struct ks_task *task)
{
    struct ks_digests *digests = KS_CONTAINER_OF(task, struct ks_digests, writing);
    struct ks_digest_findings *written = digests->written;
    const enum ks_result result = digests->write_result;
    digests->is_writing = false;
    note_try(digests, result != KS_OK);
    digests->look_again = digests->look_again || result != KS_OK;
    for (size_t i = 0; i < written->count; i++)
        if (result == KS_OK)
            settle_finding(digests, &written->items[i]);
        else
            answer_all(digests, &written->items[i].askers, result == KS_NO_MEMORY ? result : KS_IO, NULL);
    written->count = 0;
    go_on(digests);
}

/* ---- what is worked at already ---- */

static bool is_at(const struct ks_digest_job *job, const struct ks_file_row *row)
{
    return job->is_busy && ks_file_row_is_same(&job->row, row);
}

/* Those that wait for what is worked at; NULL when it is not. Nobody waits for what is done in the
 * background.
 */
static struct ks_digest_askers *find_askers(struct ks_digests *digests, const struct ks_file_row *row)
{
    if (is_at(&digests->urgent, row))
        return &digests->urgent.askers;
    struct ks_digest_finding *finding = ks_digest_findings_find(digests->written, row);
    if (finding == NULL)
        finding = ks_digest_findings_find(digests->gathered, row);
    return finding != NULL ? &finding->askers : NULL;
}

/* ---- jobs ---- */

static void end_job(struct ks_digest_job *job)
{
    struct ks_digests *digests = job->digests;
    const bool is_gone = job->result == KS_NOT_FOUND || job->result == KS_CLOSED;
    const bool is_found = job->result == KS_OK || job->result == KS_INVALID;
    /* What somebody waits for is found by the other one. */
    const bool is_superseded = job == &digests->background && find_askers(digests, &job->row) != NULL;
    if (is_found && !is_superseded) {
        gather(job, job->result == KS_OK);
    } else if (!is_found) {
        answer_all(digests, &job->askers, job->result, NULL);
        digests->look_again = true; /* there may be another file by now */
        if (!is_gone)
            note_try(digests, true);
    }
    ks_stored_file_close(job->file);
    job->file = NULL;
    job->is_busy = false;
    go_on(digests);
}

/* All has come to rest: is it still the row of what was read? */
static void judge_damage(struct ks_stored_file *file)
{
    struct ks_digest_job *job = file->context;
    struct ks_file_row now;
    enum ks_result found = KS_CLOSED;
    if (!is_stopping(job->digests))
        found = ks_file_reader_find(job->digests->reader, &job->row.id, job->row.name, &now);
    if (found != KS_OK)
        job->result = found;
    else if (!ks_file_row_is_same(&job->row, &now))
        job->result = KS_NOT_FOUND;
    else
        tell_damage(job->digests, &job->row);
    end_job(job);
}

static void finished(struct ks_digest_reading *reading)
{
    struct ks_digest_job *job = KS_CONTAINER_OF(reading, struct ks_digest_job, reading);
    job->result = reading->result;
    if (job->result == KS_INVALID)
        ks_stored_file_rest(job->file, judge_damage);
    else
        end_job(job);
}

static void run_opened(struct ks_task *task)
{
    struct ks_digest_job *job = KS_CONTAINER_OF(task, struct ks_digest_job, task);
    if (is_stopping(job->digests))
        job->result = KS_CLOSED;
    if (job->result != KS_OK) {
        end_job(job);
        return;
    }
    job->reading.file = job->file;
    ks_digest_reading_begin(&job->reading);
}

/* Any thread. */
static void opened(struct ks_stored_file *file, enum ks_result result)
{
    struct ks_digest_job *job = file->context;
    job->file = file;
    job->result = result;
    job->task.run = run_opened;
    ks_file_reader_post(job->digests->reader, &job->task);
}

static enum ks_result begin_job(struct ks_digest_job *job, const struct ks_file_row *row)
{
    job->row = *row;
    atomic_store(&job->reading.is_cancelled, false);
    enum ks_result result = ks_stored_files_open_row(job->digests->files, row, opened, job);
    job->is_busy = result == KS_OK;
    return result;
}

/* ---- what is next ---- */

/* Room for what both jobs may find. */
static bool may_begin(const struct ks_digests *digests)
{
    const size_t busy = (digests->urgent.is_busy ? 1U : 0U) + (digests->background.is_busy ? 1U : 0U);
    return digests->gathered->count + busy < KS_DIGEST_FINDINGS;
}

/* Answers what is known. KS_MORE: it is to be computed. */
static enum ks_result look_up(struct ks_digests *digests, struct ks_store_digest_file *request,
                              struct ks_file_row *row)
{
    enum ks_result result = ks_file_reader_find(digests->reader, &request->id, request->name, row);
    if (result == KS_OK && row->digest == KS_FILE_DIGEST_UNKNOWN)
        return KS_MORE;
    if (result == KS_OK && row->digest == KS_FILE_DIGEST_NONE)
        result = KS_INVALID;
    if (result == KS_OK)
        memcpy(request->sha256, row->sha256, sizeof request->sha256);
    answer(digests, request, result);
    return result;
}

/* Has it wait where its row is worked at, or says false. */
static bool join(struct ks_digests *digests, struct ks_store_digest_file *request,
                 const struct ks_file_row *row)
{
    struct ks_digest_askers *askers = find_askers(digests, row);
    if (askers == NULL)
        return false;
    ks_digest_askers_put(askers, request);
    digests->is_hurried = true;
    return true;
}

static void begin_urgent(struct ks_digests *digests)
{
    struct ks_file_row row;
    while (!digests->urgent.is_busy && may_begin(digests)) {
        struct ks_store_digest_file *request =
            ks_digest_askers_take_fairly(&digests->waiting, &digests->last_served);
        if (request == NULL)
            return;
        digests->last_served = request->id;
        if (look_up(digests, request, &row) != KS_MORE || join(digests, request, &row))
            continue;
        enum ks_result result = begin_job(&digests->urgent, &row);
        if (result != KS_OK) {
            answer(digests, request, result);
            continue;
        }
        ks_digest_askers_put(&digests->urgent.askers, request);
        if (is_at(&digests->background, &row))
            ks_digest_reading_cancel(&digests->background.reading);
    }
}

/* The next row that nobody works at. KS_OK, KS_NOT_FOUND, or errors of the database. */
static enum ks_result find_next(struct ks_digests *digests, struct ks_file_row *row)
{
    for (;;) {
        enum ks_result result = ks_file_reader_next_without_digest(digests->reader, digests->after, row);
        if (result != KS_OK)
            return result;
        digests->after = row->number;
        if (find_askers(digests, row) == NULL)
            return KS_OK;
    }
}

/* Rows behind the last one may be new, and so may others, whose numbers were given out again. */
static enum ks_result find_next_or_first(struct ks_digests *digests, struct ks_file_row *row)
{
    enum ks_result result = find_next(digests, row);
    const bool is_pending = digests->gathered->count > 0 || digests->written->count > 0;
    if (result != KS_NOT_FOUND || is_pending || digests->urgent.is_busy)
        return result;
    if (digests->look_again) {
        digests->look_again = false;
        digests->after = 0;
        return find_next(digests, row);
    }
    digests->is_at_end = true;
    atomic_store(&digests->unknown, 0);
    return KS_NOT_FOUND;
}

static void begin_background(struct ks_digests *digests)
{
    struct ks_file_row row;
    digests->is_at_end = digests->is_at_end && !digests->look_again;
    if (digests->is_at_end || digests->background.is_busy || !may_begin(digests) || !retry_is_due(digests))
        return;
    enum ks_result result = find_next_or_first(digests, &row);
    if (result == KS_OK)
        result = begin_job(&digests->background, &row);
    if (result != KS_OK && result != KS_NOT_FOUND) {
        digests->look_again = true;
        note_try(digests, true);
    }
}

static void go_on(struct ks_digests *digests)
{
    if (is_stopping(digests))
        return;
    begin_urgent(digests);
    begin_background(digests);
    write_on(digests);
}

/* ---- asking ---- */

static void run_ask(struct ks_task *task)
{
    struct ks_store_digest_file *request = ks_digest_asker_of(task);
    struct ks_digests *digests = request->request.part;
    struct ks_file_row row;
    const bool may_wait = has_room(digests, &request->id);
    digests->asked++;
    if (is_stopping(digests))
        answer(digests, request, KS_CLOSED);
    else if (look_up(digests, request, &row) != KS_MORE)
        return;
    else if (!may_wait)
        answer(digests, request, KS_REFUSED);
    else if (!join(digests, request, &row))
        ks_digest_askers_put(&digests->waiting, request);
    go_on(digests);
}

void ks_digests_ask(struct ks_digests *digests, struct ks_store_digest_file *request)
{
    request->request.part = digests;
    request->request.task.run = run_ask;
    ks_file_reader_post(digests->reader, &request->request.task);
}

static void run_waking(struct ks_task *task)
{
    struct ks_digests *digests = KS_CONTAINER_OF(task, struct ks_digests, waking);
    atomic_fetch_add(&digests->unknown, atomic_exchange(&digests->committed, 0));
    digests->look_again = true;
    go_on(digests);
}

void ks_digests_wake(struct ks_digests *digests, uint64_t rows)
{
    if (atomic_fetch_add(&digests->committed, rows) > 0)
        return; /* it is on its way */
    digests->waking.run = run_waking;
    ks_file_reader_post(digests->reader, &digests->waking);
}

/* For how long to sleep: until others have joined what is gathered, or what has failed is tried again. */
uint64_t ks_digests_idle(void *context)
{
    struct ks_digests *digests = context;
    uint64_t until = KS_THREAD_UNTIL_POSTED;
    if (!digests->has_begun || is_stopping(digests))
        return until;
    go_on(digests);
    if (!digests->is_writing && digests->gathered->count > 0) {
        const uint64_t since = gathered_since_ms(digests);
        until = since < GATHER_MS ? GATHER_MS - since : 1;
    }
    const uint64_t now = ks_clock_monotonic_ms(digests->clock);
    const uint64_t pause = ks_retry_is_due(&digests->retry, now) ? until : digests->retry.at_ms - now;
    return pause < until ? pause : until;
}

/* ---- start and stop ---- */

/* Uploads are on their way to the disk. */
static bool has_to_wait(const struct ks_digest_reading *reading)
{
    const struct ks_digest_job *job = KS_CONTAINER_OF(reading, const struct ks_digest_job, reading);
    uint64_t stages = 0;
    uint64_t confirms = 0;
    ks_vault_waiting(job->digests->vault, &stages, &confirms);
    return stages > 0 || confirms > 0;
}

static enum ks_result start_job(struct ks_digests *digests, struct ks_digest_job *job, const char *name,
                                const struct ks_thread_hooks *hooks)
{
    job->digests = digests;
    job->reading.reader = digests->reader;
    job->reading.finished = finished;
    return ks_digest_reading_start(&job->reading, name, hooks);
}

enum ks_result ks_digests_start(struct ks_digests *digests)
{
    const struct ks_thread_hooks nice = {.nice = NICE};
    const struct ks_thread_hooks last = {.is_last = true};
    uint64_t unknown = 0;
    digests->gathered = calloc(1, sizeof *digests->gathered);
    digests->written = calloc(1, sizeof *digests->written);
    if (digests->gathered == NULL || digests->written == NULL)
        return KS_NO_MEMORY;
    enum ks_result result = ks_file_reader_count_without_digest(digests->reader, &unknown);
    atomic_store(&digests->unknown, unknown);
    digests->background.reading.has_to_wait = has_to_wait;
    if (result == KS_OK)
        result = start_job(digests, &digests->urgent, "store-digest", &nice);
    return result == KS_OK ? start_job(digests, &digests->background, "store-digest-bg", &last) : result;
}

static void run_beginning(struct ks_task *task)
{
    struct ks_digests *digests = KS_CONTAINER_OF(task, struct ks_digests, edge);
    digests->has_begun = true;
    go_on(digests);
}

void ks_digests_begin(struct ks_digests *digests)
{
    digests->edge.run = run_beginning;
    ks_file_reader_post(digests->reader, &digests->edge);
}

/* Whatever waits, wherever it is; and what was found is not lost. */
static void run_ending(struct ks_task *task)
{
    struct ks_digests *digests = KS_CONTAINER_OF(task, struct ks_digests, edge);
    struct ks_digest_findings *findings[] = {digests->gathered, digests->written};
    answer_all(digests, &digests->waiting, KS_CLOSED, NULL);
    answer_all(digests, &digests->urgent.askers, KS_CLOSED, NULL);
    for (size_t i = 0; i < sizeof findings / sizeof findings[0]; i++)
        for (size_t j = 0; j < findings[i]->count; j++)
            answer_all(digests, &findings[i]->items[j].askers, KS_CLOSED, NULL);
    digests->is_hurried = true;
    write_on(digests);
}

/* What runs on the reader's thread after the first step posts nothing more to those that compute. */
void ks_digests_stop(struct ks_digests *digests)
{
    const bool has_reader = digests->reader->reader.thread != NULL;
    atomic_store(&digests->stopping, true);
    if (has_reader)
        ks_thread_reach(digests->reader->reader.thread);
    ks_digest_reading_stop(&digests->urgent.reading);
    ks_digest_reading_stop(&digests->background.reading);
    digests->edge.run = run_ending;
    if (has_reader)
        ks_file_reader_post(digests->reader, &digests->edge);
}

void ks_digests_free(struct ks_digests *digests)
{
    ks_digest_reading_free(&digests->urgent.reading);
    ks_digest_reading_free(&digests->background.reading);
    free(digests->gathered);
    free(digests->written);
    digests->gathered = NULL;
    digests->written = NULL;
}
