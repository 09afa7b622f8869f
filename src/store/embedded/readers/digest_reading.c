/* digest_reading.c — see digest_reading.h. */
#include "store/embedded/readers/digest_reading.h"

#include "store/embedded/vault/sweep.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

enum {
    PIECE = 256 * 1024,      /* read and computed while it is in cache */
    SLICE = 4 * 1024 * 1024, /* after which it is asked whether the file is still wanted */
    LARGE = 8 * 1024 * 1024, /* of larger files, what is read here alone does not stay in memory */
    NAP_NS = 10 * 1000 * 1000,
    NAPS = 10, /* before a slice, at most: a server that is always busy gets there, too */
};

/* Whether it is still the file that was opened: nobody should change it. Of one that has no name the space is
 * wanted. */
static enum ks_result judge_still(const struct ks_stored_file *file)
{
    struct stat status;
    if (fstat(file->fd, &status) != 0)
        return KS_IO;
    if (status.st_nlink == 0)
        return KS_NOT_FOUND;
    bool is_same = ks_sweep_written(&status) == ks_sweep_written(&file->status) &&
                   status.st_size == file->status.st_size;
    return is_same ? KS_OK : KS_INVALID;
}

/* Reads the next bytes into the buffer. What others have in memory is left there: they may be about to read
 * it again. What the disk does not give counts as damaged: it would be read for ever. */
static enum ks_result read_bytes(const struct ks_digest_reading *reading, uint64_t file_size, size_t size)
{
    const off_t offset = (off_t)reading->sum.length;
    const struct iovec piece = {.iov_base = reading->buffer, .iov_len = size};
    if (preadv2(reading->file->fd, &piece, 1, offset, RWF_NOWAIT) == (ssize_t)size)
        return KS_OK;
    enum ks_result result = ks_stored_file_read_at(reading->file, reading->sum.length, reading->buffer, size);
    if (file_size >= LARGE)
        (void)posix_fadvise(reading->file->fd, offset, (off_t)size, POSIX_FADV_DONTNEED);
    return result == KS_IO ? KS_INVALID : result;
}

static enum ks_result read_piece(struct ks_digest_reading *reading, uint64_t file_size)
{
    const uint64_t left = file_size - reading->sum.length;
    const size_t size = left < PIECE ? (size_t)left : PIECE;
    enum ks_result result = read_bytes(reading, file_size, size);
    if (result == KS_OK)
        result = ks_digest_add(reading->digest, reading->buffer, size);
    if (result == KS_OK)
        ks_cksum_add(&reading->sum, reading->buffer, size);
    return result;
}

static enum ks_result end_reading(struct ks_digest_reading *reading)
{
    const struct ks_file_row *row = &reading->file->row;
    enum ks_result result = judge_still(reading->file);
    if (result == KS_OK && row->has_cksum && ks_cksum_value(&reading->sum) != row->cksum)
        result = KS_INVALID;
    return result == KS_OK ? ks_digest_finish(reading->digest, reading->sha256) : result;
}

static bool is_cancelled(const struct ks_digest_reading *reading)
{
    return atomic_load_explicit(&reading->is_cancelled, memory_order_relaxed);
}

/* That a thread is the last to get a core and the disk does not help where a disk cannot tell whose turn it
 * is.
 */
static void let_others_go_first(const struct ks_digest_reading *reading)
{
    const struct timespec nap = {.tv_nsec = NAP_NS};
    for (int i = 0; i < NAPS && reading->has_to_wait != NULL; i++) {
        if (is_cancelled(reading) || !reading->has_to_wait(reading))
            return;
        (void)nanosleep(&nap, NULL);
    }
}

/* KS_MORE when there is more to read. */
static enum ks_result read_slice(struct ks_digest_reading *reading)
{
    const struct ks_stored_file *file = reading->file;
    const uint64_t file_size = (uint64_t)file->status.st_size;
    const uint64_t from = reading->sum.length;
    enum ks_result result = judge_still(file);
    while (result == KS_OK && reading->sum.length < file_size && reading->sum.length - from < SLICE)
        result = is_cancelled(reading) ? KS_CLOSED : read_piece(reading, file_size);
    if (result == KS_OK && reading->sum.length < file_size)
        return KS_MORE;
    return result == KS_OK ? end_reading(reading) : result;
}

/* The stream may have been left in the middle. */
static enum ks_result read_file(struct ks_digest_reading *reading)
{
    enum ks_result result = ks_digest_finish(reading->digest, reading->sha256);
    /* Nothing is read ahead, so that it shows which pieces others have in memory. */
    (void)posix_fadvise(reading->file->fd, 0, 0, POSIX_FADV_RANDOM);
    reading->sum = ks_cksum_start();
    if (result == KS_OK)
        result = KS_MORE;
    while (result == KS_MORE) {
        let_others_go_first(reading);
        result = read_slice(reading);
    }
    return result;
}

static void run_finished(struct ks_task *task)
{
    struct ks_digest_reading *reading = KS_CONTAINER_OF(task, struct ks_digest_reading, task);
    reading->finished(reading);
}

static void run_reading(struct ks_task *task)
{
    struct ks_digest_reading *reading = KS_CONTAINER_OF(task, struct ks_digest_reading, task);
    reading->result = read_file(reading);
    task->run = run_finished;
    ks_file_reader_post(reading->reader, task);
}

void ks_digest_reading_begin(struct ks_digest_reading *reading)
{
    reading->task.run = run_reading;
    ks_executor_post(ks_thread_executor(reading->thread), &reading->task);
}

void ks_digest_reading_cancel(struct ks_digest_reading *reading)
{
    atomic_store_explicit(&reading->is_cancelled, true, memory_order_relaxed);
}

enum ks_result ks_digest_reading_start(struct ks_digest_reading *reading, const char *name,
                                       const struct ks_thread_hooks *hooks)
{
    reading->buffer = malloc(PIECE);
    if (reading->buffer == NULL)
        return KS_NO_MEMORY;
    enum ks_result result = ks_digest_new(&reading->digest);
    return result == KS_OK ? ks_thread_start(&reading->thread, name, hooks) : result;
}

void ks_digest_reading_stop(struct ks_digest_reading *reading)
{
    ks_digest_reading_cancel(reading);
    ks_thread_stop(reading->thread);
    reading->thread = NULL;
}

void ks_digest_reading_free(struct ks_digest_reading *reading)
{
    ks_digest_free(reading->digest);
    free(reading->buffer);
    reading->digest = NULL;
    reading->buffer = NULL;
}
