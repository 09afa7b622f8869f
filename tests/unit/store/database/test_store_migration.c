/* Unit tests of src/store/embedded/database/schema.c: databases that were made before there were accounts, or
 * own files. */
#include "unit/store/own_files_fixture.h"

enum { KEY = 11 };

/* A skeleton of the tests' own: zeros look like the letter o. */
static enum ks_result zeros_are_letters(const char *name, size_t size, char skeleton[KS_SKELETON_SIZE])
{
    if (memchr(name, '!', size) != NULL)
        return KS_INVALID;
    for (size_t i = 0; i < size; i++)
        skeleton[i] = name[i] == '0' ? 'o' : name[i];
    skeleton[size] = '\0';
    return KS_OK;
}

static enum ks_result no_memory_for_it(const char *name, size_t size, char skeleton[KS_SKELETON_SIZE])
{
    (void)name;
    (void)size;
    (void)skeleton;
    return KS_NO_MEMORY;
}

static enum ks_result broken(const char *name, size_t size, char skeleton[KS_SKELETON_SIZE])
{
    (void)name;
    (void)size;
    (void)skeleton;
    return KS_CRYPTO;
}

/* Some users, as version 7 has them; the house is closed. */
static struct ks_client_id leave_older(struct house *house)
{
    struct ks_client_id bob;
    assert_int_equal(register_user(house, "b0b", NULL, &bob), KS_OK);
    assert_int_equal(register_user(house, "Wow!", NULL, NULL), KS_OK);
    keep_file(house, &bob, "file", "text");
    append(house, &bob, &bob, "message");
    house_close(house);
    run_on_database(house, BEFORE_ACCOUNTS "PRAGMA user_version=7");
    return bob;
}

static void users_of_an_older_database_get_their_skeletons(void **state)
{
    struct house *house = *state;
    struct ks_client_id bob = leave_older(house);
    house->skeleton = zeros_are_letters;
    house_open(house);
    assert_database(house, "SELECT Skeleton FROM clients WHERE Name='b0b'", "bob");
    assert_database(house, "SELECT Skeleton FROM clients WHERE Name='Wow!'", "wow!"); /* it has none */
    assert_int_equal(register_account(house, "bob", KEY, 0, NULL), KS_EXISTS);
    assert_int_equal(adopt(house, &bob, KEY), KS_OK);
    assert_int_equal(register_user(house, "bob", NULL, NULL), KS_EXISTS);
    assert_int_equal(files_of(house, &bob), 1);
    assert_waiting(house, &bob, "message");
    house_restart(house);
    assert_key(house, KEY, &bob);
}

static void without_a_function_a_skeleton_is_the_name_in_lower_case(void **state)
{
    struct house *house = *state;
    leave_older(house);
    house_open(house);
    assert_database(house, "SELECT Skeleton FROM clients WHERE Name='b0b'", "b0b");
    assert_database(house, "SELECT Skeleton FROM clients WHERE Name='Wow!'", "wow!");
    assert_int_equal(register_account(house, "wow!", KEY, 0, NULL), KS_EXISTS);
}

static void a_migration_that_fails_leaves_the_database_as_it_was(void **state)
{
    struct house *house = *state;
    char why[256];
    leave_older(house);
    house->skeleton = no_memory_for_it;
    assert_int_equal(house_try_open(house, &house->store, why, sizeof why), KS_NO_MEMORY);
    house->skeleton = broken;
    assert_int_equal(house_try_open(house, &house->store, why, sizeof why), KS_IO);
    assert_non_null(strstr(why, "skeleton"));
    assert_database(house, "PRAGMA user_version", "7");
    assert_database(house, "SELECT count(*) FROM sqlite_schema WHERE name='accounts'", "0");
    house->skeleton = zeros_are_letters;
    house_open(house);
    assert_database(house, "SELECT count(*) FROM clients WHERE Skeleton NOT NULL", "2");
}

/* One that an older kesher has is never asked for its skeletons again. */
static void a_database_of_this_kesher_is_not_migrated(void **state)
{
    struct house *house = *state;
    assert_int_equal(register_user(house, "b0b", NULL, NULL), KS_OK);
    house->skeleton = broken;
    house_restart(house);
    assert_database(house, "SELECT Skeleton FROM clients", "b0b");
}

static enum ks_result digest(struct house *house, const struct ks_client_id *id, const char *name)
{
    struct ks_store_digest_file request = {.request = fixture_request(&house->waiter), .id = *id};
    snprintf(request.name, sizeof request.name, "%s", name);
    ks_store_digest_file(house->store, &request);
    return fixture_wait(&house->waiter, &request.request);
}

/* As version 8 has them: with a cksum, without one, adopted, and one that is missing. */
static void files_of_an_older_database_are_own_files(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    char path[256];
    char whole[512];
    keep_text(house, &users.alice, "told", "hello");
    keep_file(house, &users.alice, "untold", "hello too");
    keep_text(house, &users.alice, "missing", "gone");
    house_close(house);
    run_on_database(house, BEFORE_OWN_FILES "PRAGMA user_version=8");
    fixture_write_file(house->directory, path_of(&users.alice, "adopted", path), "found");
    assert_int_equal(unlink(whole_path_of(house, &users.alice, "missing", whole)), 0);
    house_open(house);
    assert_database(house, "PRAGMA user_version", "9");
    assert_listed(house, &users.alice, "", PAGE, "adopted missing told untold");
    assert_file_reads(house, &users.alice, "told", "hello");
    assert_file_reads(house, &users.alice, "untold", "hello too");
    assert_file_reads(house, &users.alice, "adopted", "found");
    assert_int_equal(digest(house, &users.alice, "told"), KS_OK);
    assert_int_equal(digest(house, &users.alice, "untold"), KS_OK);
    assert_int_equal(digest(house, &users.alice, "adopted"), KS_OK);
    assert_int_equal(digest(house, &users.alice, "missing"), KS_INVALID);
    const struct ks_file_facts facts = facts_of(house, &users.alice, "told");
    assert_true(facts.has_sha256);
    assert_int_equal(facts.cksum, 3287646509U);
    house_restart(house);
    assert_database(house, "SELECT count(*) FROM files WHERE length(SHA256)=32", "3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(users_of_an_older_database_get_their_skeletons),
        HOUSE_TEST(without_a_function_a_skeleton_is_the_name_in_lower_case),
        HOUSE_TEST(a_migration_that_fails_leaves_the_database_as_it_was),
        HOUSE_TEST(a_database_of_this_kesher_is_not_migrated),
        HOUSE_TEST(files_of_an_older_database_are_own_files),
    };
    return cmocka_run_group_tests_name("store_migration", tests, NULL, NULL);
}
