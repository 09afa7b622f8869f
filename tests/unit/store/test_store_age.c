/* Unit tests of src/store/embedded/writer/age.h: users and keys grow old by the time that passes while a
 * server runs, whatever the clock on the wall says. */
#include "unit/store/engine_fixture.h"

#include "store/embedded/writer/age.h"

enum { KEY_BYTE = 41 };

/* One who never sent a key, and one with a content key. */
struct people {
    struct ks_client_id keyless;
    struct ks_client_id keyed;
};

static struct people register_people(struct house *house)
{
    struct people people;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    fill_public_key(key, 4);
    assert_int_equal(register_user(house, "keyless", NULL, &people.keyless), KS_OK);
    assert_int_equal(register_user(house, "keyed", key, &people.keyed), KS_OK);
    assert_int_equal(set_keys(house, &people.keyed, NULL, KEY_BYTE), KS_OK);
    return people;
}

/* On disk, so that no use of the key is counted. */
static void assert_all_there(struct house *house, const struct people *people)
{
    house_tick(house);
    assert_int_equal(look_up(house, &people->keyless, NULL), KS_OK);
    assert_database(house, "SELECT count(AESKey) FROM clients", "1");
}

static void assert_all_gone(struct house *house, const struct people *people)
{
    uint8_t byte = 0;
    house_tick(house);
    assert_int_equal(look_up(house, &people->keyless, NULL), KS_NOT_FOUND);
    assert_int_equal(content_key_of(house, &people->keyed, &byte), KS_REFUSED);
    assert_database(house, "SELECT count(AESKey) FROM clients", "0");
}

static void a_clock_that_jumps_makes_nothing_older(void **state)
{
    struct house *house = *state;
    struct people people = register_people(house);
    fixture_clock_jump(&house->clock, 20000 * (int64_t)DAY); /* from 1970 to now */
    assert_all_there(house, &people);
    fixture_clock_forward(&house->clock, DAY - 1);
    assert_all_there(house, &people);
    fixture_clock_forward(&house->clock, 1);
    assert_all_gone(house, &people);
}

static void a_clock_that_goes_back_keeps_nothing_for_ever(void **state)
{
    struct house *house = *state;
    struct people people = register_people(house);
    fixture_clock_jump(&house->clock, -20000 * (int64_t)DAY);
    assert_all_there(house, &people);
    fixture_clock_forward(&house->clock, DAY);
    assert_all_gone(house, &people);
}

static void ages_add_up_over_restarts(void **state)
{
    struct house *house = *state;
    struct people people = register_people(house);
    fixture_clock_forward(&house->clock, DAY / 2);
    house_close(house);
    fixture_clock_jump(&house->clock, DAY);
    house_open(house);
    assert_all_there(house, &people);
    fixture_clock_forward(&house->clock, DAY / 2 - 1);
    house_close(house);
    fixture_clock_jump(&house->clock, -3 * (int64_t)DAY);
    house_open(house);
    assert_all_there(house, &people);
    fixture_clock_forward(&house->clock, 1);
    assert_all_gone(house, &people);
}

static void what_passes_while_no_server_runs_makes_nothing_older(void **state)
{
    struct house *house = *state;
    struct people people = register_people(house);
    house_close(house);
    fixture_clock_forward(&house->clock, 3 * DAY);
    house_open(house);
    assert_all_there(house, &people);
    fixture_clock_forward(&house->clock, DAY);
    assert_all_gone(house, &people);
}

/* The machine is another one, or was started again: its monotonic clock begins anew. */
static void a_monotonic_clock_that_begins_anew_changes_nothing(void **state)
{
    struct house *house = *state;
    struct people people = register_people(house);
    fixture_clock_forward(&house->clock, DAY - 1);
    house_close(house);
    atomic_store(&house->clock.seconds, 5);
    house_open(house);
    assert_all_there(house, &people);
    fixture_clock_forward(&house->clock, 1);
    assert_all_gone(house, &people);
}

static void the_time_is_written_down_every_hour(void **state)
{
    struct house *house = *state;
    fixture_clock_forward(&house->clock, 3599);
    house_tick(house);
    assert_database(house, "SELECT Value FROM settings WHERE Name='seconds run'", "0");
    fixture_clock_forward(&house->clock, 1);
    house_tick(house);
    assert_database(house, "SELECT Value FROM settings WHERE Name='seconds run'", "3600");
    fixture_clock_forward(&house->clock, 10);
    house_close(house);
    assert_database(house, "SELECT Value FROM settings WHERE Name='seconds run'", "3610");
    house_open(house);
}

/* It noted seconds of the clock on the wall, in whatever year. */
static void what_an_earlier_kesher_has_noted_counts_from_now_on(void **state)
{
    struct house *house = *state;
    struct people people = register_people(house);
    house_close(house);
    run_on_database(house, "DELETE FROM settings WHERE Name='seconds run';"
                           "UPDATE clients SET AESKeyUsed=1767225600 WHERE PublicKey NOT NULL;"
                           "UPDATE clients SET AESKeyUsed=NULL WHERE PublicKey IS NULL;");
    house_open(house);
    assert_all_there(house, &people);
    fixture_clock_forward(&house->clock, DAY - 1);
    house_restart(house);
    assert_all_there(house, &people);
    fixture_clock_forward(&house->clock, 1);
    assert_all_gone(house, &people);
}

static void moments_that_cannot_be_count_as_now(void **state)
{
    struct house *house = *state;
    struct people people = register_people(house);
    house_close(house);
    run_on_database(house, "UPDATE clients SET AESKeyUsed=9223372036854775807 WHERE PublicKey NOT NULL;"
                           "UPDATE clients SET AESKeyUsed=-9223372036854775807 WHERE PublicKey IS NULL;");
    house_open(house);
    assert_all_there(house, &people);
    fixture_clock_forward(&house->clock, DAY);
    assert_all_gone(house, &people);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(a_clock_that_jumps_makes_nothing_older),
        HOUSE_TEST(a_clock_that_goes_back_keeps_nothing_for_ever),
        HOUSE_TEST(ages_add_up_over_restarts),
        HOUSE_TEST(what_passes_while_no_server_runs_makes_nothing_older),
        HOUSE_TEST(a_monotonic_clock_that_begins_anew_changes_nothing),
        HOUSE_TEST(the_time_is_written_down_every_hour),
        HOUSE_TEST(what_an_earlier_kesher_has_noted_counts_from_now_on),
        HOUSE_TEST(moments_that_cannot_be_count_as_now),
    };
    return cmocka_run_group_tests_name("store_age", tests, NULL, NULL);
}
