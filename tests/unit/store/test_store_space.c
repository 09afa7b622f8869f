/* Unit tests of the room that stays free on the data directory's file system, src/store/embedded/disk/space.c
 * and the embedded engine. */
#include "unit/store/operators_fixture.h"

#include "store/embedded/disk/space.h"

#include <sys/mount.h>

enum { MEBIBYTE = 1024 * 1024 };

static unsigned log_lines_with(const char *directory, const char *words)
{
    char path[128];
    char line[1024];
    unsigned count = 0;
    snprintf(path, sizeof path, "%s/log", directory);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        count += strstr(line, words) != NULL;
    fclose(file);
    return count;
}

static void log_to_file(struct house *house)
{
    char path[128];
    snprintf(path, sizeof path, "%s/log", house->directory);
    close(house->log.fd);
    house->log.fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(house->log.fd >= 0);
}

static void without_room_nothing_begins_and_what_is_there_is_finished(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    log_to_file(house);
    struct ks_stage *file = stage_file(house, &users.alice, "x", "staged");
    struct ks_stage *content = message_stage(house, &users.alice, "large");
    append(house, &users.bob, &users.alice, "before");
    atomic_store(&house->limits.free_space, UINT64_MAX - 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(try_declared(house, &users.alice, "y", 1), KS_NO_SPACE);
        assert_int_equal(try_append(house, &users.bob, &users.alice, "small"), KS_NO_SPACE);
    }
    assert_int_equal(confirm_stage(house, file), KS_OK);
    assert_int_equal(append_stage(house, &users.bob, &users.alice, content, 5, NULL), KS_OK);
    assert_waiting(house, &users.bob, "before large");
    atomic_store(&house->limits.free_space, 0);
    assert_int_equal(try_declared(house, &users.alice, "y", 1), KS_OK);
    append(house, &users.bob, &users.alice, "after");
    assert_int_equal(log_lines_with(house->directory, "are to stay free"), 1);
    assert_int_equal(log_lines_with(house->directory, "has room again"), 1);
}

static void the_disk_is_looked_at_once_a_second(void **state)
{
    struct house *house = *state;
    struct ks_space space;
    int directory = open(house->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(directory >= 0);
    atomic_store(&house->limits.free_space, 1);
    ks_space_init(&space, directory, &house->clock.clock, &house->log, &house->limits);
    assert_false(ks_space_is_short(&space));
    atomic_store(&space.free_bytes, 0);
    ks_space_tick(&space);
    assert_true(ks_space_is_short(&space));
    fixture_clock_forward(&house->clock, 1);
    ks_space_tick(&space);
    assert_false(ks_space_is_short(&space));
    close(directory);
    fixture_clock_forward(&house->clock, 1);
    ks_space_tick(&space); /* what cannot be looked at is taken for roomy */
    assert_false(ks_space_is_short(&space));
}

static void at_the_limit_the_state_does_not_turn_with_every_file(void **state)
{
    struct house *house = *state;
    struct ks_space space;
    log_to_file(house);
    int directory = open(house->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(directory >= 0);
    atomic_store(&house->limits.free_space, 0);
    ks_space_init(&space, directory, &house->clock.clock, &house->log, &house->limits);
    atomic_store(&house->limits.free_space, 400);
    for (uint64_t i = 0; i < 100; i++) {
        atomic_store(&space.free_bytes, 400 + i);
        assert_int_equal(ks_space_is_short(&space), i > 0); /* 400 is enough until it was not */
        atomic_store(&space.free_bytes, 399);
        assert_true(ks_space_is_short(&space));
    }
    assert_int_equal(log_lines_with(house->directory, "are to stay free"), 1);
    assert_int_equal(log_lines_with(house->directory, "has room again"), 0);
    atomic_store(&space.free_bytes, 500);
    assert_false(ks_space_is_short(&space));
    atomic_store(&space.free_bytes, 400);
    assert_false(ks_space_is_short(&space));
    assert_int_equal(log_lines_with(house->directory, "are to stay free"), 1);
    assert_int_equal(log_lines_with(house->directory, "has room again"), 1);
    atomic_store(&space.free_bytes, 399);
    assert_true(ks_space_is_short(&space));
    atomic_store(&house->limits.free_space, 300); /* a lower limit counts with its own quarter */
    assert_false(ks_space_is_short(&space));
    close(directory);
}

static void a_disk_that_fills_and_empties_is_seen_by_the_next_tick(void **state)
{
    struct house *house = *state;
    char ballast[128];
    house_close(house);
    if (mount("kesher-unit", house->directory, "tmpfs", 0, "size=8m") != 0)
        skip();
    atomic_store(&house->limits.free_space, 4 * MEBIBYTE);
    house_open(house);
    struct pair users = two_users(house);
    enum ks_result before = try_append(house, &users.bob, &users.alice, "before");
    snprintf(ballast, sizeof ballast, "head -c 6m /dev/zero > %s/ballast", house->directory);
    int filled = system(ballast);
    fixture_clock_forward(&house->clock, 1);
    house_tick(house);
    enum ks_result refused = try_append(house, &users.bob, &users.alice, "refused");
    house_restart(house);
    enum ks_result at_the_start = try_append(house, &users.bob, &users.alice, "refused");
    snprintf(ballast, sizeof ballast, "%s/ballast", house->directory);
    int emptied = unlink(ballast);
    fixture_clock_forward(&house->clock, 1);
    house_tick(house);
    enum ks_result after = try_append(house, &users.bob, &users.alice, "after");
    house_close(house);
    assert_int_equal(umount2(house->directory, MNT_DETACH), 0);
    assert_int_equal(before, KS_OK);
    assert_int_equal(filled, 0);
    assert_int_equal(refused, KS_NO_SPACE);
    assert_int_equal(at_the_start, KS_NO_SPACE);
    assert_int_equal(emptied, 0);
    assert_int_equal(after, KS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(without_room_nothing_begins_and_what_is_there_is_finished),
        HOUSE_TEST(the_disk_is_looked_at_once_a_second),
        HOUSE_TEST(at_the_limit_the_state_does_not_turn_with_every_file),
        HOUSE_TEST(a_disk_that_fills_and_empties_is_seen_by_the_next_tick),
    };
    return cmocka_run_group_tests_name("store_space", tests, NULL, NULL);
}
