/* Unit tests of src/base/local: sockets in the file system. */
#include "unit/store/store_fixture.h"

#include "base/local.h"

#include <sys/socket.h>

struct place {
    char directory[64];
    char path[2048];
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    fixture_directory_make(place->directory);
    snprintf(place->path, sizeof place->path, "%s/socket", place->directory);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    fixture_directory_remove(place->directory);
    free(place);
    return 0;
}

/* Whoever connects to `path` reaches `listener`. */
static void assert_connected(const char *path, int listener)
{
    int ours = -1;
    char byte = 0;
    assert_int_equal(ks_local_connect(path, &ours), KS_OK);
    int theirs = accept(listener, NULL, NULL);
    assert_true(theirs >= 0);
    assert_true(ks_local_peer_is_trusted(theirs));
    assert_int_equal(write(ours, "x", 1), 1);
    assert_int_equal(read(theirs, &byte, 1), 1);
    assert_int_equal(byte, 'x');
    close(ours);
    close(theirs);
}

static void only_its_owner_may_open_it(void **state)
{
    struct place *place = *state;
    struct stat status;
    int listener = -1;
    mode_t before = umask(0);
    enum ks_result result = ks_local_listen(place->path, 8, &listener);
    umask(before);
    assert_int_equal(result, KS_OK);
    assert_int_equal(stat(place->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_connected(place->path, listener);
    close(listener);
}

static void a_path_may_be_longer_than_the_systems_addresses(void **state)
{
    struct place *place = *state;
    char part[101];
    int listener = -1;
    memset(part, 'd', sizeof part - 1);
    part[sizeof part - 1] = '\0';
    snprintf(place->path, sizeof place->path, "%s/%s", place->directory, part);
    assert_int_equal(mkdir(place->path, 0700), 0);
    snprintf(place->path, sizeof place->path, "%s/%s/%s", place->directory, part, part);
    assert_int_equal(mkdir(place->path, 0700), 0);
    snprintf(place->path, sizeof place->path, "%s/%s/%s/socket", place->directory, part, part);
    assert_int_equal(ks_local_listen(place->path, 8, &listener), KS_OK);
    assert_connected(place->path, listener);
    close(listener);
}

static void a_socket_that_nobody_listens_at_is_replaced(void **state)
{
    struct place *place = *state;
    int listener = -1;
    int fd = -1;
    assert_int_equal(ks_local_connect(place->path, &fd), KS_NOT_FOUND);
    assert_int_equal(ks_local_listen(place->path, 8, &listener), KS_OK);
    close(listener);
    assert_int_equal(ks_local_connect(place->path, &fd), KS_NOT_FOUND);
    assert_int_equal(ks_local_listen(place->path, 8, &listener), KS_OK);
    assert_connected(place->path, listener);
    close(listener);
}

static void what_is_no_socket_stays(void **state)
{
    struct place *place = *state;
    int fd = -1;
    fixture_write_file(place->directory, "socket", "somebody's");
    assert_int_equal(ks_local_listen(place->path, 8, &fd), KS_EXISTS);
    assert_true(fixture_file_is(place->directory, "socket", "somebody's"));
    assert_int_equal(ks_local_connect(place->path, &fd), KS_NOT_FOUND);
    snprintf(place->path, sizeof place->path, "%s/no/socket", place->directory);
    assert_int_equal(ks_local_listen(place->path, 8, &fd), KS_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_its_owner_may_open_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_path_may_be_longer_than_the_systems_addresses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_socket_that_nobody_listens_at_is_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_socket_stays, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("local", tests, NULL, NULL);
}
