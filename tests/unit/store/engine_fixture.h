/* engine_fixture.h — a house for the tests of the embedded engine: opened over a directory of its own, asked
 * in one line, restarted at will. Time is set by hand; the writer's tick is called on its own thread, so
 * nothing waits for a clock.
 */
#ifndef KS_TESTS_UNIT_STORE_ENGINE_FIXTURE_H
#define KS_TESTS_UNIT_STORE_ENGINE_FIXTURE_H

#include "unit/store/store_fixture.h"

#include "store/embedded/embedded.h"
#include "store/embedded/engine.h"
#include "store/embedded/upkeep.h"

#include <sys/resource.h>

enum { DAY = 24 * 3600 };

struct house {
    char directory[64];
    /* For the next opening. */
    const struct ks_random *random; /* NULL: the system's */
    int64_t lease_lifetime_ms;
    enum ks_result (*skeleton)(const char *name, size_t size, char skeleton[KS_SKELETON_SIZE]);
    struct ks_store_limits limits; /* none at first; may be changed at any time */
    struct fixture_clock clock;
    struct ks_log log;
    struct fixture_waiter waiter;
    struct ks_store *store;
};

static inline enum ks_result house_try_open(struct house *house, struct ks_store **store, char *why,
                                            size_t why_size)
{
    const struct ks_embedded_options options = {
        .data_directory = house->directory,
        .clock = &house->clock.clock,
        .random = house->random != NULL ? house->random : ks_random_system(),
        .log = &house->log,
        .vault_threads = 2,
        .lease_lifetime_ms = house->lease_lifetime_ms,
        .limits = &house->limits,
        .skeleton = house->skeleton,
    };
    return ks_embedded_open(&options, store, why, why_size);
}

static inline void house_open(struct house *house)
{
    char why[256];
    assert_int_equal(house_try_open(house, &house->store, why, sizeof why), KS_OK);
    fixture_use_aliases(ks_embedded_alias_key(house->store));
}

static inline void house_close(struct house *house)
{
    if (house->store != NULL)
        ks_store_close(house->store);
    house->store = NULL;
}

static inline void house_restart(struct house *house)
{
    house_close(house);
    house_open(house);
}

static inline int house_set_up(void **state)
{
    struct house *house = calloc(1, sizeof *house);
    assert_non_null(house);
    fixture_directory_make(house->directory);
    fixture_clock_init(&house->clock);
    fixture_waiter_init(&house->waiter);
    house->log = fixture_log();
    house_open(house);
    *state = house;
    return 0;
}

static inline int house_tear_down(void **state)
{
    struct house *house = *state;
    house_close(house);
    fixture_forget_aliases();
    close(house->log.fd);
    fixture_directory_remove(house->directory);
    free(house);
    return 0;
}

/* ---- requests in one line ---- */

static inline enum ks_result register_user(struct house *house, const char *name, const uint8_t *public_key,
                                           struct ks_client_id *id)
{
    struct ks_store_register request = {.request = fixture_request(&house->waiter)};
    snprintf(request.name, sizeof request.name, "%s", name);
    request.has_public_key = public_key != NULL;
    if (public_key != NULL)
        memcpy(request.public_key, public_key, sizeof request.public_key);
    ks_store_register_user(house->store, &request);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    if (id != NULL)
        *id = request.id;
    return result;
}

static inline enum ks_result look_up(struct house *house, const struct ks_client_id *id, struct ks_user *user)
{
    struct ks_store_look_up request = {.request = fixture_request(&house->waiter), .id = *id};
    ks_store_look_up(house->store, &request);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    if (user != NULL)
        *user = request.user;
    return result;
}

static inline enum ks_result public_key_of(struct house *house, const struct ks_client_id *id,
                                           uint8_t public_key[static KS_PUBLIC_KEY_SIZE])
{
    struct ks_store_public_key request = {.request = fixture_request(&house->waiter), .id = *id};
    ks_store_public_key(house->store, &request);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    memcpy(public_key, request.public_key, KS_PUBLIC_KEY_SIZE);
    return result;
}

static inline struct ks_content_key *new_content_key(struct house *house, uint8_t byte)
{
    uint8_t bytes[KS_CONTENT_KEY_SIZE];
    memset(bytes, byte, sizeof bytes);
    struct ks_content_key *key = ks_content_key_new(bytes, ks_clock_steady_seconds(&house->clock.clock));
    assert_non_null(key);
    return key;
}

static inline enum ks_result set_keys(struct house *house, const struct ks_client_id *id,
                                      const uint8_t *public_key, uint8_t content_byte)
{
    struct ks_store_set_keys request = {.request = fixture_request(&house->waiter), .id = *id};
    request.has_public_key = public_key != NULL;
    if (public_key != NULL)
        memcpy(request.public_key, public_key, sizeof request.public_key);
    request.content_key = new_content_key(house, content_byte);
    ks_store_set_keys(house->store, &request);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    ks_content_key_release(request.content_key);
    return result;
}

/* *byte: what the key is filled with. */
static inline enum ks_result content_key_of(struct house *house, const struct ks_client_id *id, uint8_t *byte)
{
    struct ks_store_content_key request = {.request = fixture_request(&house->waiter), .id = *id};
    ks_store_content_key(house->store, &request);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    if (result == KS_OK) {
        *byte = request.content_key->bytes[KS_CONTENT_KEY_SIZE - 1];
        ks_content_key_release(request.content_key);
    }
    return result;
}

static inline enum ks_result drop_content_key_where(struct house *house, const struct ks_client_id *id,
                                                    uint8_t content_byte, bool only_on_disk)
{
    struct ks_store_drop_content_key request = {
        .request = fixture_request(&house->waiter), .id = *id, .only_on_disk = only_on_disk};
    request.content_key = new_content_key(house, content_byte);
    ks_store_drop_content_key(house->store, &request);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    ks_content_key_release(request.content_key);
    return result;
}

static inline enum ks_result drop_content_key(struct house *house, const struct ks_client_id *id,
                                              uint8_t content_byte)
{
    return drop_content_key_where(house, id, content_byte, false);
}

static inline void tick(void *engine)
{
    ks_upkeep_tick(engine);
}

/* As if a second had passed on the writer's thread. */
static inline void house_tick(struct house *house)
{
    struct ks_engine *engine = ks_engine_of(house->store);
    fixture_call_on(ks_thread_executor(engine->writer.thread), tick, engine);
}

/* The same, and all that it has begun: every step posts the next one, to the writer or to the reaper, before
 * its batch is over. What is asked of a thread may be in the batch of the step before, but asking again is
 * behind it: so each round sees at least one step through. */
static inline void house_tick_through(struct house *house)
{
    enum { ROUNDS = 16 };
    struct ks_engine *engine = ks_engine_of(house->store);
    house_tick(house);
    for (int round = 0; round < ROUNDS; round++) {
        ks_thread_reach(engine->writer.thread);
        ks_thread_reach(engine->reaper);
    }
}

static inline void fill_public_key(uint8_t public_key[static KS_PUBLIC_KEY_SIZE], uint8_t byte)
{
    memset(public_key, byte, KS_PUBLIC_KEY_SIZE);
}

/* The first column of the first row, as text; from a connection of its own. */
static inline void ask_database(const struct house *house, const char *sql, char text[static 256])
{
    char path[128];
    sqlite3 *database = NULL;
    sqlite3_stmt *statement = NULL;
    snprintf(path, sizeof path, "%s/kesher.db", house->directory);
    assert_int_equal(sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
    strcpy(text, "no row");
    if (sqlite3_step(statement) == SQLITE_ROW)
        snprintf(text, 256, "%s",
                 sqlite3_column_type(statement, 0) == SQLITE_NULL
                     ? "NULL"
                     : (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_close(database);
}

static inline void assert_database(const struct house *house, const char *sql, const char *expected)
{
    char text[256];
    ask_database(house, sql, text);
    assert_string_equal(text, expected);
}

static inline void run_on_database(const struct house *house, const char *sql)
{
    char path[128];
    sqlite3 *database = NULL;
    snprintf(path, sizeof path, "%s/kesher.db", house->directory);
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

/* What this kesher's tables have that those before own files, and before accounts, had not, undone. */
#define BEFORE_OWN_FILES "DROP INDEX files_without_sha256; ALTER TABLE files DROP COLUMN SHA256;"
#define BEFORE_ACCOUNTS                                                                                      \
    BEFORE_OWN_FILES                                                                                         \
    "DROP INDEX clients_skeleton; ALTER TABLE clients DROP COLUMN Skeleton;"                                 \
    "DROP TABLE accounts; DROP TABLE invitations; DROP TABLE retired;"

/* ---- a batch by hand ---- */

/* The writer is kept busy, so that all that is posted meanwhile is in one batch. */
struct held_writer {
    sem_t reached;
    sem_t gate;
    struct fixture_call call;
};

static inline void writer_stay_here(void *context)
{
    struct held_writer *held = context;
    sem_post(&held->reached);
    fixture_hold(&held->gate);
}

/* Posts what will keep the writer busy. */
static inline void writer_hold_later(struct house *house, struct held_writer *held)
{
    assert_int_equal(sem_init(&held->reached, 0, 0), 0);
    assert_int_equal(sem_init(&held->gate, 0, 0), 0);
    held->call =
        (struct fixture_call){.task.run = fixture_call_run, .function = writer_stay_here, .context = held};
    assert_int_equal(sem_init(&held->call.done, 0, 0), 0);
    ks_executor_post(ks_thread_executor(ks_engine_of(house->store)->writer.thread), &held->call.task);
}

/* Returns when the writer is busy: what is posted from then on is not in the batch that keeps it so. */
static inline void writer_hold(struct house *house, struct held_writer *held)
{
    writer_hold_later(house, held);
    fixture_hold(&held->reached);
}

static inline void writer_let_go(struct held_writer *held)
{
    sem_post(&held->gate);
    while (sem_wait(&held->call.done) != 0)
        ;
}

/* A moment in which all that was posted before is applied, and not committed. */
struct middle_of_a_batch {
    sem_t reached;
    sem_t gate;
    struct fixture_call stay;
};

static inline void middle_stay_here(void *context)
{
    struct middle_of_a_batch *middle = context;
    sem_post(&middle->reached);
    fixture_hold(&middle->gate);
}

/* Posts it; the writer is held meanwhile, so that it is in one batch with what was posted before. */
static inline void middle_stay(struct house *house, struct middle_of_a_batch *middle)
{
    middle->stay =
        (struct fixture_call){.task.run = fixture_call_run, .function = middle_stay_here, .context = middle};
    assert_int_equal(sem_init(&middle->reached, 0, 0), 0);
    assert_int_equal(sem_init(&middle->gate, 0, 0), 0);
    assert_int_equal(sem_init(&middle->stay.done, 0, 0), 0);
    ks_executor_post(ks_thread_executor(ks_engine_of(house->store)->writer.thread), &middle->stay.task);
}

static inline void middle_reach(struct middle_of_a_batch *middle)
{
    fixture_hold(&middle->reached);
}

static inline void middle_leave(struct middle_of_a_batch *middle)
{
    sem_post(&middle->gate);
    fixture_hold(&middle->stay.done);
}

/* ---- a disk that refuses ---- */

/* No file of this process may grow beyond `size`: every commit and every chunk fails. Returns the limit
 * before. SIGXFSZ must be ignored. */
static inline rlim_t limit_files_to(rlim_t size)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    return before;
}

#define HOUSE_TEST(function) cmocka_unit_test_setup_teardown(function, house_set_up, house_tear_down)

#endif
