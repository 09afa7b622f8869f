/* Unit tests of src/store/embedded/memory/users_load.c: all who are read at the start are found, in their
 * order, and nobody is there twice.
 */
#include "unit/unit.h"

#include "unit/base/failing_memory.h"

#include "store/embedded/memory/users_load.h"

#include <stdio.h>

enum { MANY = 3000 };

static struct ks_client_id id_of(unsigned number)
{
    struct ks_client_id id = {.bytes = {0}};
    uint32_t spread = number * 2654435761U; /* as random as the tables need it */
    memcpy(id.bytes + 1, &spread, sizeof spread);
    return id;
}

static size_t name_of(unsigned number, char name[static 32])
{
    return (size_t)snprintf(name, 32, "User %u", number);
}

static struct ks_users *users_new(void)
{
    struct ks_users *users = NULL;
    assert_int_equal(ks_users_new(ks_random_system(), &users), KS_OK);
    return users;
}

/* The user `number` under the name of `named`; every third one has a public key, every second a content key.
 */
static enum ks_result load_user(struct ks_users_load *load, unsigned number, unsigned named)
{
    static const uint8_t key[KS_CONTENT_KEY_SIZE] = {1};
    char name[32];
    struct ks_user_entry *entry = NULL;
    struct ks_client_id id = id_of(number);
    size_t size = name_of(named, name);
    enum ks_result result = ks_users_load_add(load, &id, name, size, &entry);
    if (result != KS_OK)
        return result;
    entry->number = number;
    entry->has_public_key = number % 3 == 0;
    if (number % 2 != 0)
        return KS_OK;
    entry->content_key = ks_content_key_new(key, 0);
    return entry->content_key != NULL ? KS_OK : KS_NO_MEMORY;
}

static enum ks_result load_users(struct ks_users *users, unsigned count)
{
    struct ks_users_load load = {0};
    enum ks_result result = KS_OK;
    for (unsigned i = 0; result == KS_OK && i < count; i++)
        result = load_user(&load, i, i);
    if (result == KS_OK)
        result = ks_users_load_finish(&load, users);
    ks_users_load_free(&load);
    return result;
}

static void assert_found(struct ks_users *users, unsigned number)
{
    char name[32];
    struct ks_user user;
    struct ks_client_id id = id_of(number);
    size_t size = name_of(number, name);
    assert_int_equal(ks_users_look_up(users, &id, false, &user), KS_OK);
    assert_string_equal(user.name, name);
    assert_int_equal(ks_users_look_up_name(users, name, size, false, &user), KS_OK);
    assert_memory_equal(user.id.bytes, id.bytes, sizeof id.bytes);
    name[0] = 'u';
    assert_true(ks_users_name_is_taken(users, name, size));
    assert_int_equal(ks_users_find(users, &id)->number, number);
}

static void assert_keys(struct ks_users *users, unsigned number)
{
    struct ks_user user;
    struct ks_content_key *key = NULL;
    struct ks_client_id id = id_of(number);
    assert_int_equal(ks_users_look_up(users, &id, false, &user), KS_OK);
    assert_int_equal(user.has_public_key, number % 3 == 0);
    assert_int_equal(ks_users_content_key(users, &id, false, 0, 0, &key),
                     number % 2 == 0 ? KS_OK : KS_REFUSED);
    ks_content_key_release(key);
}

static void all_who_are_loaded_are_found(void **state)
{
    (void)state;
    struct ks_users *users = users_new();
    assert_int_equal(load_users(users, MANY), KS_OK);
    assert_int_equal(ks_users_count(users), MANY);
    for (unsigned i = 0; i < MANY; i++) {
        assert_found(users, i);
        assert_keys(users, i);
    }
    struct ks_client_id nobody = id_of(MANY);
    assert_null(ks_users_find(users, &nobody));
    ks_users_free(users);
}

static void the_list_has_them_in_their_order(void **state)
{
    (void)state;
    struct ks_users *users = users_new();
    assert_int_equal(load_users(users, MANY), KS_OK);
    struct ks_client_id first = id_of(0);
    struct ks_user_cursor cursor;
    struct ks_user user;
    uint64_t promised = 0;
    size_t given = 0;
    assert_int_equal(ks_users_list_begin(users, &first, false, 0, &promised, &cursor), KS_OK);
    assert_int_equal(promised, MANY - 1);
    for (unsigned i = 1; i < MANY; i++) {
        struct ks_client_id id = id_of(i);
        assert_int_equal(ks_users_list(users, &first, false, &cursor, &user, 1, &given), KS_OK);
        assert_int_equal(given, 1);
        assert_memory_equal(user.id.bytes, id.bytes, sizeof id.bytes);
    }
    assert_int_equal(ks_users_list(users, &first, false, &cursor, &user, 1, &given), KS_OK);
    assert_int_equal(given, 0);
    ks_users_free(users);
}

static void there_may_be_few_or_none(void **state)
{
    (void)state;
    for (unsigned count = 0; count < 4; count++) {
        struct ks_users *users = users_new();
        assert_int_equal(load_users(users, count), KS_OK);
        assert_int_equal(ks_users_count(users), count);
        ks_users_free(users);
    }
}

/* The tables grow again, and shrink. */
static void others_come_and_go_after_the_load(void **state)
{
    (void)state;
    struct ks_users *users = users_new();
    assert_int_equal(load_users(users, MANY), KS_OK);
    unsigned buckets = ks_users_walk(users)->by_id.tbl->num_buckets;
    for (unsigned i = MANY; i < 16 * MANY; i++) {
        char name[32];
        struct ks_user_entry *entry = NULL;
        struct ks_client_id id = id_of(i);
        size_t size = name_of(i, name);
        assert_int_equal(ks_users_add_new(users, &id, name, size, &entry), KS_OK);
        entry->number = i;
        ks_users_publish(users, entry, false);
    }
    assert_true(ks_users_walk(users)->by_id.tbl->num_buckets > buckets);
    for (unsigned i = 0; i < 16 * MANY; i += 7) {
        struct ks_client_id id = id_of(i);
        assert_found(users, i);
        ks_users_remove(users, ks_users_find(users, &id));
        assert_null(ks_users_find(users, &id));
    }
    ks_users_free(users);
}

/* The last of many has the id, then the name, of somebody before it: at once, and long ago. */
static void who_is_there_twice_is_told(void **state)
{
    (void)state;
    static const unsigned others[] = {0, MANY / 2, MANY - 1};
    for (unsigned i = 0; i < 2 * KS_COUNT_OF(others); i++) {
        unsigned other = others[i / 2];
        struct ks_users *users = users_new();
        struct ks_users_load load = {0};
        for (unsigned number = 0; number < MANY; number++)
            assert_int_equal(load_user(&load, number, number), KS_OK);
        assert_int_equal(load_user(&load, i % 2 == 0 ? other : MANY, i % 2 == 0 ? MANY : other), KS_OK);
        assert_int_equal(load_user(&load, MANY + 1, MANY + 1), KS_OK);
        assert_int_equal(ks_users_load_finish(&load, users), KS_EXISTS);
        assert_null(load.first);
        ks_users_free(users);
    }
}

static void a_failed_allocation_is_told_and_leaks_nothing(void **state)
{
    (void)state;
    enum { SOME = 200 }; /* the tables are made larger */
    unsigned nth = 0;
    do {
        struct ks_users *users = users_new();
        failed = false;
        allocations_until_failure = ++nth;
        enum ks_result result = load_users(users, SOME);
        allocations_until_failure = 0;
        assert_int_equal(result, failed ? KS_NO_MEMORY : KS_OK);
        ks_users_free(users);
    } while (failed);
    assert_true(nth > SOME + SOME / 2 + 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_who_are_loaded_are_found),
        cmocka_unit_test(the_list_has_them_in_their_order),
        cmocka_unit_test(there_may_be_few_or_none),
        cmocka_unit_test(others_come_and_go_after_the_load),
        cmocka_unit_test(who_is_there_twice_is_told),
        cmocka_unit_test(a_failed_allocation_is_told_and_leaks_nothing),
    };
    return cmocka_run_group_tests_name("store_users_load", tests, NULL, NULL);
}
