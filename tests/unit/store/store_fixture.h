/* store_fixture.h — what the tests of src/store share: a data directory that goes away, a clock set by hand,
 * and a way to ask and wait for the answer.
 */
#ifndef KS_TESTS_UNIT_STORE_STORE_FIXTURE_H
#define KS_TESTS_UNIT_STORE_STORE_FIXTURE_H

#include "unit/unit.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/embedded/vault/names.h"
#include "store/store.h"

#include <fcntl.h>
#include <ftw.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a clock by hand ---- */

struct fixture_clock {
    struct ks_clock clock;
    _Atomic uint64_t seconds; /* since the start of the test, and of the world less the start of 2026 */
    _Atomic int64_t jump;     /* that the clock on the wall has made */
};

enum { FIXTURE_WALL_START = 1767225600 };

static inline uint64_t fixture_monotonic_ms(const struct ks_clock *clock)
{
    const struct fixture_clock *fixture = (const struct fixture_clock *)(const void *)clock;
    return atomic_load(&fixture->seconds) * 1000U;
}

static inline int64_t fixture_wall_seconds(const struct ks_clock *clock)
{
    const struct fixture_clock *fixture = (const struct fixture_clock *)(const void *)clock;
    return (int64_t)atomic_load(&fixture->seconds) + atomic_load(&fixture->jump) + FIXTURE_WALL_START;
}

static inline void fixture_clock_init(struct fixture_clock *clock)
{
    clock->clock.monotonic_ms = fixture_monotonic_ms;
    clock->clock.wall_seconds = fixture_wall_seconds;
    atomic_init(&clock->seconds, 0);
    atomic_init(&clock->jump, 0);
}

static inline void fixture_clock_forward(struct fixture_clock *clock, uint64_t seconds)
{
    atomic_fetch_add(&clock->seconds, seconds);
}

/* Somebody sets the clock on the wall; no time passes. */
static inline void fixture_clock_jump(struct fixture_clock *clock, int64_t seconds)
{
    atomic_fetch_add(&clock->jump, seconds);
}

/* ---- a directory ---- */

static inline void fixture_directory_make(char path[static 64])
{
    strcpy(path, "/tmp/kesher-unit-XXXXXX");
    assert_non_null(mkdtemp(path));
}

static inline int fixture_remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void fixture_directory_remove(const char *path)
{
    assert_int_equal(nftw(path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* How many entries a directory has; -1 when it is not there. */
static inline int fixture_count_entries(const char *directory, const char *name)
{
    char command[256];
    int count = -1;
    snprintf(command, sizeof command, "ls -A '%s/%s' 2>/dev/null | wc -l", directory, name);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%d", &count), 1);
    pclose(pipe);
    return count;
}

/* How many files are being removed, of all users. */
static inline int fixture_count_removed(const char *directory)
{
    char command[256];
    int count = -1;
    snprintf(command, sizeof command, "find '%s/files' -name '\\\\removed-*' | wc -l", directory);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%d", &count), 1);
    pclose(pipe);
    return count;
}

static inline void fixture_write_file(const char *directory, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static inline bool fixture_file_is(const char *directory, const char *name, const char *text)
{
    char path[512];
    char found[256] = "";
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    size_t size = fread(found, 1, sizeof found - 1, file);
    fclose(file);
    return size == strlen(text) && memcmp(found, text, size) == 0;
}

/* ---- paths in files/ ---- */

/* Made of the key of the store, or vault, that was opened last; stays when that is closed. */
static struct ks_alias_key *fixture_aliases;

static inline void fixture_use_aliases(const uint8_t key[static KS_ALIAS_KEY_SIZE])
{
    ks_alias_key_free(fixture_aliases);
    assert_int_equal(ks_alias_key_new(key, &fixture_aliases), KS_OK);
}

static inline void fixture_forget_aliases(void)
{
    ks_alias_key_free(fixture_aliases);
    fixture_aliases = NULL;
}

/* "files/<alias>" of a user. */
static inline const char *fixture_directory_of(const struct ks_client_id *id,
                                               char path[static KS_NAMES_DIRECTORY_SIZE])
{
    ks_names_directory(fixture_aliases, id, path);
    return path;
}

/* "files/<alias>/<name>". */
static inline const char *path_of(const struct ks_client_id *id, const char *name, char path[static 256])
{
    char directory[KS_NAMES_DIRECTORY_SIZE];
    snprintf(path, 256, "%s/%s", fixture_directory_of(id, directory), name);
    return path;
}

/* ---- ask and wait ---- */

/* One request at a time: `done` runs wherever the engine answers, and wakes whoever waits. */
struct fixture_waiter {
    struct ks_executor executor;
    sem_t answered;
    _Atomic unsigned answers; /* one for each request, never two */
};

static inline void fixture_run_at_once(struct ks_executor *executor, struct ks_task *task)
{
    (void)executor;
    task->run(task);
}

static inline void fixture_waiter_init(struct fixture_waiter *waiter)
{
    waiter->executor.post = fixture_run_at_once;
    assert_int_equal(sem_init(&waiter->answered, 0, 0), 0);
    atomic_init(&waiter->answers, 0);
}

static inline void fixture_answered(struct ks_store_request *request)
{
    struct fixture_waiter *waiter = KS_CONTAINER_OF(request->reply_to, struct fixture_waiter, executor);
    atomic_fetch_add(&waiter->answers, 1);
    sem_post(&waiter->answered);
}

static inline struct ks_store_request fixture_request(struct fixture_waiter *waiter)
{
    return (struct ks_store_request){.reply_to = &waiter->executor, .done = fixture_answered};
}

/* For one answer, of whichever request: where several are under way, the result of none may be read before
 * all of them are answered. */
static inline void fixture_wait_for_answer(struct fixture_waiter *waiter)
{
    while (sem_wait(&waiter->answered) != 0)
        ;
}

/* For the answer to the only request that is under way. */
static inline enum ks_result fixture_wait(struct fixture_waiter *waiter,
                                          const struct ks_store_request *request)
{
    fixture_wait_for_answer(waiter);
    return request->result;
}

/* ---- a task and its end ---- */

struct fixture_call {
    struct ks_task task;
    void (*function)(void *context);
    void *context;
    sem_t done;
};

static inline void fixture_call_run(struct ks_task *task)
{
    struct fixture_call *call = KS_CONTAINER_OF(task, struct fixture_call, task);
    if (call->function != NULL)
        call->function(call->context);
    sem_post(&call->done);
}

/* Has `function` (or nothing) run on a thread, behind all that was posted there, and waits for it. */
static inline void fixture_call_on(struct ks_executor *executor, void (*function)(void *context),
                                   void *context)
{
    struct fixture_call call = {.task.run = fixture_call_run, .function = function, .context = context};
    assert_int_equal(sem_init(&call.done, 0, 0), 0);
    ks_executor_post(executor, &call.task);
    while (sem_wait(&call.done) != 0)
        ;
    sem_destroy(&call.done);
}

/* A function for such a call that keeps its thread busy until the semaphore is posted. */
static inline void fixture_hold(void *semaphore)
{
    sem_t *gate = semaphore;
    while (sem_wait(gate) != 0)
        ;
}

/* A log that nobody reads. */
static inline struct ks_log fixture_log(void)
{
    return (struct ks_log){.fd = open("/dev/null", O_WRONLY | O_CLOEXEC), .level = KS_LOG_DEBUG};
}

#endif
