/* Unit tests of the embedded engine, src/store/embedded: what operators ask of it. How users are removed at
 * the worst of moments is in test_store_departures.c. */
#include "unit/store/operators_fixture.h"

/* ---- details ---- */

static void details_tell_what_is_stored_of_a_user(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_user_details details;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    fixture_clock_forward(&house->clock, 5);
    keep_file(house, &users.bob, "one", "12345");
    keep_file(house, &users.bob, "two", "1234567");
    keep_file(house, &users.alice, "another's", "1");
    append(house, &users.bob, &users.alice, "message");
    append_spooled(house, &users.bob, &users.alice, "longer message");
    struct ks_store_put_open put = {
        .request = fixture_request(&house->waiter), .id = users.bob, .size = 10, .file_name = "three"};
    ks_store_put_open(house->store, &put);
    assert_int_equal(fixture_wait(&house->waiter, &put.request), KS_OK);
    assert_int_equal(write_chunk(house, put.stage, "1234", false), KS_OK);
    ks_store_touch(house->store, &users.bob);
    assert_int_equal(describe(house, "bob", &details, key), KS_OK);
    assert_string_equal(details.user.name, "bob");
    assert_memory_equal(&details.user.id, &users.bob, sizeof users.bob);
    assert_true(details.user.has_public_key);
    assert_int_equal(key[17], 1);
    assert_int_equal(details.registered, FIXTURE_WALL_START);
    assert_int_equal(details.last_seen, FIXTURE_WALL_START + 5);
    assert_int_equal(details.files, 2);
    assert_int_equal(details.file_bytes, 12);
    assert_int_equal(details.messages, 2);
    assert_int_equal(details.message_bytes, 21);
    assert_int_equal(details.puts, 1);
    assert_int_equal(details.put_bytes, 4);
    ks_store_put_park(house->store, put.stage);
    house_restart(house);
    assert_int_equal(describe(house, "bob", &details, key), KS_OK);
    assert_int_equal(details.puts, 1);
    assert_int_equal(details.put_bytes, 4);
    assert_int_equal(details.last_seen, FIXTURE_WALL_START + 5);
    assert_int_equal(details.file_bytes, 12);
    assert_int_equal(details.messages, 2);
}

static void details_of_a_user_who_has_nothing(void **state)
{
    struct house *house = *state;
    struct ks_user_details details;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    assert_int_equal(register_user(house, "carol", NULL, NULL), KS_OK);
    assert_int_equal(describe(house, "carol", &details, key), KS_OK);
    assert_false(details.user.has_public_key);
    assert_int_equal(details.last_seen, details.registered);
    assert_int_equal(details.files + details.file_bytes + details.messages + details.message_bytes, 0);
    assert_int_equal(details.puts + details.put_bytes, 0);
    assert_int_equal(describe(house, "caro", &details, key), KS_NOT_FOUND);
}

static void messages_that_are_delivered_count_no_more(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_user_details details;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    append(house, &users.bob, &users.alice, "message");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    assert_int_equal(describe(house, "bob", &details, key), KS_OK);
    assert_int_equal(details.messages, 1);
    assert_int_equal(delivered(house, &users.bob, 7, part.last), KS_OK);
    assert_int_equal(describe(house, "bob", &details, key), KS_OK);
    assert_int_equal(details.messages, 0);
}

static void sizes_of_adopted_files_and_of_those_that_changed_are_found_at_the_start(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_user_details details;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    char path[256];
    keep_file(house, &users.bob, "grows", "1");
    keep_file(house, &users.bob, "of an older kesher", "12");
    house_close(house);
    fixture_write_file(house->directory, path_of(&users.bob, "adopted", path), "123");
    fixture_write_file(house->directory, path_of(&users.bob, "grows", path), "1234");
    run_on_database(house, "UPDATE files SET Size=NULL, Cksum=NULL, Written=NULL"
                           " WHERE KeptName='of an older kesher'");
    house_open(house);
    assert_int_equal(describe(house, "bob", &details, key), KS_OK);
    assert_int_equal(details.files, 3);
    assert_int_equal(details.file_bytes, 9);
}

/* ---- pages ---- */

static void pages_have_all_users_in_the_order_of_registration(void **state)
{
    struct house *house = *state;
    struct ks_user_details page[3];
    uint64_t cursor = 0;
    enum { USERS = 7 };
    for (int i = 0; i < USERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "user %d", USERS - i);
        assert_int_equal(register_user(house, name, NULL, NULL), KS_OK);
    }
    int seen = 0;
    size_t count = 0;
    while ((count = describe_page(house, &cursor, page, KS_COUNT_OF(page))) > 0)
        for (size_t i = 0; i < count; i++, seen++) {
            char name[32];
            snprintf(name, sizeof name, "user %d", USERS - seen);
            assert_string_equal(page[i].user.name, name);
        }
    assert_int_equal(seen, USERS);
}

static void pages_go_on_over_users_who_are_removed_meanwhile(void **state)
{
    struct house *house = *state;
    struct ks_user_details page[2];
    uint64_t cursor = 0;
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof name, "user %d", i);
        assert_int_equal(register_user(house, name, NULL, NULL), KS_OK);
    }
    assert_int_equal(describe_page(house, &cursor, page, 2), 2);
    assert_int_equal(remove_user(house, "user 1"), KS_OK);
    assert_int_equal(remove_user(house, "user 2"), KS_OK);
    assert_int_equal(describe_page(house, &cursor, page, 2), 2);
    assert_string_equal(page[0].user.name, "user 3");
    assert_string_equal(page[1].user.name, "user 4");
    assert_int_equal(describe_page(house, &cursor, page, 2), 0);
}

/* ---- reset ---- */

static void after_a_reset_the_next_public_key_is_stored(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    uint8_t byte = 0;
    struct ks_user user;
    fill_public_key(key, 1);
    assert_int_equal(set_keys(house, &users.bob, key, 9), KS_OK);
    assert_int_equal(public_key_of(house, &users.bob, key), KS_OK); /* and in the cache */
    assert_int_equal(reset_key(house, "bob"), KS_OK);
    assert_int_equal(look_up(house, &users.bob, &user), KS_OK);
    assert_false(user.has_public_key);
    assert_int_equal(public_key_of(house, &users.bob, key), KS_REFUSED);
    assert_int_equal(content_key_of(house, &users.bob, &byte), KS_REFUSED);
    house_restart(house);
    assert_int_equal(public_key_of(house, &users.bob, key), KS_REFUSED);
    assert_int_equal(content_key_of(house, &users.bob, &byte), KS_REFUSED);
    fill_public_key(key, 2);
    assert_int_equal(set_keys(house, &users.bob, key, 8), KS_OK);
    assert_int_equal(public_key_of(house, &users.bob, key), KS_OK);
    assert_int_equal(key[0], 2);
    fill_public_key(key, 1);
    assert_int_equal(set_keys(house, &users.bob, key, 7), KS_REFUSED);
    assert_database(house, "SELECT KeyReset FROM clients WHERE Name='bob'", "NULL");
}

static void a_user_whose_key_was_reset_is_not_dropped_for_having_none(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    assert_int_equal(reset_key(house, "bob"), KS_OK);
    fixture_clock_forward(&house->clock, 2 * DAY);
    house_tick(house);
    assert_int_equal(look_up(house, &users.bob, NULL), KS_OK);
    house_restart(house);
    house_tick(house);
    assert_int_equal(look_up(house, &users.bob, NULL), KS_OK);
}

static void a_reset_that_the_disk_refuses_changes_nothing(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    rlim_t before = limit_files_to(1024);
    enum ks_result result = reset_key(house, "bob");
    limit_files_to(before);
    assert_int_equal(result, KS_IO);
    assert_int_equal(public_key_of(house, &users.bob, key), KS_OK);
    assert_int_equal(reset_key(house, "bobby"), KS_NOT_FOUND);
}

static void a_key_that_was_read_before_it_was_dropped_is_not_remembered(void **state)
{
    struct ks_key_cache *cache = ks_key_cache_new(3);
    struct ks_client_id id = {.bytes = {1}};
    uint8_t key[KS_PUBLIC_KEY_SIZE] = {0};
    (void)state;
    assert_non_null(cache);
    uint64_t era = ks_key_cache_era(cache);
    ks_key_cache_drop(cache, &id);
    ks_key_cache_put(cache, &id, key, era);
    assert_false(ks_key_cache_get(cache, &id, key));
    ks_key_cache_put(cache, &id, key, ks_key_cache_era(cache));
    assert_true(ks_key_cache_get(cache, &id, key));
    ks_key_cache_drop(cache, &id);
    assert_false(ks_key_cache_get(cache, &id, key));
    ks_key_cache_free(cache);
}

static void keys_and_resets_of_one_batch_take_effect_in_their_order(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_writer held;
    struct fixture_waiter waiter;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    fixture_waiter_init(&waiter);
    fill_public_key(key, 2);
    writer_hold(house, &held);
    struct ks_store_reset_key reset = {.request = fixture_request(&waiter), .name = "bob"};
    ks_store_reset_key(house->store, &reset);
    struct ks_store_set_keys set = {
        .request = fixture_request(&waiter), .id = users.bob, .has_public_key = true};
    memcpy(set.public_key, key, sizeof key);
    set.content_key = new_content_key(house, 5);
    ks_store_set_keys(house->store, &set);
    writer_let_go(&held);
    fixture_wait_for_answer(&waiter);
    fixture_wait_for_answer(&waiter);
    ks_content_key_release(set.content_key);
    assert_int_equal(reset.request.result, KS_OK);
    assert_int_equal(set.request.result, KS_OK);
    assert_int_equal(public_key_of(house, &users.bob, key), KS_OK);
    assert_int_equal(key[0], 2);
}

/* ---- probe ---- */

static void a_probe_is_answered_by_the_writer(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    struct ks_store_probe request = {.request = fixture_request(&house->waiter)};
    writer_hold(house, &held);
    ks_store_probe(house->store, &request);
    assert_int_equal(atomic_load(&house->waiter.answers), 0);
    writer_let_go(&held);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(details_tell_what_is_stored_of_a_user),
        HOUSE_TEST(details_of_a_user_who_has_nothing),
        HOUSE_TEST(messages_that_are_delivered_count_no_more),
        HOUSE_TEST(sizes_of_adopted_files_and_of_those_that_changed_are_found_at_the_start),
        HOUSE_TEST(pages_have_all_users_in_the_order_of_registration),
        HOUSE_TEST(pages_go_on_over_users_who_are_removed_meanwhile),
        HOUSE_TEST(after_a_reset_the_next_public_key_is_stored),
        HOUSE_TEST(a_user_whose_key_was_reset_is_not_dropped_for_having_none),
        HOUSE_TEST(a_reset_that_the_disk_refuses_changes_nothing),
        cmocka_unit_test(a_key_that_was_read_before_it_was_dropped_is_not_remembered),
        HOUSE_TEST(keys_and_resets_of_one_batch_take_effect_in_their_order),
        HOUSE_TEST(a_probe_is_answered_by_the_writer),
    };
    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests_name("store_operators", tests, NULL, NULL);
}
