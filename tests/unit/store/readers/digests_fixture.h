/* digests_fixture.h — asking for a SHA-256, and the threads that compute it: held, and with a memory that has
 * of a file what a test wants. */
#ifndef KS_TESTS_UNIT_STORE_READERS_DIGESTS_FIXTURE_H
#define KS_TESTS_UNIT_STORE_READERS_DIGESTS_FIXTURE_H

#include "unit/store/own_files_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

static inline void sha256_of(const void *bytes, size_t size, uint8_t sha256[static KS_SHA256_SIZE])
{
    assert_int_equal(ks_sha256(bytes, size, sha256), KS_OK);
}

/* ---- asking ---- */

static inline struct ks_store_digest_file digest_request(struct house *house, const struct ks_client_id *id,
                                                         const char *name)
{
    struct ks_store_digest_file request = {.request = fixture_request(&house->waiter), .id = *id};
    snprintf(request.name, sizeof request.name, "%s", name);
    return request;
}

static inline enum ks_result digest(struct house *house, const struct ks_client_id *id, const char *name,
                                    uint8_t sha256[static KS_SHA256_SIZE])
{
    struct ks_store_digest_file request = digest_request(house, id, name);
    ks_store_digest_file(house->store, &request);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    memcpy(sha256, request.sha256, KS_SHA256_SIZE);
    return result;
}

static inline enum ks_result try_digest(struct house *house, const struct ks_client_id *id, const char *name)
{
    uint8_t sha256[KS_SHA256_SIZE];
    return digest(house, id, name, sha256);
}

static inline void assert_digest(struct house *house, const struct ks_client_id *id, const char *name,
                                 const char *text)
{
    uint8_t expected[KS_SHA256_SIZE];
    uint8_t sha256[KS_SHA256_SIZE];
    sha256_of(text, strlen(text), expected);
    assert_int_equal(digest(house, id, name, sha256), KS_OK);
    assert_memory_equal(sha256, expected, sizeof expected);
    const struct ks_file_facts facts = facts_of(house, id, name);
    assert_true(facts.has_sha256);
    assert_memory_equal(facts.sha256, expected, sizeof expected);
}

/* ---- the threads that compute ---- */

/* Of a machine that has more to do, the one in the background gets nothing: here, they are like others. The
 * name is the linker's. NOLINTBEGIN(bugprone-reserved-identifier) */
int __wrap_pthread_setschedparam(pthread_t thread, int policy, const struct sched_param *parameters);
int __wrap_pthread_setschedparam(pthread_t thread, int policy, const struct sched_param *parameters)
{
    (void)thread;
    (void)parameters;
    assert_int_equal(policy, SCHED_IDLE);
    return 0;
}

static atomic_bool nothing_is_in_memory;
static atomic_uint dropped; /* pieces that were not to stay in memory */

ssize_t __real_preadv64v2(int fd, const struct iovec *pieces, int count, off_t offset, int flags);
ssize_t __wrap_preadv64v2(int fd, const struct iovec *pieces, int count, off_t offset, int flags);
ssize_t __wrap_preadv64v2(int fd, const struct iovec *pieces, int count, off_t offset, int flags)
{
    if (!nothing_is_in_memory)
        return __real_preadv64v2(fd, pieces, count, offset, flags & ~RWF_NOWAIT); /* tmpfs refuses the flag */
    errno = EAGAIN;
    return -1;
}

static atomic_bool files_are_unreadable; /* by pread(2) */

ssize_t __real_pread64(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *bytes, size_t size, off_t offset)
{
    if (!files_are_unreadable)
        return __real_pread64(fd, bytes, size, offset);
    errno = EIO;
    return -1;
}

static atomic_bool files_are_unseen; /* by fstat(2) */

int __real_fstat64(int fd, struct stat *status);
int __wrap_fstat64(int fd, struct stat *status);
int __wrap_fstat64(int fd, struct stat *status)
{
    if (!files_are_unseen)
        return __real_fstat64(fd, status);
    errno = EIO;
    return -1;
}

int __wrap_posix_fadvise64(int fd, off_t offset, off_t size, int advice);
int __wrap_posix_fadvise64(int fd, off_t offset, off_t size, int advice)
{
    (void)fd;
    (void)offset;
    (void)size;
    dropped += advice == POSIX_FADV_DONTNEED ? 1 : 0;
    return 0;
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* They are kept busy, so that the files that they were given stay unread. */
struct held_threads {
    sem_t gate;
    struct fixture_call calls[2];
};

static inline void threads_hold(struct house *house, struct held_threads *held)
{
    struct ks_digests *digests = &ks_engine_of(house->store)->digests;
    struct ks_thread *const threads[] = {digests->urgent.reading.thread, digests->background.reading.thread};
    assert_int_equal(sem_init(&held->gate, 0, 0), 0);
    for (size_t i = 0; i < KS_COUNT_OF(threads); i++) {
        held->calls[i] = (struct fixture_call){
            .task.run = fixture_call_run, .function = fixture_hold, .context = &held->gate};
        assert_int_equal(sem_init(&held->calls[i].done, 0, 0), 0);
        ks_executor_post(ks_thread_executor(threads[i]), &held->calls[i].task);
    }
}

static inline void threads_open_gate(struct held_threads *held)
{
    for (size_t i = 0; i < KS_COUNT_OF(held->calls); i++)
        sem_post(&held->gate);
}

static inline void threads_let_go(struct held_threads *held)
{
    threads_open_gate(held);
    for (size_t i = 0; i < KS_COUNT_OF(held->calls); i++)
        fixture_hold(&held->calls[i].done);
}

/* Whatever can be opened is open, and waits for its thread. */
static inline void openings_settle(struct house *house)
{
    struct ks_engine *engine = ks_engine_of(house->store);
    for (unsigned round = 0; round < 4; round++) {
        ks_thread_reach(engine->file_reader.reader.thread);
        for (unsigned i = 0; i < KS_STORED_FILES_THREADS; i++)
            ks_thread_reach(engine->stored_files.threads[i].thread);
    }
}

static inline uint64_t count_unknown(const struct house *house)
{
    struct ks_embedded_statistics statistics;
    ks_embedded_statistics(house->store, &statistics);
    return statistics.files_without_sha256;
}

/* Nobody has asked, and all are computed: neither is left in a row, nor counted. */
static inline void wait_until_all_is_known(const struct house *house)
{
    char text[256] = "";
    while (strcmp(text, "0") != 0 || count_unknown(house) != 0) {
        usleep(10 * 1000);
        ask_database(house, "SELECT count(*) FROM files WHERE SHA256 IS NULL", text);
    }
}

#endif
