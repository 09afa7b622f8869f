/* contract_lists.c — the list of users: its order, its pages, and that it has the count that was promised. */
#include "unit/store/contract/contract_asking.h"

static enum ks_result begin(struct party *me, const struct ks_client_id *except,
                            struct ks_store_list_users *pages, uint64_t *count)
{
    struct ks_store_list_begin request = {.request = party_request(me), .except = *except};
    ks_store_list_begin(me->store, &request);
    enum ks_result result = party_wait(me, &request.request);
    *pages = (struct ks_store_list_users){.except = *except, .cursor = request.cursor};
    *count = request.count;
    return result;
}

static enum ks_result next_page(struct party *me, struct ks_store_list_users *pages, struct ks_user *users,
                                size_t limit)
{
    pages->request = party_request(me);
    pages->users = users;
    pages->limit = limit;
    ks_store_list_users(me->store, pages);
    enum ks_result result = party_wait(me, &pages->request);
    assert_true(result != KS_OK || pages->count <= limit);
    return result;
}

/* The rest of a list, in pages of `limit`, as "a b c". */
static void assert_rest(struct party *me, struct ks_store_list_users *pages, size_t limit,
                        const char *expected)
{
    char names[1024] = "";
    struct ks_user users[8];
    assert_true(limit <= KS_COUNT_OF(users));
    do {
        assert_int_equal(next_page(me, pages, users, limit), KS_OK);
        for (size_t i = 0; i < pages->count; i++) {
            assert_true(strlen(names) + strlen(users[i].name) + 2 < sizeof names);
            strcat(names, names[0] == '\0' ? "" : " ");
            strcat(names, users[i].name);
        }
    } while (pages->count > 0);
    assert_string_equal(names, expected);
}

static void assert_list(struct party *me, const struct ks_client_id *except, size_t limit,
                        uint64_t expected_count, const char *expected)
{
    struct ks_store_list_users pages;
    uint64_t count = 0;
    assert_int_equal(begin(me, except, &pages, &count), KS_OK);
    assert_int_equal(count, expected_count);
    assert_rest(me, &pages, limit, expected);
}

/* u0, u1, … of which those with odd numbers have a public key. */
static void register_many(struct party *me, struct ks_client_id *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "u%zu", i);
        assert_int_equal(
            i % 2 == 0 ? register_user(me, name, &ids[i]) : register_with_key(me, name, 1, &ids[i]), KS_OK);
    }
}

static void a_list_has_all_others_in_the_order_of_registration(struct party *me)
{
    struct ks_client_id ids[7];
    register_many(me, ids, KS_COUNT_OF(ids));
    assert_list(me, &ids[0], 8, 6, "u1 u2 u3 u4 u5 u6");
    assert_list(me, &ids[3], 8, 6, "u0 u1 u2 u4 u5 u6");
    assert_list(me, &ids[6], 8, 6, "u0 u1 u2 u3 u4 u5");
}

static void a_list_is_the_same_in_pages_of_any_size(struct party *me)
{
    struct ks_client_id ids[7];
    register_many(me, ids, KS_COUNT_OF(ids));
    for (size_t limit = 1; limit <= 8; limit++)
        assert_list(me, &ids[3], limit, 6, "u0 u1 u2 u4 u5 u6");
}

static void a_list_tells_ids_and_who_has_a_public_key(struct party *me)
{
    struct ks_client_id ids[4];
    struct ks_user users[8];
    struct ks_store_list_users pages;
    uint64_t count = 0;
    size_t seen = 0;
    register_many(me, ids, KS_COUNT_OF(ids));
    assert_int_equal(begin(me, &ids[0], &pages, &count), KS_OK);
    do {
        assert_int_equal(next_page(me, &pages, users, KS_COUNT_OF(users)), KS_OK);
        for (size_t i = 0; i < pages.count; i++) {
            seen++;
            assert_memory_equal(&users[i].id, &ids[seen], sizeof ids[seen]);
            assert_int_equal(users[i].has_public_key, seen % 2 != 0);
        }
    } while (pages.count > 0);
    assert_int_equal(seen, 3);
}

static void behind_the_end_of_a_list_there_is_nobody(struct party *me)
{
    struct ks_client_id ids[2];
    struct ks_user user;
    struct ks_store_list_users pages;
    uint64_t count = 0;
    register_many(me, ids, KS_COUNT_OF(ids));
    assert_int_equal(begin(me, &ids[0], &pages, &count), KS_OK);
    assert_rest(me, &pages, 1, "u1");
    assert_int_equal(next_page(me, &pages, &user, 1), KS_OK);
    assert_int_equal(pages.count, 0);
}

static void who_is_alone_gets_an_empty_list(struct party *me)
{
    struct ks_client_id id;
    register_many(me, &id, 1);
    assert_list(me, &id, 5, 0, "");
}

static void who_is_unknown_gets_no_list(struct party *me)
{
    struct ks_client_id id;
    struct ks_store_list_users pages;
    uint64_t count = 0;
    register_many(me, &id, 1);
    id.bytes[3] ^= 1;
    assert_int_equal(begin(me, &id, &pages, &count), KS_NOT_FOUND);
}

static void who_registers_meanwhile_is_not_on_the_list(struct party *me)
{
    struct ks_client_id ids[4];
    struct ks_user user;
    struct ks_store_list_users pages;
    uint64_t count = 0;
    register_many(me, ids, KS_COUNT_OF(ids));
    assert_int_equal(begin(me, &ids[0], &pages, &count), KS_OK);
    (void)new_user(me, "late");
    assert_int_equal(next_page(me, &pages, &user, 1), KS_OK);
    assert_int_equal(pages.count, 1);
    assert_string_equal(user.name, "u1");
    (void)new_user(me, "later");
    assert_rest(me, &pages, 1, "u2 u3");
    assert_int_equal(count, 3);
    assert_list(me, &ids[0], 3, 5, "u1 u2 u3 late later");
}

static void a_list_that_lost_a_user_ends_with_not_found(struct party *me)
{
    struct ks_client_id ids[4];
    struct ks_user user;
    struct ks_store_list_users pages;
    uint64_t count = 0;
    register_many(me, ids, KS_COUNT_OF(ids));
    assert_int_equal(begin(me, &ids[0], &pages, &count), KS_OK);
    assert_int_equal(next_page(me, &pages, &user, 1), KS_OK);
    assert_int_equal(remove_user(me, "u2"), KS_OK);
    assert_int_equal(next_page(me, &pages, &user, 1), KS_NOT_FOUND);
    assert_list(me, &ids[0], 3, 2, "u1 u3");
}

static void a_list_is_in_the_same_order_after_a_restart(struct party *me)
{
    struct ks_client_id ids[6];
    register_many(me, ids, KS_COUNT_OF(ids));
    assert_int_equal(remove_user(me, "u1"), KS_OK);
    world_reopen(me);
    (void)new_user(me, "last");
    assert_list(me, &ids[3], 2, 5, "u0 u2 u4 u5 last");
}

static void a_long_list_has_everybody_once(struct party *me)
{
    enum { CROWD = 400 };
    struct ks_store_register *requests = calloc(CROWD, sizeof *requests);
    struct ks_user *users = calloc(CROWD, sizeof *users);
    struct ks_client_id id = new_user(me, "who asks");
    struct ks_store_list_users pages;
    uint64_t count = 0;
    size_t given = 0;
    assert_true(requests != NULL && users != NULL);
    for (unsigned i = 0; i < CROWD; i++) {
        char name[32];
        snprintf(name, sizeof name, "crowd %u", i);
        requests[i] = register_request(me, name);
        ks_store_register_user(me->store, &requests[i]);
    }
    for (unsigned i = 0; i < CROWD; i++)
        assert_int_equal(party_wait(me, &requests[i].request), KS_OK);
    assert_int_equal(begin(me, &id, &pages, &count), KS_OK);
    assert_int_equal(count, CROWD);
    do {
        assert_int_equal(next_page(me, &pages, users, CROWD), KS_OK);
        for (size_t i = 0; i < pages.count; i++)
            assert_memory_equal(&users[i].id, &requests[given + i].id, sizeof users[i].id);
        given += pages.count;
    } while (pages.count > 0);
    assert_int_equal(given, CROWD);
    free(requests);
    free(users);
}

static const struct contract_case cases[] = {
    CASE(a_list_has_all_others_in_the_order_of_registration),
    CASE(a_list_is_the_same_in_pages_of_any_size),
    CASE(a_list_tells_ids_and_who_has_a_public_key),
    CASE(behind_the_end_of_a_list_there_is_nobody),
    CASE(who_is_alone_gets_an_empty_list),
    CASE(who_is_unknown_gets_no_list),
    CASE(who_registers_meanwhile_is_not_on_the_list),
    CASE(a_list_that_lost_a_user_ends_with_not_found),
    CASE_NEEDS(a_list_is_in_the_same_order_after_a_restart, CONTRACT_REOPENS),
    CASE(a_long_list_has_everybody_once),
};

const struct contract_subject contract_lists = {"lists", cases, KS_COUNT_OF(cases)};
