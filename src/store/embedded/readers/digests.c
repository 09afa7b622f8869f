/* digests.c — see digests.h. There are two jobs: an urgent one, for which somebody waits, and one in the
 * background. Each is opened (store-read), read (its thread), and becomes a finding (store-files), which is
 * written (the writer). All that happens on store-files ends with go_on, which begins whatever can begin. */
#include "store/embedded/readers/digests.h"

#include "base/limits/log_repeats.h"
#include "base/text.h"
#include "store/embedded/vault/sweep.h"
#include "store/reply.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    PIECE = 256 * 1024,      /* read and computed while it is in cache */
    SLICE = 4 * 1024 * 1024, /* after which it is asked whether the file is still wanted */
    LARGE = 8 * 1024 * 1024, /* of larger files, what was read does not stay in memory */
    GATHER_MS = 500,         /* findings wait so long for others */
    NICE = 10,               /* of the thread for those who ask */
    ESCAPED_SIZE = 512,
};

/* ---- requests ---- */

static void queue_put(struct ks_digest_queue *queue, struct ks_store_digest_file *request)
{
    struct ks_task *task = &request->request.task;
    task->next = NULL;
    if (queue->last == NULL)
        queue->first = task;
    else
        queue->last->next = task;
    queue->last = task;
}

static struct ks_store_digest_file *request_of(struct ks_task *task)
{
    return KS_CONTAINER_OF(task, struct ks_store_digest_file, request.task);
}

static void answer(struct ks_digests *digests, struct ks_store_digest_file *request, enum ks_result result)
{
    digests->asked--;
    ks_reply_post(&request->request, result);
}

/* Empties the queue. */
static void answer_all(struct ks_digests *digests, struct ks_digest_queue *queue, enum ks_result result)
{
    struct ks_task *task = queue->first;
    *queue = (struct ks_digest_queue){0};
    while (task != NULL) {
        struct ks_task *next = task->next;
        answer(digests, request_of(task), result);
        task = next;
    }
}

static void tell_digest(struct ks_digests *digests, struct ks_digest_queue *queue,
                        const uint8_t sha256[static KS_FILE_SHA256_SIZE])
{
    for (struct ks_task *task = queue->first; task != NULL; task = task->next)
        memcpy(request_of(task)->sha256, sha256, KS_FILE_SHA256_SIZE);
    answer_all(digests, queue, KS_OK);
}

static size_t count_of_user(const struct ks_digest_queue *queue, const struct ks_client_id *id)
{
    size_t count = 0;
    for (struct ks_task *task = queue->first; task != NULL; task = task->next)
        count += memcmp(&request_of(task)->id, id, sizeof *id) == 0 ? 1 : 0;
    return count;
}

static size_t count_in_findings(const struct ks_digest_findings *findings, const struct ks_client_id *id)
{
    size_t count = 0;
    for (size_t i = 0; i < findings->count; i++)
        count += count_of_user(&findings->items[i].askers, id);
    return count;
}

static bool has_room(const struct ks_digests *digests, const struct ks_client_id *id)
{
    const size_t own = count_of_user(&digests->waiting, id) + count_of_user(&digests->urgent.askers, id) +
                       count_in_findings(digests->gathered, id) + count_in_findings(digests->written, id);
    return digests->asked < KS_DIGESTS_LIMIT && own < KS_DIGESTS_LIMIT - digests->asked;
}

/* The next one: of another user than the last, or else the first. Takes it out. NULL for none. */
static struct ks_store_digest_file *take_next(struct ks_digests *digests)
{
    struct ks_digest_queue all = digests->waiting;
    struct ks_task *chosen = all.first;
    for (struct ks_task *task = all.first; task != NULL; task = task->next)
        if (memcmp(&request_of(task)->id, &digests->last_served, sizeof digests->last_served) != 0) {
            chosen = task;
            break;
        }
    if (chosen == NULL)
        return NULL;
    digests->waiting = (struct ks_digest_queue){0};
    for (struct ks_task *task = all.first, *next = NULL; task != NULL; task = next) {
        next = task->next;
        if (task != chosen)
            queue_put(&digests->waiting, request_of(task));
    }
    digests->last_served = request_of(chosen)->id;
    return request_of(chosen);
}

/* ---- reading, on the thread that computes ---- */

static bool is_stopping(const struct ks_digests *digests)
{
    return atomic_load_explicit(&digests->stopping, memory_order_relaxed);
}

static bool is_over(const struct ks_digest_job *job)
{
    return is_stopping(job->digests) || atomic_load_explicit(&job->is_cancelled, memory_order_relaxed);
}

/* Whether it is still the file that was opened: nobody should change it, and nobody removes it any more. Of
 * one that has no name the space is wanted. */
static enum ks_result judge_still(const struct ks_stored_file *file)
{
    struct stat status;
    if (fstat(file->fd, &status) != 0)
        return KS_IO;
    if (status.st_nlink == 0)
        return KS_NOT_FOUND;
    return ks_sweep_written(&status) == ks_sweep_written(&file->status) &&
                   status.st_size == file->status.st_size
               ? KS_OK
               : KS_INVALID;
}

static enum ks_result read_piece(struct ks_digest_job *job, uint64_t file_size)
{
    const uint64_t left = file_size - job->sum.length;
    const size_t size = left < PIECE ? (size_t)left : PIECE;
    enum ks_result result = ks_stored_file_read_at(job->file, job->sum.length, job->buffer, size);
    if (result == KS_OK)
        result = ks_digest_add(job->digest, job->buffer, size);
    if (result == KS_OK)
        ks_cksum_add(&job->sum, job->buffer, size);
    return result;
}

static enum ks_result end_reading(struct ks_digest_job *job)
{
    enum ks_result result = judge_still(job->file);
    if (result == KS_OK && job->row.has_cksum && ks_cksum_value(&job->sum) != job->row.cksum)
        result = KS_INVALID;
    return result == KS_OK ? ks_digest_finish(job->digest, job->sha256) : result;
}

/* KS_MORE when there is more to read. */
static enum ks_result read_slice(struct ks_digest_job *job)
{
    const uint64_t file_size = (uint64_t)job->file->status.st_size;
    const uint64_t from = job->sum.length;
    enum ks_result result = judge_still(job->file);
    while (result == KS_OK && job->sum.length < file_size && job->sum.length - from < SLICE)
        result = is_over(job) ? KS_CLOSED : read_piece(job, file_size);
    if (file_size >= LARGE)
        (void)posix_fadvise(job->file->fd, (off_t)from, (off_t)(job->sum.length - from), POSIX_FADV_DONTNEED);
    if (result == KS_OK && job->sum.length < file_size)
        return KS_MORE;
    return result == KS_OK ? end_reading(job) : result;
}

static void run_finished(struct ks_task *task);

static void run_job(struct ks_task *task)
{
    struct ks_digest_job *job = KS_CONTAINER_OF(task, struct ks_digest_job, task);
    do
        job->result = read_slice(job);
    while (job->result == KS_MORE);
    task->run = run_finished;
    ks_file_reader_post(job->digests->reader, task);
}

/* ---- writing ---- */

static void bind_known(struct ks_query *query, bool is_known, int64_t value)
{
    if (is_known)
        ks_query_integer(query, value);
    else
        ks_query_null(query);
}

/* In the transaction. */
static enum ks_result write_finding(struct ks_database_writer *writer, struct ks_digest_finding *finding)
{
    const struct ks_file_row *row = &finding->row;
    const bool is_sound = finding->is_sound;
    struct ks_query query = ks_database_writer_query(writer, KS_STATEMENT_SET_FILE_DIGEST);
    ks_query_blob(&query, finding->sha256, is_sound ? sizeof finding->sha256 : 0);
    bind_known(&query, is_sound || row->has_size, (int64_t)(is_sound ? finding->size : row->size));
    bind_known(&query, is_sound || row->has_written, is_sound ? finding->written : row->written);
    ks_query_integer(&query, row->number);
    ks_query_text(&query, row->path, strlen(row->path));
    bind_known(&query, row->has_size, (int64_t)row->size);
    bind_known(&query, row->has_written, row->written);
    bind_known(&query, row->has_cksum, row->cksum);
    enum ks_result result = ks_database_writer_check(writer, ks_query_run(&query));
    finding->is_written = result == KS_OK && sqlite3_changes(writer->database) == 1;
    return result;
}

static void run_settled(struct ks_task *task);

/* The writer's thread. */
static void run_write(struct ks_interlude *interlude)
{
    struct ks_digests *digests = KS_CONTAINER_OF(interlude, struct ks_digests, interlude);
    struct ks_database_writer *writer = digests->writer;
    enum ks_result result = ks_database_writer_begin(writer);
    for (size_t i = 0; i < digests->written->count && result == KS_OK; i++)
        result = write_finding(writer, &digests->written->items[i]);
    enum ks_result finished = ks_database_writer_finish(writer);
    ks_database_writer_forget_failure(writer);
    digests->write_result = result != KS_OK ? result : finished;
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
    return count == KS_DIGESTS_GATHERED || (count > 0 && digests->is_hurried) ||
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
    *finding = (struct ks_digest_finding){.row = job->row, .is_sound = is_sound, .askers = job->askers};
    memcpy(finding->sha256, job->sha256, sizeof finding->sha256);
    if (job->file != NULL) {
        finding->size = (uint64_t)job->file->status.st_size;
        finding->written = ks_sweep_written(&job->file->status);
    }
    if (gathered->count == 1)
        digests->gathering_ns = ks_clock_stopwatch_ns();
    digests->is_hurried = digests->is_hurried || job->askers.first != NULL;
    job->askers = (struct ks_digest_queue){0};
}

static void settle_finding(struct ks_digests *digests, struct ks_digest_finding *finding)
{
    const uint64_t unknown = atomic_load(&digests->unknown);
    if (!finding->is_written) {
        answer_all(digests, &finding->askers, KS_NOT_FOUND);
        return;
    }
    atomic_store(&digests->unknown, unknown > 0 ? unknown - 1 : 0);
    if (finding->is_sound)
        tell_digest(digests, &finding->askers, finding->sha256);
    else
        answer_all(digests, &finding->askers, KS_INVALID);
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
            answer_all(digests, &written->items[i].askers, result == KS_NO_MEMORY ? result : KS_IO);
    written->count = 0;
    go_on(digests);
}

/* ---- what is worked at already ---- */

static struct ks_digest_finding *find_in(struct ks_digest_findings *findings, const struct ks_file_row *row)
{
    for (size_t i = 0; i < findings->count; i++)
        if (ks_file_row_is_same(&findings->items[i].row, row))
            return &findings->items[i];
    return NULL;
}

static bool is_at(const struct ks_digest_job *job, const struct ks_file_row *row)
{
    return job->is_busy && ks_file_row_is_same(&job->row, row);
}

/* Those that wait for what is worked at; NULL when it is not. For what is done in the background nobody
 * waits.
 */
static struct ks_digest_queue *find_askers(struct ks_digests *digests, const struct ks_file_row *row)
{
    if (is_at(&digests->urgent, row))
        return &digests->urgent.askers;
    struct ks_digest_finding *finding = find_in(digests->written, row);
    if (finding == NULL)
        finding = find_in(digests->gathered, row);
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
        answer_all(digests, &job->askers, job->result);
        digests->look_again = true; /* there may be another file by now */
        if (!is_gone)
            note_try(digests, true);
    }
    if (job->file != NULL)
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

/* What cannot be read was there when its row was written: that is damage, too. */
static void run_finished(struct ks_task *task)
{
    struct ks_digest_job *job = KS_CONTAINER_OF(task, struct ks_digest_job, task);
    if (job->result == KS_IO)
        job->result = KS_INVALID;
    if (job->result == KS_INVALID)
        ks_stored_file_rest(job->file, judge_damage);
    else
        end_job(job);
}

/* The stream may have been left in the middle. */
static enum ks_result begin_reading(struct ks_digest_job *job)
{
    uint8_t ignored[KS_SHA256_SIZE];
    if (is_stopping(job->digests))
        return KS_CLOSED;
    job->sum = ks_cksum_start();
    return ks_digest_finish(job->digest, ignored);
}

static void run_opened(struct ks_task *task)
{
    struct ks_digest_job *job = KS_CONTAINER_OF(task, struct ks_digest_job, task);
    if (job->result == KS_OK)
        job->result = begin_reading(job);
    if (job->result != KS_OK) {
        end_job(job);
        return;
    }
    task->run = run_job;
    ks_executor_post(ks_thread_executor(job->thread), task);
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
    atomic_store(&job->is_cancelled, false);
    enum ks_result result = ks_stored_files_open_row(job->digests->files, row, opened, job);
    job->is_busy = result == KS_OK;
    return result;
}

/* ---- what is next ---- */

/* Room for what both jobs may find. */
static bool may_begin(const struct ks_digests *digests)
{
    const size_t busy = (digests->urgent.is_busy ? 1U : 0U) + (digests->background.is_busy ? 1U : 0U);
    return digests->gathered->count + busy < KS_DIGESTS_GATHERED;
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
    struct ks_digest_queue *askers = find_askers(digests, row);
    if (askers == NULL)
        return false;
    queue_put(askers, request);
    digests->is_hurried = true;
    return true;
}

static void begin_urgent(struct ks_digests *digests)
{
    struct ks_file_row row;
    while (!digests->urgent.is_busy && may_begin(digests)) {
        struct ks_store_digest_file *request = take_next(digests);
        if (request == NULL)
            return;
        if (look_up(digests, request, &row) != KS_MORE || join(digests, request, &row))
            continue;
        enum ks_result result = begin_job(&digests->urgent, &row);
        if (result != KS_OK) {
            answer(digests, request, result);
            continue;
        }
        queue_put(&digests->urgent.askers, request);
        if (is_at(&digests->background, &row))
            atomic_store(&digests->background.is_cancelled, true);
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
    struct ks_store_digest_file *request = request_of(task);
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
        queue_put(&digests->waiting, request);
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

static enum ks_result start_job(struct ks_digests *digests, struct ks_digest_job *job, const char *name,
                                const struct ks_thread_hooks *hooks)
{
    job->digests = digests;
    job->buffer = malloc(PIECE);
    if (job->buffer == NULL)
        return KS_NO_MEMORY;
    enum ks_result result = ks_digest_new(&job->digest);
    return result == KS_OK ? ks_thread_start(&job->thread, name, hooks) : result;
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
    answer_all(digests, &digests->waiting, KS_CLOSED);
    answer_all(digests, &digests->urgent.askers, KS_CLOSED);
    for (size_t i = 0; i < sizeof findings / sizeof findings[0]; i++)
        for (size_t j = 0; j < findings[i]->count; j++)
            answer_all(digests, &findings[i]->items[j].askers, KS_CLOSED);
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
    ks_thread_stop(digests->urgent.thread);
    ks_thread_stop(digests->background.thread);
    digests->urgent.thread = NULL;
    digests->background.thread = NULL;
    digests->edge.run = run_ending;
    if (has_reader)
        ks_file_reader_post(digests->reader, &digests->edge);
}

static void free_job(struct ks_digest_job *job)
{
    ks_digest_free(job->digest);
    free(job->buffer);
    job->digest = NULL;
    job->buffer = NULL;
}

void ks_digests_free(struct ks_digests *digests)
{
    free_job(&digests->urgent);
    free_job(&digests->background);
    free(digests->gathered);
    free(digests->written);
    digests->gathered = NULL;
    digests->written = NULL;
}
