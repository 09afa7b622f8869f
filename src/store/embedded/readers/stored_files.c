/* stored_files.c — see stored_files.h. An opening goes: row (store-files), look (store-read), and, where they
 * do not fit, twice to the confirm thread and once to the writer, then the row again. Its task is with one of
 * them at a time. */
#include "store/embedded/readers/stored_files.h"

#include "base/limits/log_repeats.h"
#include "base/text.h"
#include "store/embedded/memory/table.h"
#include "store/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PIECE = 256 * 1024,      /* read and summed while it is in cache */
    SLICE = 8 * 1024 * 1024, /* of a prefix: then others have their turns */
    LARGE = 4 * 1024 * 1024, /* from this size on, freeing a file is the reaper's business */
    ODD_LOOKS = 2, /* at what is not the row's, and all was let through, and the row is as it was: damaged */
    CHANGES = 8,   /* of a row, while somebody waits: enough */
    CONFIRM_TURNS = 2, /* what runs with a task is in its batch; a batch is over when the next one runs */
    ESCAPED_SIZE = 512,
};

static void post(struct ks_stored_file *file, void (*run)(struct ks_task *task))
{
    file->task.run = run;
    ks_executor_post(ks_thread_executor(file->thread->thread), &file->task);
}

static struct ks_stored_file *file_of(struct ks_task *task)
{
    return KS_CONTAINER_OF(task, struct ks_stored_file, task);
}

/* ---- which there are ---- */

/* Under the lock. Where the user's other files are, or else the fewest. */
static struct ks_stored_files_thread *choose_thread(struct ks_stored_files *files,
                                                    const struct ks_client_id *id)
{
    struct ks_stored_files_thread *chosen = &files->threads[0];
    for (const struct ks_stored_file *file = files->all; file != NULL; file = file->next)
        if (memcmp(&file->row.id, id, sizeof *id) == 0)
            return file->thread;
    for (unsigned i = 1; i < KS_STORED_FILES_THREADS; i++)
        if (files->threads[i].files < chosen->files)
            chosen = &files->threads[i];
    return chosen;
}

/* Under the lock. */
static bool has_room(const struct ks_stored_files *files, const struct ks_client_id *id)
{
    unsigned own = 0;
    for (const struct ks_stored_file *file = files->all; file != NULL; file = file->next)
        own += file->is_counted && memcmp(&file->row.id, id, sizeof *id) == 0 ? 1 : 0;
    return files->counted < KS_STORED_FILES_LIMIT && own < KS_STORED_FILES_LIMIT - files->counted;
}

static bool enlist(struct ks_stored_files *files, struct ks_stored_file *file)
{
    pthread_mutex_lock(&files->lock);
    bool has_place = !file->is_counted || has_room(files, &file->row.id);
    if (has_place) {
        file->thread = choose_thread(files, &file->row.id);
        file->thread->files++;
        files->counted += file->is_counted ? 1 : 0;
        DL_APPEND2(files->all, file, previous, next);
    }
    pthread_mutex_unlock(&files->lock);
    return has_place;
}

static void delist(struct ks_stored_file *file)
{
    struct ks_stored_files *files = file->files;
    pthread_mutex_lock(&files->lock);
    DL_DELETE2(files->all, file, previous, next);
    file->thread->files--;
    files->counted -= file->is_counted ? 1 : 0;
    pthread_mutex_unlock(&files->lock);
}

/* KS_OK; KS_TOO_LARGE, KS_NO_MEMORY. */
static enum ks_result file_new(struct ks_stored_files *files, const struct ks_file_row *row, bool is_counted,
                               struct ks_stored_file **file)
{
    struct ks_stored_file *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    created->files = files;
    created->row = *row;
    created->is_counted = is_counted;
    created->fd = -1;
    if (!enlist(files, created)) {
        free(created);
        return KS_TOO_LARGE;
    }
    *file = created;
    return KS_OK;
}

/* Of one that is in no list. */
static void release(struct ks_stored_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    free(file);
}

static void file_free(struct ks_stored_file *file)
{
    delist(file);
    release(file);
}

uint64_t ks_stored_files_count(struct ks_stored_files *files)
{
    pthread_mutex_lock(&files->lock);
    uint64_t count = files->counted;
    pthread_mutex_unlock(&files->lock);
    return count;
}

/* ---- the end of an opening ---- */

static void tell_damage(const struct ks_stored_file *file)
{
    char path[ESCAPED_SIZE];
    ks_log_trouble(file->files->log, KS_LOG_ERROR,
                   "a file is missing, or is not what was confirmed (kesherd check says more): %s",
                   ks_text_escape(file->row.path, strlen(file->row.path), path, sizeof path));
}

/* The file is open, or it will not be. */
static void end_opening(struct ks_stored_file *file, enum ks_result result)
{
    struct ks_store_file_open *request = file->request;
    if (result == KS_INVALID)
        tell_damage(file);
    if (request == NULL) {
        file->opened(file, result);
        return;
    }
    file->request = NULL;
    if (result == KS_OK) {
        request->file = file;
        ks_file_row_tell(&file->row, &file->status, &request->kept);
    } else {
        file_free(file);
    }
    ks_reply_post(&request->request, result);
}

/* ---- reading ---- */

static enum ks_result failure_of(int error_number)
{
    return error_number == ENOMEM ? KS_NO_MEMORY : KS_IO;
}

enum ks_result ks_stored_file_read_at(const struct ks_stored_file *file, uint64_t offset, uint8_t *bytes,
                                      size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t count = pread(file->fd, bytes + done, size - done, (off_t)(offset + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return failure_of(errno);
        if (count == 0)
            return KS_INVALID;
        done += (size_t)count;
    }
    return KS_OK;
}

static uint64_t smaller(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

/* A slice of the prefix that the request wants a sum of. */
static void run_prefix(struct ks_task *task)
{
    struct ks_stored_file *file = file_of(task);
    struct ks_store_file_open *request = file->request;
    const uint64_t prefix = smaller(request->prefix, (uint64_t)file->status.st_size);
    const uint64_t end = smaller(prefix, request->sum.length + SLICE);
    enum ks_result result = atomic_load(&file->files->closing) ? KS_CLOSED : KS_OK;
    while (result == KS_OK && request->sum.length < end) {
        size_t size = (size_t)smaller(end - request->sum.length, PIECE);
        result = ks_stored_file_read_at(file, request->sum.length, file->thread->buffer, size);
        if (result == KS_OK)
            ks_cksum_add(&request->sum, file->thread->buffer, size);
    }
    if (result == KS_OK && end < prefix)
        post(file, run_prefix);
    else
        end_opening(file, result);
}

static void read_some(struct ks_store_file_read *request)
{
    const struct ks_stored_file *file = request->file;
    const uint64_t file_size = (uint64_t)file->status.st_size;
    const uint64_t left = request->offset < file_size ? file_size - request->offset : 0;
    const size_t wanted = (size_t)smaller(left, request->capacity);
    struct ks_cksum sum = request->sum;
    enum ks_result result = KS_OK;
    size_t done = 0;
    while (done < wanted && result == KS_OK) {
        size_t size = (size_t)smaller(wanted - done, PIECE);
        result = ks_stored_file_read_at(file, request->offset + done, request->bytes + done, size);
        if (result == KS_OK)
            ks_cksum_add(&sum, request->bytes + done, size);
        done += size;
    }
    request->size = result == KS_OK ? wanted : 0;
    if (result == KS_OK)
        request->sum = sum;
    if (result == KS_INVALID)
        tell_damage(file);
    request->request.result = result;
}

/* What comes next is read by the disk while this is sent. */
static void run_read(struct ks_task *task)
{
    struct ks_store_file_read *request = KS_CONTAINER_OF(task, struct ks_store_file_read, request.task);
    const struct ks_stored_file *file = request->file;
    read_some(request);
    const uint64_t next = request->offset + request->size;
    const size_t capacity = request->capacity;
    const bool has_more = request->size == capacity && next < (uint64_t)file->status.st_size;
    ks_reply_post(&request->request, request->request.result);
    if (has_more)
        (void)posix_fadvise(file->fd, (off_t)next, (off_t)capacity, POSIX_FADV_WILLNEED);
}

void ks_stored_files_read(struct ks_stored_files *files, struct ks_store_file_read *request)
{
    (void)files;
    request->request.task.run = run_read;
    ks_executor_post(ks_thread_executor(request->file->thread->thread), &request->request.task);
}

/* ---- looking ---- */

/* Reading changes nothing, not even times; of a file that is not ours the system does not let us say so. What
 * is no regular file must not keep us waiting. */
static int open_without_trace(const struct ks_stored_file *file)
{
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = openat(file->files->directory_fd, file->row.path, flags | O_NOATIME);
    return fd < 0 && errno == EPERM ? openat(file->files->directory_fd, file->row.path, flags) : fd;
}

/* KS_PENDING for what is not the row's; a file that cannot be looked at may be. */
static enum ks_result open_file(struct ks_stored_file *file)
{
    file->fd = open_without_trace(file);
    if (file->fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO ? KS_PENDING
                                                                                       : failure_of(errno);
    enum ks_result result = fstat(file->fd, &file->status) == 0 ? KS_PENDING : failure_of(errno);
    if (result == KS_PENDING && ks_file_row_is_of(&file->row, &file->status))
        return KS_OK;
    close(file->fd);
    file->fd = -1;
    return result;
}

static void look_at_row_again(struct ks_stored_file *file);

static void run_look(struct ks_task *task)
{
    struct ks_stored_file *file = file_of(task);
    enum ks_result result = open_file(file);
    if (result == KS_PENDING) {
        file->odd_looks++;
        ks_stored_file_rest(file, look_at_row_again);
        return;
    }
    if (result == KS_OK)
        (void)posix_fadvise(file->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    if (result == KS_OK && file->request != NULL && file->request->prefix > 0)
        post(file, run_prefix);
    else
        end_opening(file, result);
}

/* KS_OK: it is worth another look. Who has opened a row wants the file of that one; the others have a name.
 */
static enum ks_result judge_row(struct ks_stored_file *file, const struct ks_file_row *now)
{
    if (ks_file_row_is_same(&file->row, now))
        return file->odd_looks == ODD_LOOKS ? KS_INVALID : KS_OK;
    file->row = *now;
    file->odd_looks = 0;
    if (file->request == NULL)
        return KS_NOT_FOUND;
    return ++file->changes < CHANGES ? KS_OK : KS_IO;
}

/* The reader's thread: the row as it is now. */
static void look_at_row_again(struct ks_stored_file *file)
{
    struct ks_file_row now;
    enum ks_result result = KS_CLOSED;
    if (!atomic_load(&file->files->closing))
        result = ks_file_reader_find(file->files->reader, &file->row.id, file->row.name, &now);
    if (result == KS_OK)
        result = judge_row(file, &now);
    if (result == KS_OK)
        post(file, run_look);
    else
        end_opening(file, result);
}

static void run_rested(struct ks_task *task)
{
    struct ks_stored_file *file = file_of(task);
    file->rested(file);
}

static void settle_turn(struct ks_task *task)
{
    task->run = run_rested;
    ks_file_reader_post(file_of(task)->files->reader, task);
}

static void apply_turn(struct ks_task *task)
{
    ks_database_writer_settle_later(file_of(task)->files->writer, task, settle_turn);
}

static void run_turn(struct ks_task *task)
{
    struct ks_stored_file *file = file_of(task);
    if (--file->turns > 0) {
        ks_vault_post(file->files->vault, task);
        return;
    }
    task->run = apply_turn;
    ks_database_writer_post(file->files->writer, task);
}

/* The reader's thread, or one of ours. */
void ks_stored_file_rest(struct ks_stored_file *file, void (*rested)(struct ks_stored_file *file))
{
    file->rested = rested;
    file->turns = CONFIRM_TURNS;
    if (atomic_load(&file->files->closing)) {
        settle_turn(&file->task);
        return;
    }
    file->task.run = run_turn;
    ks_vault_post(file->files->vault, &file->task);
}

/* ---- opening ---- */

static enum ks_result begin(struct ks_stored_files *files, struct ks_store_file_open *request)
{
    struct ks_file_row row;
    struct ks_stored_file *file = NULL;
    if (atomic_load(&files->closing))
        return KS_CLOSED;
    enum ks_result result = ks_file_reader_find(files->reader, &request->id, request->name, &row);
    if (result == KS_OK)
        result = file_new(files, &row, true, &file);
    if (result != KS_OK)
        return result;
    request->sum = ks_cksum_start();
    file->request = request;
    post(file, run_look);
    return KS_OK;
}

static void run_open(struct ks_task *task)
{
    struct ks_store_file_open *request = KS_CONTAINER_OF(task, struct ks_store_file_open, request.task);
    enum ks_result result = begin(request->request.part, request);
    if (result != KS_OK)
        ks_reply_post(&request->request, result);
}

void ks_stored_files_open(struct ks_stored_files *files, struct ks_store_file_open *request)
{
    request->request.part = files;
    request->request.task.run = run_open;
    ks_file_reader_post(files->reader, &request->request.task);
}

enum ks_result ks_stored_files_open_row(struct ks_stored_files *files, const struct ks_file_row *row,
                                        void (*opened)(struct ks_stored_file *file, enum ks_result result),
                                        void *context)
{
    struct ks_stored_file *file = NULL;
    enum ks_result result = file_new(files, row, false, &file);
    if (result != KS_OK)
        return result;
    file->opened = opened;
    file->context = context;
    post(file, run_look);
    return KS_OK;
}

/* ---- closing ---- */

static void run_release(struct ks_task *task)
{
    release(file_of(task));
}

/* Of a file that has no name any more, the space is freed by who closes it. */
static void run_close(struct ks_task *task)
{
    struct ks_stored_file *file = file_of(task);
    delist(file);
    if (file->fd < 0 || file->status.st_size < LARGE) {
        release(file);
        return;
    }
    task->run = run_release;
    ks_executor_post(ks_thread_executor(file->files->reaper), task);
}

void ks_stored_file_close(struct ks_stored_file *file)
{
    post(file, run_close);
}

/* ---- the threads ---- */

enum ks_result ks_stored_files_start(struct ks_stored_files *files)
{
    static const struct ks_thread_hooks no_hooks = {0};
    for (unsigned i = 0; i < KS_STORED_FILES_THREADS; i++) {
        struct ks_stored_files_thread *thread = &files->threads[i];
        char name[32];
        snprintf(name, sizeof name, "store-read-%u", i);
        thread->buffer = malloc(PIECE);
        if (thread->buffer == NULL)
            return KS_NO_MEMORY;
        enum ks_result result = ks_thread_start(&thread->thread, name, &no_hooks);
        if (result != KS_OK)
            return result;
    }
    return KS_OK;
}

/* First the reader's thread, which posts to the others. Whoever runs on one of them later sees `closing`. */
void ks_stored_files_close(struct ks_stored_files *files)
{
    atomic_store(&files->closing, true);
    if (files->reader->reader.thread != NULL)
        ks_thread_reach(files->reader->reader.thread);
    for (unsigned i = 0; i < KS_STORED_FILES_THREADS; i++)
        if (files->threads[i].thread != NULL)
            ks_thread_reach(files->threads[i].thread);
}

void ks_stored_files_stop(struct ks_stored_files *files)
{
    struct ks_stored_file *next = NULL;
    for (unsigned i = 0; i < KS_STORED_FILES_THREADS; i++) {
        ks_thread_stop(files->threads[i].thread);
        files->threads[i].thread = NULL;
        free(files->threads[i].buffer);
        files->threads[i].buffer = NULL;
    }
    for (struct ks_stored_file *file = files->all; file != NULL; file = next) {
        next = file->next;
        file_free(file);
    }
}

void ks_stored_files_init(struct ks_stored_files *files)
{
    pthread_mutex_init(&files->lock, NULL);
}

void ks_stored_files_destroy(struct ks_stored_files *files)
{
    pthread_mutex_destroy(&files->lock);
}
