/* Unit tests of a disk that is full to the last byte, with `free-space` 0: src/store/embedded/disk/reserve.c
 * and the embedded engine. Where no file system can be mounted, they are skipped. */
#include "unit/store/messages_fixture.h"

#include <errno.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

enum { MEBIBYTE = 1024 * 1024, MANY = 3000, RETRY_SECONDS = 64 };

static int set_up(void **state)
{
    struct house *house = NULL;
    house_set_up(state);
    house = *state;
    house_close(house);
    if (mount("kesher-unit", house->directory, "tmpfs", 0, "size=16m") != 0)
        return 0;
    house_open(house);
    return 0;
}

static int tear_down(void **state)
{
    struct house *house = *state;
    house_close(house);
    (void)umount2(house->directory, MNT_DETACH); /* if it was mounted */
    return house_tear_down(state);
}

static uint64_t free_bytes(const struct house *house)
{
    struct statvfs status;
    assert_int_equal(statvfs(house->directory, &status), 0);
    return (uint64_t)status.f_bavail * status.f_frsize;
}

/* Others fill the disk, page by page. */
static void fill(const struct house *house)
{
    static const uint8_t page[4096] = {1};
    char path[128];
    snprintf(path, sizeof path, "%s/filler", house->directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, page, sizeof page) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
    close(fd);
    assert_int_equal(free_bytes(house), 0);
}

static void others_make_room(struct house *house)
{
    char path[128];
    snprintf(path, sizeof path, "%s/filler", house->directory);
    assert_int_equal(unlink(path), 0);
    fixture_clock_forward(&house->clock, 1);
    house_tick(house);
}

static void append_many(struct house *house, const struct pair *users, int count)
{
    static char text[TEXT_LIMIT];
    struct ks_store_append_message *requests = calloc((size_t)count, sizeof *requests);
    assert_non_null(requests);
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < count; i++) {
        requests[i] = append_request(house, &users->bob, &users->alice, text);
        ks_store_append_message(house->store, &requests[i]);
    }
    for (int i = 0; i < count; i++)
        fixture_wait_for_answer(&house->waiter);
    for (int i = 0; i < count; i++)
        assert_int_equal(requests[i].request.result, KS_OK);
    free(requests);
}

/* In parts that fit our buffers. Returns how many there were. */
static size_t take_all(struct house *house, const struct pair *users)
{
    uint8_t *bytes = malloc(MEBIBYTE);
    size_t taken = 0;
    assert_non_null(bytes);
    for (;;) {
        struct ks_store_lease_waiting part = lease_within(house, &users->bob, 7, MEBIBYTE / 2);
        size_t size = 0;
        unsigned calls = 0;
        if (part.count == 0)
            break;
        assert_int_equal(read_bytes(house, &users->bob, &part, MEBIBYTE / 2, bytes, &size, &calls), KS_OK);
        assert_int_equal(size, part.size);
        taken += part.count;
        enum ks_result result = delivered(house, &users->bob, 7, part.last);
        assert_true(result == KS_OK || result == KS_NO_SPACE); /* then it is tried again */
    }
    free(bytes);
    return taken;
}

static void wait_for_retries(struct house *house)
{
    for (int i = 0; i < 3; i++) {
        fixture_clock_forward(&house->clock, RETRY_SECONDS);
        house_tick(house);
    }
}

static void skip_unless_mounted(const struct house *house)
{
    if (house->store == NULL)
        skip();
}

static void what_waits_on_a_full_disk_is_taken_and_deleted(void **state)
{
    struct house *house = *state;
    skip_unless_mounted(house);
    struct pair users = two_users(house);
    append_many(house, &users, MANY);
    house_restart(house); /* the database's log is as short as can be */
    fill(house);
    assert_int_equal(take_all(house, &users), MANY);
    wait_for_retries(house);
    assert_database(house, "SELECT count(*) FROM messages", "0");
    assert_database(house, "SELECT count(*) FROM waiting", "0");
    house_restart(house);
    assert_int_equal(take_all(house, &users), 0);
}

/* To be leased they must be indexed, which is written, too. */
static void what_is_not_filed_can_be_taken_from_a_full_disk(void **state)
{
    struct house *house = *state;
    skip_unless_mounted(house);
    struct pair users = two_users(house);
    append_many(house, &users, MANY);
    fill(house);
    assert_int_equal(take_all(house, &users), MANY);
    wait_for_retries(house);
    assert_database(house, "SELECT count(*) FROM messages", "0");
}

static void a_server_starts_on_a_full_disk_and_gives_what_it_has(void **state)
{
    struct house *house = *state;
    skip_unless_mounted(house);
    struct pair users = two_users(house);
    append_many(house, &users, MANY);
    house_close(house);
    fill(house);
    house_open(house);
    assert_int_equal(try_append(house, &users.bob, &users.alice, "refused"), KS_NO_SPACE);
    assert_int_equal(take_all(house, &users), MANY);
    wait_for_retries(house);
    assert_database(house, "SELECT count(*) FROM messages", "0");
}

static void new_messages_are_refused_until_there_is_room(void **state)
{
    struct house *house = *state;
    skip_unless_mounted(house);
    struct pair users = two_users(house);
    append_many(house, &users, MANY);
    house_restart(house);
    fill(house);
    (void)ks_reserve_give_up(&ks_engine_of(house->store)->reserve); /* no other thread does anything now */
    assert_int_equal(try_append(house, &users.bob, &users.alice, "refused"), KS_NO_SPACE);
    assert_true(free_bytes(house) > MEBIBYTE / 4);
    fill(house); /* others are faster */
    others_make_room(house);
    assert_int_equal(try_append(house, &users.bob, &users.alice, "welcome"), KS_OK);
    fill(house); /* and the reserve is there again */
    assert_int_equal(take_all(house, &users), MANY + 1);
    wait_for_retries(house);
    assert_database(house, "SELECT count(*) FROM messages", "0");
}

static off_t reserve_size(const struct house *house)
{
    char path[128];
    struct stat status;
    snprintf(path, sizeof path, "%s/reserve", house->directory);
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

/* The first start was on a disk that was nearly full. */
static void the_reserve_grows_with_the_room(void **state)
{
    struct house *house = *state;
    skip_unless_mounted(house);
    char path[128];
    snprintf(path, sizeof path, "%s/reserve", house->directory);
    house_close(house);
    assert_int_equal(truncate(path, MEBIBYTE / 4), 0);
    house_open(house);
    const off_t grown = reserve_size(house);
    assert_true(grown > MEBIBYTE);
    fill(house);
    house_restart(house); /* and becomes no smaller when there is none */
    assert_true(reserve_size(house) == 0 || reserve_size(house) == grown);
}

#define FULL_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FULL_TEST(what_waits_on_a_full_disk_is_taken_and_deleted),
        FULL_TEST(what_is_not_filed_can_be_taken_from_a_full_disk),
        FULL_TEST(a_server_starts_on_a_full_disk_and_gives_what_it_has),
        FULL_TEST(the_reserve_grows_with_the_room),
        FULL_TEST(new_messages_are_refused_until_there_is_room),
    };
    return cmocka_run_group_tests_name("store_full", tests, NULL, NULL);
}
