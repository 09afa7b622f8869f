/* Unit tests of the embedded engine, src/store/sqlite: users, keys, rows, restarts and refusals. Time is set
 * by hand; the writer's tick is called on its own thread, so nothing waits for a clock.
 */
#include "store_fixture.h"

#include "store/embedded.h"
#include "store/sqlite/engine.h"
#include "store/sqlite/hash.h"
#include "store/sqlite/upkeep.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

enum { DAY = 24 * 3600 };

struct house {
    char directory[64];
    struct fixture_clock clock;
    struct ks_log log;
    struct fixture_waiter waiter;
    struct ks_store *store;
};

static enum ks_result house_try_open(struct house *house, struct ks_store **store, char *why, size_t why_size)
{
    const struct ks_embedded_options options = {
        .data_directory = house->directory,
        .clock = &house->clock.clock,
        .random = ks_random_system(),
        .log = &house->log,
        .vault_threads = 2,
    };
    return ks_embedded_open(&options, store, why, why_size);
}

static void house_open(struct house *house)
{
    char why[256];
    assert_int_equal(house_try_open(house, &house->store, why, sizeof why), KS_OK);
}

static void house_close(struct house *house)
{
    if (house->store != NULL)
        ks_store_close(house->store);
    house->store = NULL;
}

static void house_restart(struct house *house)
{
    house_close(house);
    house_open(house);
}

static int house_set_up(void **state)
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

static int house_tear_down(void **state)
{
    struct house *house = *state;
    house_close(house);
    close(house->log.fd);
    fixture_directory_remove(house->directory);
    free(house);
    return 0;
}

/* ---- requests in one line ---- */

static enum ks_result register_user(struct house *house, const char *name, const uint8_t *public_key,
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

static enum ks_result look_up(struct house *house, const struct ks_client_id *id, struct ks_user *user)
{
    struct ks_store_look_up request = {.request = fixture_request(&house->waiter), .id = *id};
    ks_store_look_up(house->store, &request);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    if (user != NULL)
        *user = request.user;
    return result;
}

static enum ks_result public_key_of(struct house *house, const struct ks_client_id *id,
                                    uint8_t public_key[static KS_PUBLIC_KEY_SIZE])
{
    struct ks_store_public_key request = {.request = fixture_request(&house->waiter), .id = *id};
    ks_store_public_key(house->store, &request);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    memcpy(public_key, request.public_key, KS_PUBLIC_KEY_SIZE);
    return result;
}

static struct ks_content_key *new_content_key(struct house *house, uint8_t byte)
{
    uint8_t bytes[KS_CONTENT_KEY_SIZE];
    memset(bytes, byte, sizeof bytes);
    struct ks_content_key *key = ks_content_key_new(bytes, ks_clock_wall_seconds(&house->clock.clock));
    assert_non_null(key);
    return key;
}

static enum ks_result set_keys(struct house *house, const struct ks_client_id *id, const uint8_t *public_key,
                               uint8_t content_byte)
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
static enum ks_result content_key_of(struct house *house, const struct ks_client_id *id, uint8_t *byte)
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

static enum ks_result drop_content_key(struct house *house, const struct ks_client_id *id,
                                       uint8_t content_byte)
{
    struct ks_store_drop_content_key request = {.request = fixture_request(&house->waiter), .id = *id};
    request.content_key = new_content_key(house, content_byte);
    ks_store_drop_content_key(house->store, &request);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    ks_content_key_release(request.content_key);
    return result;
}

static void tick(void *engine)
{
    ks_upkeep_tick(engine);
}

/* As if a second had passed on the writer's thread. */
static void house_tick(struct house *house)
{
    struct ks_engine *engine = ks_engine_of(house->store);
    fixture_call_on(ks_thread_executor(engine->writer.thread), tick, engine);
}

static void fill_public_key(uint8_t public_key[static KS_PUBLIC_KEY_SIZE], uint8_t byte)
{
    memset(public_key, byte, KS_PUBLIC_KEY_SIZE);
}

/* The first column of the first row, as text; from a connection of its own. */
static void ask_database(const struct house *house, const char *sql, char text[static 256])
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

static void assert_database(const struct house *house, const char *sql, const char *expected)
{
    char text[256];
    ask_database(house, sql, text);
    assert_string_equal(text, expected);
}

static void run_on_database(const struct house *house, const char *sql)
{
    char path[128];
    sqlite3 *database = NULL;
    snprintf(path, sizeof path, "%s/kesher.db", house->directory);
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

/* ---- users ---- */

static void a_registered_user_is_found_by_id(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    struct ks_user user;
    assert_int_equal(register_user(house, "Michael Jackson", NULL, &id), KS_OK);
    assert_int_equal(look_up(house, &id, &user), KS_OK);
    assert_string_equal(user.name, "Michael Jackson");
    assert_memory_equal(&user.id, &id, sizeof id);
    assert_false(user.has_public_key);
    id.bytes[7] ^= 1;
    assert_int_equal(look_up(house, &id, NULL), KS_NOT_FOUND);
}

static void a_name_is_taken_once_and_exactly(void **state)
{
    struct house *house = *state;
    assert_int_equal(register_user(house, "alice", NULL, NULL), KS_OK);
    assert_int_equal(register_user(house, "alice", NULL, NULL), KS_EXISTS);
    assert_int_equal(register_user(house, "Alice", NULL, NULL), KS_OK);
    assert_int_equal(register_user(house, "alice ", NULL, NULL), KS_OK);
    assert_database(house, "SELECT count(*) FROM clients", "3");
}

enum { RIVALS = 8, RIVAL_NAMES = 50 };

struct rival {
    struct house *house;
    struct fixture_waiter waiter;
    unsigned won;
    unsigned lost;
};

static void *rival_run(void *argument)
{
    struct rival *rival = argument;
    for (int i = 0; i < RIVAL_NAMES; i++) {
        struct ks_store_register request = {.request = fixture_request(&rival->waiter)};
        snprintf(request.name, sizeof request.name, "name %d", i);
        ks_store_register_user(rival->house->store, &request);
        enum ks_result result = fixture_wait(&rival->waiter, &request.request);
        rival->won += result == KS_OK;
        rival->lost += result == KS_EXISTS;
    }
    return NULL;
}

static void of_two_registrations_for_one_name_exactly_one_wins(void **state)
{
    struct house *house = *state;
    struct rival rivals[RIVALS];
    pthread_t threads[RIVALS];
    unsigned won = 0;
    unsigned lost = 0;
    for (size_t i = 0; i < RIVALS; i++) {
        rivals[i] = (struct rival){.house = house};
        fixture_waiter_init(&rivals[i].waiter);
        assert_int_equal(pthread_create(&threads[i], NULL, rival_run, &rivals[i]), 0);
    }
    for (size_t i = 0; i < RIVALS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        won += rivals[i].won;
        lost += rivals[i].lost;
        assert_int_equal(atomic_load(&rivals[i].waiter.answers), RIVAL_NAMES);
    }
    assert_int_equal(won, RIVAL_NAMES);
    assert_int_equal(lost, RIVAL_NAMES * (RIVALS - 1));
    assert_database(house, "SELECT count(*) FROM clients", "50");
}

/* The writer is held back, so both registrations are in one batch. */
struct held_writer {
    sem_t gate;
    struct fixture_call call;
};

static void writer_hold(struct house *house, struct held_writer *held)
{
    assert_int_equal(sem_init(&held->gate, 0, 0), 0);
    held->call =
        (struct fixture_call){.task.run = fixture_call_run, .function = fixture_hold, .context = &held->gate};
    assert_int_equal(sem_init(&held->call.done, 0, 0), 0);
    ks_executor_post(ks_thread_executor(ks_engine_of(house->store)->writer.thread), &held->call.task);
}

static void writer_let_go(struct held_writer *held)
{
    sem_post(&held->gate);
    while (sem_wait(&held->call.done) != 0)
        ;
}

static void one_batch_registers_a_name_once(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    struct ks_store_register requests[3];
    writer_hold(house, &held);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        requests[i] = (struct ks_store_register){.request = fixture_request(&house->waiter), .name = "twin"};
        ks_store_register_user(house->store, &requests[i]);
    }
    writer_let_go(&held);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++)
        fixture_wait(&house->waiter, &requests[i].request);
    assert_int_equal(requests[0].request.result, KS_OK);
    assert_int_equal(requests[1].request.result, KS_EXISTS);
    assert_int_equal(requests[2].request.result, KS_EXISTS);
}

static void a_restart_keeps_users_and_the_alias_key(void **state)
{
    struct house *house = *state;
    struct ks_client_id ids[20];
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    uint8_t stored[KS_PUBLIC_KEY_SIZE];
    uint8_t alias_key[KS_ALIAS_KEY_SIZE];
    struct ks_user user;
    fill_public_key(public_key, 9);
    memcpy(alias_key, ks_embedded_alias_key(house->store), sizeof alias_key);
    for (size_t i = 0; i < KS_COUNT_OF(ids); i++) {
        char name[16];
        snprintf(name, sizeof name, "user %zu", i);
        assert_int_equal(register_user(house, name, i % 2 == 0 ? NULL : public_key, &ids[i]), KS_OK);
    }
    house_restart(house);
    for (size_t i = 0; i < KS_COUNT_OF(ids); i++) {
        char name[16];
        snprintf(name, sizeof name, "user %zu", i);
        assert_int_equal(look_up(house, &ids[i], &user), KS_OK);
        assert_string_equal(user.name, name);
        assert_int_equal(user.has_public_key, i % 2);
        assert_int_equal(register_user(house, name, NULL, NULL), KS_EXISTS);
        assert_int_equal(public_key_of(house, &ids[i], stored), i % 2 == 0 ? KS_REFUSED : KS_OK);
    }
    assert_memory_equal(stored, public_key, sizeof stored);
    assert_memory_equal(alias_key, ks_embedded_alias_key(house->store), sizeof alias_key);
}

/* ---- keys ---- */

static void a_public_key_is_set_once(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    struct ks_user user;
    uint8_t first[KS_PUBLIC_KEY_SIZE];
    uint8_t second[KS_PUBLIC_KEY_SIZE];
    uint8_t stored[KS_PUBLIC_KEY_SIZE];
    uint8_t byte = 0;
    fill_public_key(first, 1);
    fill_public_key(second, 1);
    second[KS_PUBLIC_KEY_SIZE - 1] = 2;
    assert_int_equal(register_user(house, "bob", NULL, &id), KS_OK);
    assert_int_equal(public_key_of(house, &id, stored), KS_REFUSED);
    assert_int_equal(set_keys(house, &id, first, 11), KS_OK);
    assert_int_equal(look_up(house, &id, &user), KS_OK);
    assert_true(user.has_public_key);
    assert_int_equal(public_key_of(house, &id, stored), KS_OK);
    assert_memory_equal(stored, first, sizeof stored);
    /* The same key again is welcome, another one changes nothing at all. */
    assert_int_equal(set_keys(house, &id, first, 12), KS_OK);
    assert_int_equal(set_keys(house, &id, second, 13), KS_REFUSED);
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
    assert_int_equal(byte, 12);
    assert_int_equal(public_key_of(house, &id, stored), KS_OK);
    assert_memory_equal(stored, first, sizeof stored);
    assert_database(house, "SELECT hex(AESKey) FROM clients", "0C0C0C0C0C0C0C0C0C0C0C0C0C0C0C0C");
    id.bytes[0] ^= 1;
    assert_int_equal(set_keys(house, &id, first, 14), KS_NOT_FOUND);
    assert_int_equal(public_key_of(house, &id, stored), KS_NOT_FOUND);
}

static void in_one_batch_the_first_public_key_wins(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    struct ks_client_id id;
    struct ks_store_set_keys requests[2];
    uint8_t byte = 0;
    assert_int_equal(register_user(house, "bob", NULL, &id), KS_OK);
    writer_hold(house, &held);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        requests[i] = (struct ks_store_set_keys){
            .request = fixture_request(&house->waiter), .id = id, .has_public_key = true};
        fill_public_key(requests[i].public_key, (uint8_t)(i + 1));
        requests[i].content_key = new_content_key(house, (uint8_t)(i + 21));
        ks_store_set_keys(house->store, &requests[i]);
    }
    writer_let_go(&held);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++)
        fixture_wait(&house->waiter, &requests[i].request);
    assert_int_equal(requests[0].request.result, KS_OK);
    assert_int_equal(requests[1].request.result, KS_REFUSED);
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
    assert_int_equal(byte, 21);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++)
        ks_content_key_release(requests[i].content_key);
}

/* What one thread asks for takes effect in the order of asking, though the first has to wait for a commit. */
static void questions_wait_for_the_changes_asked_for_before(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    struct ks_client_id id;
    assert_int_equal(register_user(house, "bob", NULL, &id), KS_OK);
    writer_hold(house, &held);
    struct ks_store_set_keys change = {
        .request = fixture_request(&house->waiter), .id = id, .has_public_key = true};
    change.content_key = new_content_key(house, 31);
    struct ks_store_look_up look = {.request = fixture_request(&house->waiter), .id = id};
    struct ks_store_content_key content = {.request = fixture_request(&house->waiter), .id = id};
    struct ks_store_public_key public = {.request = fixture_request(&house->waiter), .id = id};
    ks_store_set_keys(house->store, &change);
    ks_store_look_up(house->store, &look);
    ks_store_content_key(house->store, &content);
    ks_store_public_key(house->store, &public);
    assert_int_equal(sem_trywait(&house->waiter.answered), -1);
    writer_let_go(&held);
    for (int i = 0; i < 4; i++)
        fixture_wait(&house->waiter, &change.request);
    assert_int_equal(change.request.result, KS_OK);
    assert_int_equal(look.request.result, KS_OK);
    assert_true(look.user.has_public_key);
    assert_int_equal(content.request.result, KS_OK);
    assert_ptr_equal(content.content_key, change.content_key);
    assert_int_equal(public.request.result, KS_OK);
    ks_content_key_release(content.content_key);
    ks_content_key_release(change.content_key);
}

static void the_ram_answers_inside_the_call(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    struct held_writer held;
    struct ks_user user;
    uint8_t byte = 0;
    fill_public_key(key, 3);
    assert_int_equal(register_user(house, "quick", key, &id), KS_OK);
    assert_int_equal(set_keys(house, &id, NULL, 33), KS_OK);
    assert_int_equal(public_key_of(house, &id, key), KS_OK);
    writer_hold(house, &held);
    assert_int_equal(look_up(house, &id, &user), KS_OK);
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
    assert_int_equal(public_key_of(house, &id, key), KS_OK);
    assert_int_equal(register_user(house, "quick", NULL, NULL), KS_EXISTS);
    writer_let_go(&held);
}

static void a_content_key_survives_a_restart_and_a_day_ends_it(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    uint8_t byte = 0;
    fill_public_key(key, 4);
    assert_int_equal(register_user(house, "carol", key, &id), KS_OK);
    assert_int_equal(content_key_of(house, &id, &byte), KS_REFUSED);
    assert_int_equal(set_keys(house, &id, NULL, 41), KS_OK);
    house_restart(house);
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
    assert_int_equal(byte, 41);
    /* A use within the day counts from there. */
    fixture_clock_forward(&house->clock, DAY - 1);
    house_tick(house);
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
    fixture_clock_forward(&house->clock, DAY - 1);
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
    fixture_clock_forward(&house->clock, DAY + 1);
    assert_int_equal(content_key_of(house, &id, &byte), KS_REFUSED);
    assert_database(house, "SELECT hex(AESKey) FROM clients", "29292929292929292929292929292929");
    house_tick(house);
    assert_database(house, "SELECT AESKey FROM clients", "NULL");
    assert_database(house, "SELECT AESKeyUsed FROM clients", "NULL");
}

static void a_stale_content_key_is_not_revived_by_a_restart(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    uint8_t byte = 0;
    fill_public_key(key, 4);
    assert_int_equal(register_user(house, "carol", key, &id), KS_OK);
    assert_int_equal(set_keys(house, &id, NULL, 42), KS_OK);
    house_close(house);
    fixture_clock_forward(&house->clock, DAY + 1);
    house_open(house);
    assert_int_equal(content_key_of(house, &id, &byte), KS_REFUSED);
    house_tick(house);
    assert_database(house, "SELECT AESKey FROM clients", "NULL");
}

static void a_dropped_content_key_is_gone_in_ram_and_on_disk(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    uint8_t byte = 0;
    fill_public_key(key, 5);
    assert_int_equal(register_user(house, "dave", key, &id), KS_OK);
    assert_int_equal(set_keys(house, &id, NULL, 51), KS_OK);
    assert_int_equal(set_keys(house, &id, NULL, 52), KS_OK);
    assert_int_equal(drop_content_key(house, &id, 51), KS_OK); /* no longer the current one */
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
    assert_int_equal(byte, 52);
    assert_int_equal(drop_content_key(house, &id, 52), KS_OK);
    assert_int_equal(content_key_of(house, &id, &byte), KS_REFUSED);
    assert_database(house, "SELECT AESKey FROM clients", "NULL");
    id.bytes[0] ^= 1;
    assert_int_equal(drop_content_key(house, &id, 52), KS_OK);
    assert_int_equal(content_key_of(house, &id, &byte), KS_NOT_FOUND);
}

static void a_used_up_content_key_is_refused(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    fill_public_key(key, 5);
    assert_int_equal(register_user(house, "erin", key, &id), KS_OK);
    assert_int_equal(set_keys(house, &id, NULL, 53), KS_OK);
    struct ks_store_content_key request = {.request = fixture_request(&house->waiter), .id = id};
    ks_store_content_key(house->store, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
    uint8_t byte = 0;
    atomic_store(&request.content_key->uses, KS_CONTENT_KEY_USES - 1);
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
    atomic_store(&request.content_key->uses, KS_CONTENT_KEY_USES);
    assert_int_equal(content_key_of(house, &id, &byte), KS_REFUSED);
    ks_content_key_release(request.content_key);
}

static void more_public_keys_than_the_cache_holds_are_all_found(void **state)
{
    struct house *house = *state;
    struct ks_key_cache *cache = ks_key_cache_new(3);
    struct ks_client_id id = {.bytes = {0}};
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    (void)house;
    assert_non_null(cache);
    for (uint8_t i = 0; i < 4; i++) {
        id.bytes[0] = i;
        fill_public_key(key, i);
        ks_key_cache_put(cache, &id, key);
        id.bytes[0] = 0; /* asked for all the time: it stays */
        assert_true(ks_key_cache_get(cache, &id, key));
        assert_int_equal(key[0], 0);
    }
    id.bytes[0] = 1;
    assert_false(ks_key_cache_get(cache, &id, key));
    for (uint8_t i = 2; i < 4; i++) {
        id.bytes[0] = i;
        assert_true(ks_key_cache_get(cache, &id, key));
        assert_int_equal(key[0], i);
        ks_key_cache_put(cache, &id, key); /* twice the same is once */
    }
    ks_key_cache_free(cache);
}

/* ---- lifetimes ---- */

static void a_user_without_a_key_is_dropped_after_a_day(void **state)
{
    struct house *house = *state;
    struct ks_client_id keyless;
    struct ks_client_id keyed;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    fill_public_key(key, 6);
    assert_int_equal(register_user(house, "keyless", NULL, &keyless), KS_OK);
    assert_int_equal(register_user(house, "keyed", key, &keyed), KS_OK);
    fixture_clock_forward(&house->clock, DAY - 1);
    house_tick(house);
    assert_int_equal(look_up(house, &keyless, NULL), KS_OK);
    fixture_clock_forward(&house->clock, 1);
    house_tick(house);
    assert_int_equal(look_up(house, &keyless, NULL), KS_NOT_FOUND);
    assert_int_equal(look_up(house, &keyed, NULL), KS_OK);
    assert_database(house, "SELECT group_concat(Name) FROM clients", "keyed");
    assert_int_equal(register_user(house, "keyless", NULL, &keyless), KS_OK);
}

static void the_day_of_a_keyless_user_counts_over_restarts(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    assert_int_equal(register_user(house, "keyless", NULL, &id), KS_OK);
    fixture_clock_forward(&house->clock, DAY);
    house_restart(house);
    house_tick(house);
    assert_int_equal(look_up(house, &id, NULL), KS_NOT_FOUND);
}

static void a_key_on_its_way_keeps_its_user(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    struct ks_client_id id;
    assert_int_equal(register_user(house, "late", NULL, &id), KS_OK);
    writer_hold(house, &held);
    fixture_clock_forward(&house->clock, DAY);
    struct ks_store_set_keys change = {
        .request = fixture_request(&house->waiter), .id = id, .has_public_key = true};
    struct ks_engine *engine = ks_engine_of(house->store);
    struct fixture_call sweep = {.task.run = fixture_call_run, .function = tick, .context = engine};
    assert_int_equal(sem_init(&sweep.done, 0, 0), 0);
    change.content_key = new_content_key(house, 61);
    ks_executor_post(ks_thread_executor(engine->writer.thread), &sweep.task);
    ks_store_set_keys(house->store, &change);
    writer_let_go(&held);
    assert_int_equal(fixture_wait(&house->waiter, &change.request), KS_OK);
    while (sem_wait(&sweep.done) != 0)
        ;
    assert_int_equal(look_up(house, &id, NULL), KS_OK);
    ks_content_key_release(change.content_key);
}

static void last_seen_is_written_within_a_minute_and_at_close(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    fill_public_key(key, 7);
    assert_int_equal(register_user(house, "seen", key, &id), KS_OK);
    assert_database(house, "SELECT LastSeen FROM clients", "2026-01-01 00:00:00");
    fixture_clock_forward(&house->clock, 10);
    ks_store_touch(house->store, &id);
    fixture_clock_forward(&house->clock, 59);
    house_tick(house);
    assert_database(house, "SELECT LastSeen FROM clients", "2026-01-01 00:00:10");
    ks_store_touch(house->store, &id);
    house_close(house);
    assert_database(house, "SELECT LastSeen FROM clients", "2026-01-01 00:01:09");
    house_open(house);
    id.bytes[0] ^= 1;
    ks_store_touch(house->store, &id); /* nobody: ignored */
}

/* ---- uploads, from a chunk to the row ---- */

static struct ks_stage *upload(struct house *house, const struct ks_client_id *id, const char *name,
                               const char *text)
{
    struct ks_store_stage_open opening = {.request = fixture_request(&house->waiter), .id = *id};
    snprintf(opening.file_name, sizeof opening.file_name, "%s", name);
    ks_store_stage_open(house->store, &opening);
    assert_int_equal(fixture_wait(&house->waiter, &opening.request), KS_OK);
    char bytes[256];
    size_t size = strlen(text);
    memcpy(bytes, text, size);
    struct ks_store_stage_write writing = {.request = fixture_request(&house->waiter),
                                           .stage = opening.stage,
                                           .bytes = (uint8_t *)bytes,
                                           .size = size,
                                           .last = true};
    ks_store_stage_write(house->store, &writing);
    assert_int_equal(fixture_wait(&house->waiter, &writing.request), KS_OK);
    return opening.stage;
}

static enum ks_result confirm(struct house *house, struct ks_stage *stage)
{
    struct ks_store_confirm request = {.request = fixture_request(&house->waiter), .stage = stage};
    ks_store_confirm(house->store, &request);
    return fixture_wait(&house->waiter, &request.request);
}

/* "files/<hex>/<name>" of a user. */
static const char *path_of(const struct ks_client_id *id, const char *name, char path[static 256])
{
    char directory[KS_NAMES_DIRECTORY_SIZE];
    ks_names_directory(id, directory);
    snprintf(path, 256, "%s/%s", directory, name);
    return path;
}

static void a_confirmed_file_has_its_row(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    char path[256];
    assert_int_equal(register_user(house, "frank", NULL, &id), KS_OK);
    struct ks_stage *stage = upload(house, &id, "C:\\papers\\a letter.txt", "dear all");
    assert_database(house, "SELECT count(*) FROM files", "0");
    assert_int_equal(confirm(house, stage), KS_OK);
    assert_true(fixture_file_is(house->directory, path_of(&id, "a letter.txt", path), "dear all"));
    assert_database(house, "SELECT PathName FROM files", path);
    assert_database(house, "SELECT FileName FROM files", "C:\\papers\\a letter.txt");
    assert_database(house, "SELECT KeptName FROM files", "a letter.txt");
    assert_database(house, "SELECT Verified FROM files", "1");
    assert_database(house, "SELECT count(*) FROM files JOIN clients USING(ID)", "1");
}

static void one_kept_name_is_one_file_and_one_row(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    char path[256];
    assert_int_equal(register_user(house, "grace", NULL, &id), KS_OK);
    assert_int_equal(confirm(house, upload(house, &id, "a/x", "first")), KS_OK);
    assert_int_equal(confirm(house, upload(house, &id, "b/x", "second")), KS_OK);
    assert_true(fixture_file_is(house->directory, path_of(&id, "x", path), "second"));
    assert_database(house, "SELECT count(*) FROM files", "1");
    assert_database(house, "SELECT FileName FROM files", "b/x");
}

static void a_restart_keeps_files_and_empties_staging(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    char path[256];
    assert_int_equal(register_user(house, "heidi", NULL, &id), KS_OK);
    assert_int_equal(confirm(house, upload(house, &id, "kept", "kept bytes")), KS_OK);
    house_close(house);
    fixture_write_file(house->directory, "staging/0000000000000001", "left by a crash");
    house_open(house);
    assert_int_equal(fixture_count_entries(house->directory, "staging"), 0);
    assert_true(fixture_file_is(house->directory, path_of(&id, "kept", path), "kept bytes"));
    assert_database(house, "SELECT PathName FROM files", path);
}

static void a_file_without_a_row_is_adopted(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    char path[256];
    assert_int_equal(register_user(house, "ivan", NULL, &id), KS_OK);
    assert_int_equal(confirm(house, upload(house, &id, "dir/kept", "kept")), KS_OK);
    house_close(house);
    fixture_write_file(house->directory, path_of(&id, "orphan", path), "a crash before the commit");
    fixture_write_file(house->directory, "files/not a user", "not ours");
    house_open(house);
    assert_database(house, "SELECT count(*) FROM files", "2");
    assert_database(house, "SELECT FileName FROM files WHERE Verified=1 AND KeptName='orphan'", "orphan");
    assert_database(house, "SELECT PathName FROM files WHERE KeptName='orphan'", path);
    assert_database(house, "SELECT FileName FROM files WHERE KeptName='kept'", "dir/kept");
    assert_true(fixture_file_is(house->directory, "files/not a user", "not ours"));
    /* And is replaced like any other. */
    assert_int_equal(confirm(house, upload(house, &id, "new/orphan", "newer")), KS_OK);
    assert_database(house, "SELECT FileName FROM files WHERE KeptName='orphan'", "new/orphan");
    assert_database(house, "SELECT count(*) FROM files", "2");
}

static void an_adopted_file_with_a_cut_name_gives_way_to_the_long_name(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    char name[201];
    assert_int_equal(register_user(house, "judy", NULL, &id), KS_OK);
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(confirm(house, upload(house, &id, name, "one")), KS_OK);
    run_on_database(house, "DELETE FROM files");
    house_restart(house);
    assert_database(house, "SELECT length(KeptName) FROM files", "120");
    assert_int_equal(confirm(house, upload(house, &id, name, "two")), KS_OK);
    assert_database(house, "SELECT count(*) FROM files", "1");
    assert_database(house, "SELECT length(KeptName) FROM files", "200");
}

static void a_row_whose_file_is_missing_is_left(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    char path[256];
    char whole[384];
    assert_int_equal(register_user(house, "karl", NULL, &id), KS_OK);
    assert_int_equal(confirm(house, upload(house, &id, "lost", "bytes")), KS_OK);
    house_close(house);
    snprintf(whole, sizeof whole, "%s/%s", house->directory, path_of(&id, "lost", path));
    assert_int_equal(unlink(whole), 0);
    house_open(house);
    assert_database(house, "SELECT count(*) FROM files", "1");
}

static void closing_with_stages_open_frees_them(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    assert_int_equal(register_user(house, "leo", NULL, &id), KS_OK);
    assert_non_null(upload(house, &id, "never confirmed", "bytes"));
    house_restart(house);
    assert_int_equal(fixture_count_entries(house->directory, "staging"), 0);
}

/* ---- refusals and failures ---- */

static void a_second_server_is_refused(void **state)
{
    struct house *house = *state;
    struct ks_store *second = NULL;
    char why[256];
    assert_int_equal(house_try_open(house, &second, why, sizeof why), KS_EXISTS);
    assert_non_null(strstr(why, "another server"));
}

static void a_database_of_a_newer_kesher_is_refused(void **state)
{
    struct house *house = *state;
    char why[256];
    house_close(house);
    run_on_database(house, "PRAGMA user_version=1000");
    assert_int_equal(house_try_open(house, &house->store, why, sizeof why), KS_INVALID);
    assert_non_null(strstr(why, "newer"));
}

static void what_is_no_database_of_ours_is_refused(void **state)
{
    struct house *house = *state;
    char why[256];
    house_close(house);
    run_on_database(house, "PRAGMA application_id=1");
    assert_int_equal(house_try_open(house, &house->store, why, sizeof why), KS_INVALID);
    assert_non_null(strstr(why, "another program"));
    fixture_write_file(house->directory, "kesher.db",
                       "These are not the bytes of a database, but longer than "
                       "the hundred bytes that SQLite calls its header.");
    assert_int_equal(house_try_open(house, &house->store, why, sizeof why), KS_INVALID);
    assert_non_null(strstr(why, "kesher.db"));
}

static void the_data_is_for_its_owner_only(void **state)
{
    struct house *house = *state;
    static const struct {
        const char *name;
        mode_t mode;
    } expected[] = {
        {"kesher.db", 0600}, {"kesher.db-wal", 0600}, {"lock", 0600}, {"staging", 0700}, {"files", 0700}};
    house_close(house);
    fixture_directory_remove(house->directory);
    mode_t before = umask(0);
    house_open(house);
    assert_int_equal(register_user(house, "mallory", NULL, NULL), KS_OK);
    umask(before);
    for (size_t i = 0; i < KS_COUNT_OF(expected); i++) {
        char path[128];
        struct stat status;
        snprintf(path, sizeof path, "%s/%s", house->directory, expected[i].name);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, expected[i].mode);
    }
}

/* No file of this process may grow beyond what it is: every commit and every chunk fails. */
static rlim_t limit_files_to(rlim_t size)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    return before;
}

static void a_failed_commit_is_told_to_all_and_the_engine_lives_on(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    struct ks_client_id id;
    struct ks_store_register requests[10];
    uint8_t byte = 0;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    fill_public_key(key, 8);
    assert_int_equal(register_user(house, "before", NULL, &id), KS_OK);
    writer_hold(house, &held);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        requests[i] = (struct ks_store_register){.request = fixture_request(&house->waiter)};
        snprintf(requests[i].name, sizeof requests[i].name, "unlucky %zu", i);
        ks_store_register_user(house->store, &requests[i]);
    }
    struct ks_store_set_keys change = {
        .request = fixture_request(&house->waiter), .id = id, .has_public_key = true};
    change.content_key = new_content_key(house, 81);
    ks_store_set_keys(house->store, &change);
    rlim_t before = limit_files_to(1024);
    writer_let_go(&held);
    for (size_t i = 0; i < KS_COUNT_OF(requests) + 1; i++)
        fixture_wait(&house->waiter, &change.request);
    limit_files_to(before);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++)
        assert_int_equal(requests[i].request.result, KS_IO);
    assert_int_equal(change.request.result, KS_IO);
    ks_content_key_release(change.content_key);
    /* Nothing of it is there, and all of it works again. */
    assert_int_equal(content_key_of(house, &id, &byte), KS_REFUSED);
    assert_int_equal(register_user(house, "unlucky 3", NULL, NULL), KS_OK);
    assert_int_equal(set_keys(house, &id, key, 82), KS_OK);
    house_restart(house);
    assert_database(house, "SELECT group_concat(Name) FROM clients", "before,unlucky 3");
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
    assert_int_equal(byte, 82);
}

static void a_failed_flush_is_tried_again(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    fill_public_key(key, 8);
    assert_int_equal(register_user(house, "patient", key, &id), KS_OK);
    fixture_clock_forward(&house->clock, 100);
    ks_store_touch(house->store, &id);
    rlim_t before = limit_files_to(1024);
    house_tick(house);
    limit_files_to(before);
    assert_database(house, "SELECT LastSeen FROM clients", "2026-01-01 00:00:00");
    fixture_clock_forward(&house->clock, 60);
    house_tick(house);
    assert_database(house, "SELECT LastSeen FROM clients", "2026-01-01 00:01:40");
}

static void a_failed_drop_of_a_keyless_user_is_tried_again(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    assert_int_equal(register_user(house, "keyless", NULL, &id), KS_OK);
    fixture_clock_forward(&house->clock, DAY);
    rlim_t before = limit_files_to(1024);
    house_tick(house);
    limit_files_to(before);
    assert_int_equal(look_up(house, &id, NULL), KS_OK);
    house_tick(house);
    assert_int_equal(look_up(house, &id, NULL), KS_NOT_FOUND);
}

static void a_full_disk_says_no_space_and_is_survived(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    char ballast[128];
    house_close(house);
    if (mount("kesher-unit", house->directory, "tmpfs", 0, "size=2m") != 0)
        skip();
    house_open(house);
    enum ks_result result = register_user(house, "first", NULL, &id);
    snprintf(ballast, sizeof ballast, "head -c 4m /dev/zero > %s/ballast 2>/dev/null", house->directory);
    int full = system(ballast);
    enum ks_result refused = KS_OK;
    for (int i = 0; i < 100 && refused == KS_OK; i++) {
        char name[16];
        snprintf(name, sizeof name, "user %d", i);
        refused = register_user(house, name, NULL, NULL);
    }
    snprintf(ballast, sizeof ballast, "%s/ballast", house->directory);
    int emptied = unlink(ballast);
    enum ks_result after = register_user(house, "after", NULL, NULL);
    house_close(house);
    assert_int_equal(umount2(house->directory, MNT_DETACH), 0);
    assert_int_equal(result, KS_OK);
    assert_int_not_equal(full, 0);
    assert_int_equal(refused, KS_NO_SPACE);
    assert_int_equal(emptied, 0);
    assert_int_equal(after, KS_OK);
}

/* ---- the hash of names ---- */

static void the_hash_of_names_is_siphash(void **state)
{
    (void)state;
    uint8_t key[KS_HASH_KEY_SIZE];
    uint8_t bytes[15];
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    /* The example in the paper's appendix. */
    assert_true(ks_hash_keyed(key, bytes, sizeof bytes) == 0xa129ca6149be45e5U);
}

#define HOUSE_TEST(function) cmocka_unit_test_setup_teardown(function, house_set_up, house_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(a_registered_user_is_found_by_id),
        HOUSE_TEST(a_name_is_taken_once_and_exactly),
        HOUSE_TEST(of_two_registrations_for_one_name_exactly_one_wins),
        HOUSE_TEST(one_batch_registers_a_name_once),
        HOUSE_TEST(a_restart_keeps_users_and_the_alias_key),
        HOUSE_TEST(a_public_key_is_set_once),
        HOUSE_TEST(in_one_batch_the_first_public_key_wins),
        HOUSE_TEST(questions_wait_for_the_changes_asked_for_before),
        HOUSE_TEST(the_ram_answers_inside_the_call),
        HOUSE_TEST(a_content_key_survives_a_restart_and_a_day_ends_it),
        HOUSE_TEST(a_stale_content_key_is_not_revived_by_a_restart),
        HOUSE_TEST(a_dropped_content_key_is_gone_in_ram_and_on_disk),
        HOUSE_TEST(a_used_up_content_key_is_refused),
        HOUSE_TEST(more_public_keys_than_the_cache_holds_are_all_found),
        HOUSE_TEST(a_user_without_a_key_is_dropped_after_a_day),
        HOUSE_TEST(the_day_of_a_keyless_user_counts_over_restarts),
        HOUSE_TEST(a_key_on_its_way_keeps_its_user),
        HOUSE_TEST(last_seen_is_written_within_a_minute_and_at_close),
        HOUSE_TEST(a_confirmed_file_has_its_row),
        HOUSE_TEST(one_kept_name_is_one_file_and_one_row),
        HOUSE_TEST(a_restart_keeps_files_and_empties_staging),
        HOUSE_TEST(a_file_without_a_row_is_adopted),
        HOUSE_TEST(an_adopted_file_with_a_cut_name_gives_way_to_the_long_name),
        HOUSE_TEST(a_row_whose_file_is_missing_is_left),
        HOUSE_TEST(closing_with_stages_open_frees_them),
        HOUSE_TEST(a_second_server_is_refused),
        HOUSE_TEST(a_database_of_a_newer_kesher_is_refused),
        HOUSE_TEST(what_is_no_database_of_ours_is_refused),
        HOUSE_TEST(the_data_is_for_its_owner_only),
        HOUSE_TEST(a_failed_commit_is_told_to_all_and_the_engine_lives_on),
        HOUSE_TEST(a_failed_flush_is_tried_again),
        HOUSE_TEST(a_failed_drop_of_a_keyless_user_is_tried_again),
        HOUSE_TEST(a_full_disk_says_no_space_and_is_survived),
        cmocka_unit_test(the_hash_of_names_is_siphash),
    };
    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
