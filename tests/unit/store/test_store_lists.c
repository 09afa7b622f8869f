/* Unit tests of the list of users in the embedded engine, src/store/embedded: its order, its pages, and that
 * it has the count that was promised. */
#include "unit/store/engine_fixture.h"

#include <signal.h>

enum { PAGE_LIMIT = 2048, MINUTE = 60, PUT_OFF_SECONDS = 600 };

static enum ks_result list_begin(struct house *house, const struct ks_client_id *except,
                                 struct ks_store_list_users *pages, uint64_t *count)
{
    struct ks_store_list_begin request = {.request = fixture_request(&house->waiter), .except = *except};
    ks_store_list_begin(house->store, &request);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    *pages = (struct ks_store_list_users){.except = *except, .cursor = request.cursor};
    *count = request.count;
    return result;
}

static enum ks_result list_next(struct house *house, struct ks_store_list_users *pages, struct ks_user *users,
                                size_t limit)
{
    pages->request = fixture_request(&house->waiter);
    pages->users = users;
    pages->limit = limit;
    ks_store_list_users(house->store, pages);
    return fixture_wait(&house->waiter, &pages->request);
}

/* The rest of a list in pages of `limit`, as "a b c". */
static enum ks_result list_rest(struct house *house, struct ks_store_list_users *pages, size_t limit,
                                char *names, uint64_t *given)
{
    struct ks_user *users = calloc(limit, sizeof *users);
    assert_non_null(users);
    enum ks_result result = KS_OK;
    *given = 0;
    while ((result = list_next(house, pages, users, limit)) == KS_OK && pages->count > 0) {
        assert_true(pages->count <= limit);
        for (size_t i = 0; i < pages->count; i++) {
            sprintf(names + strlen(names), "%s%s", names[0] == '\0' ? "" : " ", users[i].name);
        }
        *given += pages->count;
    }
    free(users);
    return result;
}

static void assert_list(struct house *house, const struct ks_client_id *except, size_t limit,
                        const char *expected)
{
    char names[1024] = "";
    struct ks_store_list_users pages;
    uint64_t count = 0;
    uint64_t given = 0;
    assert_int_equal(list_begin(house, except, &pages, &count), KS_OK);
    assert_int_equal(list_rest(house, &pages, limit, names, &given), KS_OK);
    assert_string_equal(names, expected);
    assert_int_equal(given, count);
}

static void register_many(struct house *house, struct ks_client_id *ids, size_t count)
{
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    fill_public_key(key, 1);
    for (size_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "u%zu", i);
        assert_int_equal(register_user(house, name, i % 2 == 0 ? key : NULL, &ids[i]), KS_OK);
    }
}

static void a_list_has_all_others_in_the_order_of_registration(void **state)
{
    struct house *house = *state;
    struct ks_client_id ids[7];
    struct ks_user users[KS_COUNT_OF(ids)];
    struct ks_store_list_users pages;
    uint64_t count = 0;
    register_many(house, ids, KS_COUNT_OF(ids));
    for (size_t limit = 1; limit <= 8; limit++) {
        assert_list(house, &ids[0], limit, "u1 u2 u3 u4 u5 u6");
        assert_list(house, &ids[3], limit, "u0 u1 u2 u4 u5 u6");
        assert_list(house, &ids[6], limit, "u0 u1 u2 u3 u4 u5");
    }
    assert_int_equal(list_begin(house, &ids[1], &pages, &count), KS_OK);
    assert_int_equal(count, 6);
    assert_int_equal(list_next(house, &pages, users, KS_COUNT_OF(users)), KS_OK);
    assert_int_equal(pages.count, 6);
    assert_memory_equal(&users[1].id, &ids[2], sizeof ids[2]);
    assert_true(users[1].has_public_key);
    assert_false(users[2].has_public_key);
    house_restart(house);
    assert_list(house, &ids[3], 2, "u0 u1 u2 u4 u5 u6");
}

static void who_is_alone_gets_an_empty_list(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    register_many(house, &id, 1);
    assert_list(house, &id, 5, "");
}

static void who_is_unknown_gets_no_list(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    struct ks_store_list_users pages;
    uint64_t count = 0;
    register_many(house, &id, 1);
    id.bytes[3] ^= 1;
    assert_int_equal(list_begin(house, &id, &pages, &count), KS_NOT_FOUND);
}

static void who_registers_meanwhile_is_not_on_the_list(void **state)
{
    struct house *house = *state;
    struct ks_client_id ids[4];
    struct ks_user user;
    struct ks_store_list_users pages;
    char names[64] = "";
    uint64_t count = 0;
    uint64_t given = 0;
    register_many(house, ids, KS_COUNT_OF(ids));
    assert_int_equal(list_begin(house, &ids[0], &pages, &count), KS_OK);
    assert_int_equal(register_user(house, "late", NULL, NULL), KS_OK);
    assert_int_equal(list_next(house, &pages, &user, 1), KS_OK);
    assert_int_equal(register_user(house, "later", NULL, NULL), KS_OK);
    assert_int_equal(list_rest(house, &pages, 1, names, &given), KS_OK);
    assert_string_equal(names, "u2 u3");
    assert_int_equal(given + 1, count);
    assert_list(house, &ids[0], 3, "u1 u2 u3 late later");
}

/* Rows that are not committed when a list begins are not on it, though they are when its pages are taken. */
static void who_is_not_committed_yet_is_not_on_the_list(void **state)
{
    struct house *house = *state;
    struct ks_client_id ids[2];
    struct held_writer held;
    struct middle_of_a_batch middle;
    struct fixture_waiter other;
    struct ks_store_list_users pages;
    struct ks_store_register requests[3];
    char names[64] = "";
    uint64_t count = 0;
    uint64_t given = 0;
    fixture_waiter_init(&other);
    register_many(house, ids, KS_COUNT_OF(ids));
    writer_hold(house, &held);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        requests[i] = (struct ks_store_register){.request = fixture_request(&other)};
        snprintf(requests[i].name, sizeof requests[i].name, "early %zu", i);
        ks_store_register_user(house->store, &requests[i]);
    }
    middle_stay(house, &middle);
    writer_let_go(&held);
    middle_reach(&middle);
    assert_int_equal(list_begin(house, &ids[0], &pages, &count), KS_OK);
    middle_leave(&middle);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++)
        assert_int_equal(fixture_wait(&other, &requests[i].request), KS_OK);
    assert_int_equal(list_rest(house, &pages, 10, names, &given), KS_OK);
    assert_int_equal(count, 1);
    assert_string_equal(names, "u1");
    assert_list(house, &ids[0], 10, "u1 early 0 early 1 early 2");
}

static void a_long_list_comes_in_bounded_pages(void **state)
{
    struct house *house = *state;
    enum { CROWD = 1500 };
    struct ks_store_register *requests = calloc(CROWD, sizeof *requests);
    struct ks_user *users = calloc(PAGE_LIMIT, sizeof *users);
    struct ks_client_id id;
    struct ks_store_list_users pages;
    uint64_t count = 0;
    size_t given = 0;
    assert_true(requests != NULL && users != NULL);
    register_many(house, &id, 1);
    for (size_t i = 0; i < CROWD; i++) {
        requests[i] = (struct ks_store_register){.request = fixture_request(&house->waiter)};
        snprintf(requests[i].name, sizeof requests[i].name, "crowd %zu", i);
        ks_store_register_user(house->store, &requests[i]);
    }
    for (size_t i = 0; i < CROWD; i++)
        fixture_wait_for_answer(&house->waiter);
    assert_int_equal(list_begin(house, &id, &pages, &count), KS_OK);
    assert_int_equal(count, CROWD);
    do {
        assert_int_equal(list_next(house, &pages, users, PAGE_LIMIT), KS_OK);
        for (size_t i = 0; i < pages.count; i++)
            assert_memory_equal(&users[i].id, &requests[given + i].id, sizeof users[i].id);
        given += pages.count;
    } while (pages.count > 0);
    assert_int_equal(given, CROWD);
    free(requests);
    free(users);
}

/* ---- users that are dropped ---- */

static void a_young_list_keeps_users_from_being_dropped(void **state)
{
    struct house *house = *state;
    struct ks_client_id ids[4];
    struct ks_store_list_users pages;
    char names[64] = "";
    uint64_t count = 0;
    uint64_t given = 0;
    register_many(house, ids, KS_COUNT_OF(ids)); /* u1 and u3 have no key */
    fixture_clock_forward(&house->clock, DAY - 1);
    assert_int_equal(list_begin(house, &ids[0], &pages, &count), KS_OK);
    fixture_clock_forward(&house->clock, MINUTE);
    house_tick(house);
    assert_int_equal(list_rest(house, &pages, 1, names, &given), KS_OK);
    assert_string_equal(names, "u1 u2 u3");
    fixture_clock_forward(&house->clock, 1);
    house_tick(house);
    assert_list(house, &ids[0], 3, "u2");
}

static void lists_put_dropping_off_for_ten_minutes_at_most(void **state)
{
    struct house *house = *state;
    struct ks_client_id ids[2];
    register_many(house, ids, KS_COUNT_OF(ids));
    fixture_clock_forward(&house->clock, DAY);
    for (int second = 0; second < PUT_OFF_SECONDS; second += MINUTE / 2) {
        assert_list(house, &ids[0], 3, "u1");
        house_tick(house);
        fixture_clock_forward(&house->clock, MINUTE / 2);
    }
    assert_list(house, &ids[0], 3, "u1");
    house_tick(house);
    assert_list(house, &ids[0], 3, "");
}

static void a_list_that_lost_users_says_so(void **state)
{
    struct house *house = *state;
    struct ks_client_id ids[4];
    struct ks_user user;
    struct ks_store_list_users pages;
    uint64_t count = 0;
    register_many(house, ids, KS_COUNT_OF(ids));
    assert_int_equal(list_begin(house, &ids[0], &pages, &count), KS_OK);
    assert_int_equal(list_next(house, &pages, &user, 1), KS_OK);
    assert_string_equal(user.name, "u1");
    fixture_clock_forward(&house->clock, DAY);
    house_tick(house);
    assert_int_equal(look_up(house, &ids[1], NULL), KS_NOT_FOUND);
    assert_int_equal(list_next(house, &pages, &user, 1), KS_NOT_FOUND);
    assert_list(house, &ids[0], 3, "u2");
}

/* Who is being dropped stands in lists until that has succeeded. */
static void a_drop_that_fails_disturbs_no_list(void **state)
{
    struct house *house = *state;
    struct ks_client_id ids[4];
    struct ks_store_list_users pages;
    char names[64] = "";
    uint64_t count = 0;
    uint64_t given = 0;
    register_many(house, ids, KS_COUNT_OF(ids));
    assert_int_equal(list_begin(house, &ids[0], &pages, &count), KS_OK);
    fixture_clock_forward(&house->clock, DAY);
    rlim_t before = limit_files_to(1024);
    house_tick(house);
    limit_files_to(before);
    assert_int_equal(list_rest(house, &pages, 1, names, &given), KS_OK);
    assert_string_equal(names, "u1 u2 u3");
    assert_int_equal(given, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(a_list_has_all_others_in_the_order_of_registration),
        HOUSE_TEST(who_is_alone_gets_an_empty_list),
        HOUSE_TEST(who_is_unknown_gets_no_list),
        HOUSE_TEST(who_registers_meanwhile_is_not_on_the_list),
        HOUSE_TEST(who_is_not_committed_yet_is_not_on_the_list),
        HOUSE_TEST(a_long_list_comes_in_bounded_pages),
        HOUSE_TEST(a_young_list_keeps_users_from_being_dropped),
        HOUSE_TEST(lists_put_dropping_off_for_ten_minutes_at_most),
        HOUSE_TEST(a_list_that_lost_users_says_so),
        HOUSE_TEST(a_drop_that_fails_disturbs_no_list),
    };
    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests_name("store_lists", tests, NULL, NULL);
}
