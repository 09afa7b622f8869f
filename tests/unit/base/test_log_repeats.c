/* test_log_repeats.c — lines that are alike are written so many times an hour, counted beyond that, and told
 * (log_repeats.h); and what a machine says of its ways (machine.h).
 */
#include "base/limits/log_repeats.h"
#include "base/machine.h"
#include "support/fake_loop.h"
#include "unit/unit.h"

#include <stdio.h>
#include <unistd.h>

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

static const char kind[] = "a kind", other_kind[] = "another kind";

struct desk {
    struct fake_loop loop; /* for its log and its clock */
    struct ks_log_rate rate;
};

static int set_up(void **state)
{
    const struct ks_hash_key key = {{1}};
    struct desk *desk = calloc(1, sizeof *desk);
    assert_non_null(desk);
    fake_loop_init(&desk->loop, 1024);
    fake_loop_keep_log(&desk->loop);
    desk->loop.log.level = KS_LOG_INFO;
    desk->loop.log.rate = &desk->rate;
    assert_int_equal(ks_log_repeats_new(&key, &desk->loop.time.clock, &desk->loop.log.repeats), KS_OK);
    *state = desk;
    return 0;
}

static int tear_down(void **state)
{
    struct desk *desk = *state;
    ks_log_repeats_free(desk->loop.log.repeats);
    fake_loop_destroy(&desk->loop);
    free(desk);
    return 0;
}

static struct ks_log_cause cause_of(const char *what, unsigned address, unsigned user)
{
    const uint8_t address_bytes[16] = {
        [10] = 0xff, [11] = 0xff, [12] = (uint8_t)(address >> 8), [15] = (uint8_t)address};
    const uint8_t user_bytes[16] = {(uint8_t)user};
    return ks_log_cause(what, address_bytes, user > 0 ? user_bytes : NULL);
}

static void say(struct desk *desk, const struct ks_log_cause *cause, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        ks_log_repeatable(&desk->loop.log, KS_LOG_WARNING, cause, KS_LOG_REFUSALS, "no %u", i + 1);
}

static unsigned lines(struct desk *desk)
{
    unsigned count = 0;
    for (const char *next = fake_loop_log(&desk->loop); (next = strchr(next, '\n')) != NULL; next++)
        count++;
    return count;
}

static const char *last_line(struct desk *desk)
{
    const char *text = fake_loop_log(&desk->loop);
    const char *line = text;
    for (const char *next = text; (next = strchr(next, '\n')) != NULL && next[1] != '\0';)
        line = ++next;
    return line;
}

static void an_hours_worth_is_written_at_once_and_the_rest_is_counted(void **state)
{
    struct desk *desk = *state;
    const struct ks_log_cause cause = cause_of(kind, 1, 0);
    say(desk, &cause, 1000);
    assert_int_equal(lines(desk), KS_LOG_REFUSALS);
    assert_string_equal(last_line(desk), "<4>no 20\n");
    assert_int_equal(atomic_load(&desk->rate.suppressed_in_all), 1000 - KS_LOG_REFUSALS);
}

static void the_next_line_that_may_be_written_tells_how_many_there_were(void **state)
{
    struct desk *desk = *state;
    const struct ks_log_cause cause = cause_of(kind, 1, 0);
    say(desk, &cause, 100);
    desk->loop.time.monotonic_ms += HOUR / KS_LOG_REFUSALS;
    say(desk, &cause, 2);
    assert_int_equal(lines(desk), KS_LOG_REFUSALS + 1);
    assert_string_equal(last_line(desk), "<4>no 1; 81 times since the last such line\n");
}

static void what_was_counted_is_told_though_no_other_comes(void **state)
{
    struct desk *desk = *state;
    const struct ks_log_cause cause = cause_of(kind, 1, 0);
    say(desk, &cause, 50);
    ks_log_tell_repeats(&desk->loop.log, false);
    assert_int_equal(lines(desk), KS_LOG_REFUSALS); /* not yet */
    desk->loop.time.monotonic_ms += HOUR / KS_LOG_REFUSALS;
    ks_log_tell_repeats(&desk->loop.log, false);
    assert_string_equal(last_line(desk), "<4>no 21; 30 times since the last such line\n");
    ks_log_tell_repeats(&desk->loop.log, true);
    assert_int_equal(lines(desk), KS_LOG_REFUSALS + 1); /* once */
}

static void at_the_end_all_is_told(void **state)
{
    struct desk *desk = *state;
    const struct ks_log_cause one = cause_of(kind, 1, 0), two = cause_of(kind, 2, 0);
    say(desk, &one, KS_LOG_REFUSALS + 1);
    say(desk, &two, KS_LOG_REFUSALS + 2);
    ks_log_tell_repeats(&desk->loop.log, true);
    assert_int_equal(lines(desk), 2 * (KS_LOG_REFUSALS + 1));
    assert_non_null(strstr(fake_loop_log(&desk->loop), "no 21\n")); /* one is no more than itself */
    assert_non_null(strstr(fake_loop_log(&desk->loop), "no 21; 2 times since the last such line\n"));
}

static void the_hours_worth_comes_back_over_the_hour(void **state)
{
    struct desk *desk = *state;
    const struct ks_log_cause cause = cause_of(kind, 1, 0);
    say(desk, &cause, KS_LOG_REFUSALS);
    desk->loop.time.monotonic_ms += HOUR / 2;
    say(desk, &cause, KS_LOG_REFUSALS);
    assert_int_equal(lines(desk), KS_LOG_REFUSALS + KS_LOG_REFUSALS / 2);
}

static void other_kinds_addresses_and_users_have_lines_of_their_own(void **state)
{
    struct desk *desk = *state;
    const struct ks_log_cause causes[] = {cause_of(kind, 1, 0), cause_of(other_kind, 1, 0),
                                          cause_of(kind, 2, 0), cause_of(kind, 1, 1), cause_of(kind, 1, 2)};
    for (size_t i = 0; i < KS_COUNT_OF(causes); i++)
        say(desk, &causes[i], 2 * KS_LOG_REFUSALS);
    assert_int_equal(lines(desk), KS_COUNT_OF(causes) * KS_LOG_REFUSALS);
}

static void addresses_of_one_ipv6_customer_are_one(void **state)
{
    struct desk *desk = *state;
    for (unsigned i = 0; i < 2 * KS_LOG_REFUSALS; i++) {
        const uint8_t address[16] = {0x20, 0x01, [15] = (uint8_t)i};
        const struct ks_log_cause cause = ks_log_cause(kind, address, NULL);
        say(desk, &cause, 1);
    }
    assert_int_equal(lines(desk), KS_LOG_REFUSALS);
}

/* Whoever comes from everywhere fills the table, and then no more than the table has is written. */
static void a_crowd_of_addresses_writes_no_more_than_the_table_has_places(void **state)
{
    enum { ADDRESSES = 20000, PLACES = 1024 };
    struct desk *desk = *state;
    for (unsigned i = 0; i < ADDRESSES; i++) {
        const struct ks_log_cause cause = cause_of(kind, i, 0);
        say(desk, &cause, 2);
    }
    unsigned written = lines(desk);
    assert_in_range(written, 1, PLACES * KS_LOG_REFUSALS);
    assert_true(atomic_load(&desk->rate.suppressed_in_all) + written == 2 * ADDRESSES);
    ks_log_tell_repeats(&desk->loop.log, true);
    assert_non_null(strstr(fake_loop_log(&desk->loop), " lines of others were left out\n"));
}

/* Nobody's crowd takes a place from lines that are not about anybody. */
static void trouble_of_ours_is_written_however_full_the_table_is(void **state)
{
    struct desk *desk = *state;
    for (unsigned i = 0; i < 20000; i++) {
        const struct ks_log_cause cause = cause_of(kind, i, 0);
        say(desk, &cause, 2);
    }
    unsigned before = lines(desk);
    ks_log_trouble(&desk->loop.log, KS_LOG_ERROR, "the database refused a change: %s", "no space");
    assert_int_equal(lines(desk), before + 1);
    assert_string_equal(last_line(desk), "<3>the database refused a change: no space\n");
}

static void who_owes_nothing_makes_room_in_the_table(void **state)
{
    struct desk *desk = *state;
    for (unsigned i = 0; i < 20000; i++) {
        const struct ks_log_cause cause = cause_of(kind, i, 0);
        say(desk, &cause, 1);
    }
    ks_log_tell_repeats(&desk->loop.log, true);
    desk->loop.time.monotonic_ms += 2 * HOUR;
    unsigned before = lines(desk);
    for (unsigned i = 0; i < 100; i++) {
        const struct ks_log_cause cause = cause_of(other_kind, i, 0);
        say(desk, &cause, 1);
    }
    assert_int_equal(lines(desk), before + 100);
}

static void a_level_that_is_not_shown_counts_nothing(void **state)
{
    struct desk *desk = *state;
    const struct ks_log_cause cause = cause_of(kind, 1, 0);
    desk->loop.log.level = KS_LOG_ERROR;
    say(desk, &cause, 100);
    ks_log_tell_repeats(&desk->loop.log, true);
    assert_int_equal(lines(desk), 0);
    desk->loop.log.level = KS_LOG_WARNING;
    say(desk, &cause, 1);
    assert_string_equal(last_line(desk), "<4>no 1\n");
}

static void without_a_table_every_line_is_written(void **state)
{
    struct desk *desk = *state;
    struct ks_log_repeats *repeats = desk->loop.log.repeats;
    const struct ks_log_cause cause = cause_of(kind, 1, 0);
    desk->loop.log.repeats = NULL;
    say(desk, &cause, 100);
    ks_log_tell_repeats(&desk->loop.log, true);
    assert_int_equal(lines(desk), 100);
    desk->loop.log.repeats = repeats;
}

static void a_long_line_is_cut_and_its_count_is_not(void **state)
{
    struct desk *desk = *state;
    const struct ks_log_cause cause = cause_of(kind, 1, 0);
    char text[2 * KS_LOG_REPEAT_SIZE] = "";
    memset(text, 'x', sizeof text - 1);
    for (unsigned i = 0; i < KS_LOG_REFUSALS + 2; i++)
        ks_log_repeatable(&desk->loop.log, KS_LOG_INFO, &cause, KS_LOG_REFUSALS, "%s", text);
    ks_log_tell_repeats(&desk->loop.log, true);
    assert_non_null(strstr(last_line(desk), "xxx; 2 times since the last such line\n"));
}

/* ---- machines ---- */

enum { ASLEEP, AWAKE, GONE };
static const char *const names[] = {"asleep", "awake", "gone"};
static const uint16_t ways[] = {KS_WAY_TO(AWAKE), KS_WAY_TO(ASLEEP) | KS_WAY_TO(GONE), 0};
static const struct ks_machine machine = {.name = "cat", .states = names, .ways = ways};

static void a_machine_goes_its_ways_and_tells_them_by_name(void **state)
{
    struct desk *desk = *state;
    uint8_t cat = ASLEEP;
    desk->loop.log.level = KS_LOG_DEBUG;
    assert_true(ks_machine_step(&machine, &desk->loop.log, &cat, AWAKE));
    assert_int_equal(cat, AWAKE);
    ks_machine_tell(&machine, &desk->loop.log, "192.0.2.1:1", ASLEEP, AWAKE);
    assert_string_equal(last_line(desk), "<7>192.0.2.1:1: cat: asleep -> awake\n");
    assert_false(ks_machine_step(&machine, &desk->loop.log, &cat, AWAKE)); /* it is that already */
    assert_int_equal(lines(desk), 1);
}

static void a_way_that_there_is_not_is_not_gone_and_is_told(void **state)
{
    struct desk *desk = *state;
    uint8_t cat = GONE;
    int fd = desk->loop.log.fd;
    char text[128] = "";
    assert_false(ks_machine_step(&machine, &desk->loop.log, &cat, AWAKE));
    assert_int_equal(cat, GONE);
    snprintf(text, sizeof text, "%s", last_line(desk));
    assert_string_equal(text, "<4>a fault of kesherd's: cat: there is no way gone -> awake\n");
    assert_int_equal(ftruncate(fd, 0), 0); /* else the loop would fail the test for it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_hours_worth_is_written_at_once_and_the_rest_is_counted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_next_line_that_may_be_written_tells_how_many_there_were, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_was_counted_is_told_though_no_other_comes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(at_the_end_all_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_hours_worth_comes_back_over_the_hour, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_kinds_addresses_and_users_have_lines_of_their_own, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(addresses_of_one_ipv6_customer_are_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_crowd_of_addresses_writes_no_more_than_the_table_has_places, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(trouble_of_ours_is_written_however_full_the_table_is, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_owes_nothing_makes_room_in_the_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_level_that_is_not_shown_counts_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_table_every_line_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_line_is_cut_and_its_count_is_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_machine_goes_its_ways_and_tells_them_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_way_that_there_is_not_is_not_gone_and_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
