/* Unit tests of waiting messages in the embedded engine, src/store/embedded and src/store/embedded/vault:
 * contents that lie in messages/, and what a start makes of what it finds. */
#include "unit/store/messages_fixture.h"

#include "store/embedded/vault/vault_internal.h"

/* The path of the only, or the first, content in messages/. */
static const char *place_of_first(const struct house *house, char path[static 512])
{
    char place[256];
    ask_database(house, "SELECT Place FROM messages WHERE Place IS NOT NULL ORDER BY ID LIMIT 1", place);
    snprintf(path, 512, "%s/%s", house->directory, place);
    return path;
}

/* Behind the text are the sums of its pieces. */
static bool begins_with(const struct house *house, const char *name, const char *text)
{
    char path[512];
    char found[256] = "";
    snprintf(path, sizeof path, "%s/%s", house->directory, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(found, 1, sizeof found, file);
    fclose(file);
    return size == strlen(text) + ks_sums_size(strlen(text)) && memcmp(found, text, strlen(text)) == 0;
}

/* ---- contents in messages/ ---- */

static void a_staged_content_lies_in_messages(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    char place[256];
    uint64_t id = append_spooled(house, &users.bob, &users.alice, "a large content");
    assert_int_equal(id, 1);
    assert_int_equal(fixture_count_entries(house->directory, "staging"), 0);
    assert_spooled(house, 1);
    ask_database(house, "SELECT Place FROM messages", place);
    assert_int_equal(strlen(place), KS_NAMES_MESSAGE_SIZE - 1);
    assert_true(begins_with(house, place, "a large content"));
    assert_database(house, "SELECT Content FROM messages", "NULL");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    assert_int_equal(part.size, HEAD_SIZE + 15);
    assert_string_equal(read_all(house, &users.bob, &part).messages[0].text, "a large content");
    assert_int_equal(delivered(house, &users.bob, 7, part.last), KS_OK);
    assert_spooled(house, 0);
    assert_database(house, "SELECT count(*) FROM messages", "0");
}

static void small_and_large_contents_are_read_in_order_with_any_capacity(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "small");
    append_spooled(house, &users.bob, &users.alice, "large and in a file");
    append(house, &users.bob, &users.alice, "");
    append_spooled(house, &users.bob, &users.alice, "");
    append_spooled(house, &users.bob, &users.alice, "large");
    append(house, &users.bob, &users.alice, "last");
    static const char *const texts[] = {"small", "large and in a file", "", "", "large", "last"};
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    assert_int_equal(part.count, KS_COUNT_OF(texts));
    for (size_t capacity = HEAD_SIZE + 1; capacity < part.size + 2; capacity++) {
        struct seen seen = read_in_pieces(house, &users.bob, &part, capacity);
        for (size_t i = 0; i < KS_COUNT_OF(texts); i++)
            assert_string_equal(seen.messages[i].text, texts[i]);
    }
}

static void a_message_may_be_asked_for_while_its_chunks_are_on_their_way(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_store_stage_open opening = {
        .request = fixture_request(&house->waiter), .id = users.alice, .purpose = KS_STAGE_MESSAGE};
    ks_store_stage_open(house->store, &opening);
    assert_int_equal(fixture_wait(&house->waiter, &opening.request), KS_OK);
    struct ks_store_stage_write writes[10];
    uint8_t bytes[10];
    for (size_t i = 0; i < KS_COUNT_OF(writes); i++) {
        bytes[i] = (uint8_t)('a' + i);
        writes[i] = (struct ks_store_stage_write){.request = fixture_request(&house->waiter),
                                                  .stage = opening.stage,
                                                  .bytes = &bytes[i],
                                                  .size = 1,
                                                  .last = i + 1 == KS_COUNT_OF(writes)};
        ks_store_stage_write(house->store, &writes[i]);
    }
    struct ks_store_append_message request = append_request(house, &users.bob, &users.alice, "");
    request.stage = opening.stage;
    request.content_size = KS_COUNT_OF(writes);
    ks_store_append_message(house->store, &request);
    for (size_t i = 0; i < KS_COUNT_OF(writes) + 1; i++)
        fixture_wait_for_answer(&house->waiter);
    assert_int_equal(request.request.result, KS_OK);
    assert_waiting(house, &users.bob, "abcdefghij");
}

static void a_stage_of_another_size_or_purpose_is_refused(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_stage *stage = message_stage(house, &users.alice, "nine byte");
    assert_int_equal(append_stage(house, &users.bob, &users.alice, stage, 8, NULL), KS_INVALID);
    stage = message_stage(house, &users.alice, "nine byte");
    assert_int_equal(append_stage(house, &users.bob, &users.alice, stage, 10, NULL), KS_INVALID);
    struct ks_store_stage_open opening = {
        .request = fixture_request(&house->waiter), .id = users.alice, .purpose = KS_STAGE_MESSAGE};
    ks_store_stage_open(house->store, &opening);
    assert_int_equal(fixture_wait(&house->waiter, &opening.request), KS_OK);
    assert_int_equal(append_stage(house, &users.bob, &users.alice, opening.stage, 0, NULL), KS_INVALID);
    struct ks_store_stage_open file = {
        .request = fixture_request(&house->waiter), .id = users.alice, .file_name = "a file"};
    ks_store_stage_open(house->store, &file);
    assert_int_equal(fixture_wait(&house->waiter, &file.request), KS_OK);
    assert_int_equal(append_stage(house, &users.bob, &users.alice, file.stage, 0, NULL), KS_INVALID);
    struct ks_store_confirm confirm = {.request = fixture_request(&house->waiter),
                                       .stage = message_stage(house, &users.alice, "no file")};
    ks_store_confirm(house->store, &confirm);
    assert_int_equal(fixture_wait(&house->waiter, &confirm.request), KS_INVALID);
    assert_int_equal(fixture_count_entries(house->directory, "staging"), 0);
    assert_spooled(house, 0);
    assert_waiting(house, &users.bob, "");
    assert_database(house, "SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM files)", "0");
}

static enum ks_result refuse(void *context, uint8_t *bytes, size_t size, bool last, size_t *output_size)
{
    (void)context;
    (void)bytes;
    (void)last;
    *output_size = size;
    return KS_CRYPTO;
}

static void what_failed_the_stage_fails_the_message(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    uint8_t byte = 1;
    struct ks_store_stage_open opening = {.request = fixture_request(&house->waiter),
                                          .id = users.alice,
                                          .purpose = KS_STAGE_MESSAGE,
                                          .transform = {.apply = refuse}};
    ks_store_stage_open(house->store, &opening);
    assert_int_equal(fixture_wait(&house->waiter, &opening.request), KS_OK);
    struct ks_store_stage_write writing = {.request = fixture_request(&house->waiter),
                                           .stage = opening.stage,
                                           .bytes = &byte,
                                           .size = 1,
                                           .last = true};
    ks_store_stage_write(house->store, &writing);
    assert_int_equal(fixture_wait(&house->waiter, &writing.request), KS_CRYPTO);
    assert_int_equal(append_stage(house, &users.bob, &users.alice, opening.stage, 1, NULL), KS_CRYPTO);
}

static void a_discarded_message_leaves_nothing(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_store_request request = fixture_request(&house->waiter);
    ks_store_discard(house->store, message_stage(house, &users.alice, "never sent"), &request);
    assert_int_equal(fixture_wait(&house->waiter, &request), KS_OK);
    assert_int_equal(fixture_count_entries(house->directory, "staging"), 0);
    assert_spooled(house, 0);
}

static void a_large_message_for_nobody_leaves_nothing(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_client_id nobody = {.bytes = {9}};
    struct ks_stage *stage = message_stage(house, &users.alice, "lost");
    assert_int_equal(append_stage(house, &nobody, &users.alice, stage, 4, NULL), KS_NOT_FOUND);
    assert_int_equal(fixture_count_entries(house->directory, "staging"), 0);
    assert_spooled(house, 0);
}

static void a_content_that_cannot_be_put_in_place_leaves_nothing(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    char here[128];
    char away[128];
    snprintf(here, sizeof here, "%s/messages", house->directory);
    snprintf(away, sizeof away, "%s/elsewhere", house->directory);
    struct ks_stage *stage = message_stage(house, &users.alice, "large");
    assert_int_equal(rename(here, away), 0);
    enum ks_result result = append_stage(house, &users.bob, &users.alice, stage, 5, NULL);
    assert_int_equal(rename(away, here), 0);
    assert_int_equal(result, KS_IO);
    assert_int_equal(fixture_count_entries(house->directory, "staging"), 0);
    assert_spooled(house, 0);
    append_spooled(house, &users.bob, &users.alice, "next");
    assert_waiting(house, &users.bob, "next");
}

static _Atomic bool randomness_fails;

static enum ks_result fill_perhaps(const struct ks_random *random, void *bytes, size_t size)
{
    (void)random;
    return atomic_load(&randomness_fails) ? KS_CRYPTO : ks_random_fill(ks_random_system(), bytes, size);
}

static void a_content_without_a_random_name_is_refused(void **state)
{
    struct house *house = *state;
    static const struct ks_random random = {.fill = fill_perhaps};
    struct pair users = two_users(house);
    house->random = &random;
    house_restart(house);
    atomic_store(&randomness_fails, true);
    struct ks_store_stage_open opening = {
        .request = fixture_request(&house->waiter), .id = users.alice, .purpose = KS_STAGE_MESSAGE};
    ks_store_stage_open(house->store, &opening);
    enum ks_result result = fixture_wait(&house->waiter, &opening.request);
    atomic_store(&randomness_fails, false);
    assert_int_equal(result, KS_CRYPTO);
    append_spooled(house, &users.bob, &users.alice, "named");
    assert_waiting(house, &users.bob, "named");
}

/* One group of the confirm thread: files and messages, some of which fail alone. */
static void files_and_messages_share_a_group(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_vault *vault = ks_engine_of(house->store)->vault;
    struct ks_client_id nobody = {.bytes = {9}};
    struct ks_store_append_message appends[6];
    sem_t gate;
    struct fixture_call busy = {.task.run = fixture_call_run, .function = fixture_hold, .context = &gate};
    struct ks_store_stage_open opening = {
        .request = fixture_request(&house->waiter), .id = users.alice, .file_name = "letter"};
    ks_store_stage_open(house->store, &opening);
    assert_int_equal(fixture_wait(&house->waiter, &opening.request), KS_OK);
    struct ks_store_stage_write writing = {.request = fixture_request(&house->waiter),
                                           .stage = opening.stage,
                                           .bytes = (uint8_t[]){'x'},
                                           .size = 1,
                                           .last = true};
    ks_store_stage_write(house->store, &writing);
    assert_int_equal(fixture_wait(&house->waiter, &writing.request), KS_OK);
    for (size_t i = 0; i < KS_COUNT_OF(appends); i++) {
        appends[i] = append_request(house, i == 2 ? &nobody : &users.bob, &users.alice, "");
        appends[i].content_size = 1;
        appends[i].stage =
            message_stage(house, &users.alice, (const char *[]){"0", "1", "2", "3", "4", "5"}[i]);
    }
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(sem_init(&busy.done, 0, 0), 0);
    ks_executor_post(ks_thread_executor(vault->confirm_thread), &busy.task);
    struct ks_store_confirm confirm = {.request = fixture_request(&house->waiter), .stage = opening.stage};
    for (size_t i = 0; i < KS_COUNT_OF(appends); i++) {
        if (i == 3)
            ks_store_confirm(house->store, &confirm);
        ks_store_append_message(house->store, &appends[i]);
    }
    sem_post(&gate);
    for (size_t i = 0; i < KS_COUNT_OF(appends) + 1; i++)
        fixture_wait_for_answer(&house->waiter);
    fixture_hold(&busy.done);
    assert_int_equal(confirm.request.result, KS_OK);
    for (size_t i = 0; i < KS_COUNT_OF(appends); i++)
        assert_int_equal(appends[i].request.result, i == 2 ? KS_NOT_FOUND : KS_OK);
    assert_waiting(house, &users.bob, "0 1 3 4 5");
    assert_spooled(house, 5);
    assert_database(house, "SELECT KeptName FROM files", "letter");
}

/* ---- starts ---- */

static void a_restart_keeps_large_contents_and_removes_what_has_no_message(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append_spooled(house, &users.bob, &users.alice, "large");
    house_close(house);
    fixture_write_file(house->directory, "messages/0123456789abcdef0123456789abcdef", "orphan");
    fixture_write_file(house->directory, "messages/not ours", "left alone");
    house_open(house);
    assert_int_equal(fixture_count_entries(house->directory, "messages"), 2);
    assert_true(fixture_file_is(house->directory, "messages/not ours", "left alone"));
    assert_waiting(house, &users.bob, "large");
}

static void a_message_without_its_content_is_put_aside_at_the_start(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    char path[512];
    append(house, &users.bob, &users.alice, "one");
    append_spooled(house, &users.bob, &users.alice, "gone");
    append(house, &users.bob, &users.alice, "two");
    house_close(house);
    assert_int_equal(unlink(place_of_first(house, path)), 0);
    house_open(house);
    assert_waiting(house, &users.bob, "one two");
    append_spooled(house, &users.bob, &users.alice, "cut");
    append_spooled(house, &users.bob, &users.alice, "whole");
    house_close(house);
    assert_int_equal(truncate(place_of_first(house, path), 2), 0);
    house_open(house);
    assert_waiting(house, &users.bob, "one two whole");
    assert_spooled(house, 1);
    /* Of the first one there is only a note. */
    assert_int_equal(fixture_count_entries(house->directory, "damaged"), 3);
    assert_true(fixture_file_is(house->directory, "damaged/message-4", "cu"));
}

static const char first_schema[] =
    "CREATE TABLE clients("
    " ID BLOB NOT NULL PRIMARY KEY CHECK(length(ID) = 16), Name TEXT NOT NULL UNIQUE, PublicKey BLOB,"
    " LastSeen TEXT NOT NULL, AESKey BLOB, Registered INTEGER NOT NULL, AESKeyUsed INTEGER);"
    "CREATE TABLE files("
    " ID BLOB NOT NULL CHECK(length(ID) = 16), FileName TEXT NOT NULL, PathName TEXT NOT NULL UNIQUE,"
    " Verified INTEGER NOT NULL CHECK(Verified IN (0, 1)), KeptName TEXT NOT NULL,"
    " PRIMARY KEY(ID, KeptName));"
    "CREATE TABLE settings(Name TEXT NOT NULL PRIMARY KEY, Value NOT NULL) WITHOUT ROWID;"
    "PRAGMA application_id=1802725490;"
    "PRAGMA user_version=1;"
    "INSERT INTO settings VALUES('alias key', x'000102030405060708090a0b0c0d0e0f');"
    "INSERT INTO clients VALUES(x'11111111111111111111111111111111', 'old alice', zeroblob(160),"
    " '2025-12-31 00:00:00', NULL, 1767139200, NULL);"
    "INSERT INTO clients VALUES(x'22222222222222222222222222222222', 'old bob', zeroblob(160),"
    " '2025-12-31 00:00:00', x'33333333333333333333333333333333', 1767139200, 1767225600);"
    "INSERT INTO files VALUES(x'11111111111111111111111111111111', 'dir/letter',"
    " 'files/11111111111111111111111111111111/letter', 1, 'letter');";

static void a_database_of_the_first_version_gets_messages_and_keeps_the_rest(void **state)
{
    struct house *house = *state;
    struct ks_client_id alice;
    struct ks_client_id bob;
    struct ks_user user;
    uint8_t byte = 0;
    memset(&alice, 0x11, sizeof alice);
    memset(&bob, 0x22, sizeof bob);
    house_close(house);
    fixture_directory_remove(house->directory);
    assert_int_equal(mkdir(house->directory, 0700), 0);
    run_on_database(house, first_schema);
    house_open(house);
    assert_int_equal(look_up(house, &alice, &user), KS_OK);
    assert_string_equal(user.name, "old alice");
    assert_int_equal(content_key_of(house, &bob, &byte), KS_OK);
    assert_int_equal(byte, 0x33);
    assert_int_equal(ks_embedded_alias_key(house->store)[15], 15);
    assert_database(house, "SELECT FileName FROM files", "dir/letter");
    assert_int_equal(append(house, &bob, &alice, "first"), 1);
    append_spooled(house, &bob, &alice, "second");
    house_restart(house);
    assert_waiting(house, &bob, "first second");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(a_staged_content_lies_in_messages),
        HOUSE_TEST(small_and_large_contents_are_read_in_order_with_any_capacity),
        HOUSE_TEST(a_message_may_be_asked_for_while_its_chunks_are_on_their_way),
        HOUSE_TEST(a_stage_of_another_size_or_purpose_is_refused),
        HOUSE_TEST(what_failed_the_stage_fails_the_message),
        HOUSE_TEST(a_discarded_message_leaves_nothing),
        HOUSE_TEST(a_large_message_for_nobody_leaves_nothing),
        HOUSE_TEST(a_content_that_cannot_be_put_in_place_leaves_nothing),
        HOUSE_TEST(a_content_without_a_random_name_is_refused),
        HOUSE_TEST(files_and_messages_share_a_group),
        HOUSE_TEST(a_restart_keeps_large_contents_and_removes_what_has_no_message),
        HOUSE_TEST(a_message_without_its_content_is_put_aside_at_the_start),
        HOUSE_TEST(a_database_of_the_first_version_gets_messages_and_keeps_the_rest),
    };
    return cmocka_run_group_tests_name("store_spool", tests, NULL, NULL);
}
