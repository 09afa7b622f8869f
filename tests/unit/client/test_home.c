/* Unit tests of <kesher/home.h>, base/address.h and client/home/home_server.h: where the server's address
 * comes from, how it may be written, and who may be told the home's id. */
#include "unit/client/home_fixture.h"

#include "base/address.h"
#include "client/home/home_server.h"

#include <kesher/identity.h>

#include <fcntl.h>

static void put_file(const struct fixture *fixture, const char *name, const char *text)
{
    const struct ks_buffer bytes = {.bytes = (uint8_t *)text, .size = strlen(text)};
    assert_int_equal(ks_home_files_write(fixture->home, name, &bytes, NULL), KESHER_OK);
}

/* ---- addresses ---- */

static void addresses_are_read_in_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *formatted;
    } cases[] = {
        {"127.0.0.1:1357", "127.0.0.1:1357"},
        {"localhost:1", "localhost:1"},
        {"example.org", "example.org:1357"},
        {"[::1]:65535", "[::1]:65535"},
        {"[::1]", "[::1]:1357"},
        {"fe80::1%eth0", "[fe80::1%eth0]:1357"},
        {" 10.0.0.1:80 \r", "10.0.0.1:80"},
        {"10.0.0.1 : 80", "10.0.0.1:80"},
    };
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        struct ks_address address;
        char formatted[KESHER_ADDRESS_SIZE];
        size_t size = strlen(cases[i].text);
        uint8_t *copy = unit_exact_copy(cases[i].text, size);
        assert_int_equal(ks_address_parse((const char *)copy, size, &address), KS_OK);
        ks_address_format(&address, formatted, sizeof formatted);
        assert_string_equal(formatted, cases[i].formatted);
        free(copy);
    }
}

static void what_is_no_address_is_invalid(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",        ":",     ":80",    "a:",     "a:0",      "a:65536", "a:-1",    "a:8o",   "[::1",
        "[::1]80", "[]:80", "[::1]:", "a b:80", "a:123456", "::1]:",   "[a]b:80", "\x01:80"};
    for (size_t i = 0; i < KS_COUNT_OF(texts); i++) {
        struct ks_address address;
        size_t size = strlen(texts[i]);
        uint8_t *copy = unit_exact_copy(texts[i], size);
        if (ks_address_parse((const char *)copy, size, &address) != KS_INVALID)
            fail_msg("'%s' was taken", texts[i]);
        free(copy);
    }
}

static void host_name_of_256_bytes_is_invalid(void **state)
{
    (void)state;
    char text[300];
    struct ks_address address;
    memset(text, 'a', sizeof text);
    assert_int_equal(ks_address_parse(text, KS_ADDRESS_HOST_SIZE, &address), KS_INVALID);
    assert_int_equal(ks_address_parse(text, KS_ADDRESS_HOST_SIZE - 1, &address), KS_OK);
    assert_int_equal(strlen(address.host), KS_ADDRESS_HOST_SIZE - 1);
}

/* ---- where the address comes from ---- */

static void assert_server(const struct fixture *fixture, const char *expected)
{
    char address[KESHER_ADDRESS_SIZE];
    assert_int_equal(kesher_home_server(fixture->home, address, NULL), KESHER_OK);
    assert_string_equal(address, expected);
}

static void server_info_goes_before_transfer_info_before_the_default(void **state)
{
    const struct fixture *fixture = *state;
    assert_server(fixture, "127.0.0.1:1357");
    put_file(fixture, "transfer.info", "10.0.0.1:1111\nAlice\nfile\n");
    assert_server(fixture, "10.0.0.1:1111");
    put_file(fixture, "server.info", "\r\n10.0.0.2:2222\r\n");
    assert_server(fixture, "10.0.0.2:2222");
}

static void senseless_server_info_is_not_passed_over(void **state)
{
    const struct fixture *fixture = *state;
    char address[KESHER_ADDRESS_SIZE];
    struct kesher_error error;
    put_file(fixture, "transfer.info", "10.0.0.1:1111\nAlice\nfile\n");
    put_file(fixture, "server.info", "10.0.0.2:port\n");
    assert_int_equal(kesher_home_server(fixture->home, address, &error), KESHER_INVALID);
    assert_non_null(strstr(error.sentence, "server.info"));
}

/* ---- one server, or another ---- */

static void addresses_of_one_server_are_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *one;
        const char *other;
        bool same;
    } cases[] = {
        {"example.org", "EXAMPLE.org.:1357", true},
        {"example.org:01357", "example.org", true},
        {"[::1]:1357", "0:0:0:0:0:0:0:1", true},
        {"[FE80::1%eth0]", "[fe80::1%eth0]", true},
        {"127.0.0.1:1357", "127.0.0.1:1358", false},
        {"127.0.0.1", "127.0.0.2", false},
        {"localhost", "127.0.0.1", false}, /* nobody is asked what a name stands for */
        {"127.0.0.1", "[::1]", false},
        {"example.org", "example.org.il", false},
    };
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        struct ks_address one;
        struct ks_address other;
        assert_int_equal(ks_address_parse(cases[i].one, strlen(cases[i].one), &one), KS_OK);
        assert_int_equal(ks_address_parse(cases[i].other, strlen(cases[i].other), &other), KS_OK);
        assert_int_equal(ks_address_is_same(&one, &other), cases[i].same);
        assert_int_equal(ks_address_is_same(&other, &one), cases[i].same);
    }
}

static enum kesher_status check(const struct fixture *fixture, const char *address, bool moved,
                                struct ks_home_server *server)
{
    struct kesher_error error = {.sentence = ""};
    enum kesher_status status = ks_home_server_check(fixture->home, address, moved, server, &error);
    if (status != KESHER_OK)
        assert_true(strlen(error.sentence) > 0);
    return status;
}

static void another_server_is_refused_unless_it_has_moved(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const files[] = {"transfer.info", "server.info"};
    for (size_t i = 0; i < KS_COUNT_OF(files); i++) {
        struct ks_home_server server;
        put_file(fixture, files[i], "10.0.0.1:1111\nAlice\nfile\n");
        assert_int_equal(check(fixture, "10.0.0.1:1111", false, &server), KESHER_OK);
        assert_true(server.is_own && !server.is_unknown);
        assert_int_equal(check(fixture, "10.0.0.1:2222", false, &server), KESHER_INVALID);
        assert_int_equal(check(fixture, "10.0.0.1:2222", true, &server), KESHER_OK);
        assert_true(!server.is_own && server.is_unknown);
    }
}

static void home_that_says_nothing_may_speak_to_any_server(void **state)
{
    const struct fixture *fixture = *state;
    struct ks_home_server server;
    assert_int_equal(check(fixture, "10.0.0.1:1111", false, &server), KESHER_OK);
    assert_true(!server.is_own && server.is_unknown);
    assert_int_equal(check(fixture, "127.0.0.1:1357", false, &server), KESHER_OK);
    assert_true(server.is_own && server.is_unknown);
}

static void senseless_server_info_tells_nobody_the_id(void **state)
{
    const struct fixture *fixture = *state;
    struct ks_home_server server;
    put_file(fixture, "server.info", "nonsense:\n");
    assert_int_equal(check(fixture, "127.0.0.1:1357", false, &server), KESHER_INVALID);
    assert_int_equal(check(fixture, "127.0.0.1:1357", true, &server), KESHER_OK);
    assert_true(!server.is_own && server.is_unknown);
}

static void server_is_written_down_where_the_home_says_another_or_nothing(void **state)
{
    const struct fixture *fixture = *state;
    assert_int_equal(ks_home_server_record(fixture->home, "nowhere:0", NULL), KESHER_INVALID);
    put_file(fixture, "transfer.info", "10.0.0.1:1\nAlice\nfile\n");
    assert_int_equal(ks_home_server_record(fixture->home, "10.0.0.1:1", NULL), KESHER_OK);
    assert_false(ks_home_files_exists(fixture->home, "server.info"));
    assert_int_equal(ks_home_server_record(fixture->home, "10.0.0.2:2", NULL), KESHER_OK);
    assert_server(fixture, "10.0.0.2:2");
    assert_int_equal(ks_home_server_record(fixture->home, "10.0.0.1:1", NULL), KESHER_OK);
    assert_server(fixture, "10.0.0.1:1");
}

/* ---- transfer.info ---- */

static void transfer_info_is_read_liberally(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const texts[] = {
        "127.0.0.1:1234\nAlice of W\n/tmp/a file\n",
        "127.0.0.1:1234\r\nAlice of W\r\n/tmp/a file\r\n",
        "\n127.0.0.1:1234\n\nAlice of W\n\n/tmp/a file",
    };
    for (size_t i = 0; i < KS_COUNT_OF(texts); i++) {
        struct kesher_transfer transfer;
        put_file(fixture, "transfer.info", texts[i]);
        assert_int_equal(kesher_home_transfer(fixture->home, &transfer, NULL), KESHER_OK);
        assert_string_equal(transfer.address, "127.0.0.1:1234");
        assert_string_equal(transfer.name, "Alice of W");
        assert_string_equal(transfer.path, "/tmp/a file");
    }
}

static void transfer_info_that_lacks_something_is_invalid(void **state)
{
    const struct fixture *fixture = *state;
    struct kesher_transfer transfer;
    static const char *const texts[] = {"", "127.0.0.1:1\n", "127.0.0.1:1\nAlice\n",
                                        "no:address\nAlice\nfile\n"};
    assert_int_equal(kesher_home_transfer(fixture->home, &transfer, NULL), KESHER_NOT_FOUND);
    for (size_t i = 0; i < KS_COUNT_OF(texts); i++) {
        put_file(fixture, "transfer.info", texts[i]);
        assert_int_equal(kesher_home_transfer(fixture->home, &transfer, NULL), KESHER_INVALID);
    }
}

static void transfer_info_with_a_name_too_long_is_invalid(void **state)
{
    const struct fixture *fixture = *state;
    struct kesher_transfer transfer;
    char text[400] = "127.0.0.1:1\n";
    memset(text + strlen(text), 'a', KESHER_NAME_SIZE);
    strcat(text, "\nfile\n");
    put_file(fixture, "transfer.info", text);
    assert_int_equal(kesher_home_transfer(fixture->home, &transfer, NULL), KESHER_INVALID);
}

/* ---- the directory itself ---- */

static void missing_home_is_empty_until_it_is_made_with_its_parents_and_private(void **state)
{
    const struct fixture *fixture = *state;
    char path[128];
    char address[KESHER_ADDRESS_SIZE];
    struct kesher_home *home = NULL;
    struct kesher_identity *identity = NULL;
    struct stat status;
    assert_true(snprintf(path, sizeof path, "%s/a/b/c", fixture->path) > 0);
    assert_int_equal(kesher_home_open(path, &home, NULL), KESHER_OK);
    assert_string_equal(kesher_home_path(home), path);
    assert_false(kesher_home_exists(home) || kesher_identity_exists(home));
    assert_int_equal(kesher_home_server(home, address, NULL), KESHER_OK);
    assert_int_equal(kesher_identity_load(home, &identity, NULL), KESHER_NOT_FOUND);
    assert_int_equal(kesher_home_check_modes(home, NULL), KESHER_OK);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(ks_home_files_make(home, NULL), KESHER_OK);
    assert_true(kesher_home_exists(home));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    kesher_home_close(home);
}

static void command_that_mends_the_modes_names_all_that_is_open(void **state)
{
    const struct fixture *fixture = *state;
    char expected[300];
    struct kesher_error error;
    put_file(fixture, "me.info", "");
    put_file(fixture, "priv.key", "");
    assert_int_equal(kesher_home_check_modes(fixture->home, NULL), KESHER_OK);
    assert_int_equal(fchmodat(fixture->home->directory_fd, "me.info", 0640, 0), 0);
    assert_int_equal(fchmodat(fixture->home->directory_fd, "priv.key", 0602, 0), 0);
    assert_int_equal(chmod(fixture->path, 0770), 0);
    assert_int_equal(kesher_home_check_modes(fixture->home, &error), KESHER_INVALID);
    assert_true(snprintf(expected, sizeof expected,
                         "; type: chmod go-w %s && chmod 600 %s/me.info && chmod 600 %s/priv.key",
                         fixture->path, fixture->path, fixture->path) > 0);
    assert_non_null(strstr(error.sentence, expected));
}

static void home_that_is_a_file_is_a_file_error(void **state)
{
    const struct fixture *fixture = *state;
    char path[128];
    struct kesher_home *home = NULL;
    struct kesher_error error;
    put_file(fixture, "file", "");
    assert_true(snprintf(path, sizeof path, "%s/file", fixture->path) > 0);
    assert_int_equal(kesher_home_open(path, &home, &error), KESHER_FILE);
    assert_null(home);
    assert_non_null(strstr(error.sentence, path));
}

static void overlong_files_are_refused(void **state)
{
    const struct fixture *fixture = *state;
    char address[KESHER_ADDRESS_SIZE];
    int fd = openat(fixture->home->directory_fd, "server.info", O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 100 * 1024 * 1024), 0);
    close(fd);
    assert_int_equal(kesher_home_server(fixture->home, address, NULL), KESHER_INVALID);
}

/* ---- leftovers ---- */

static void leave(const struct fixture *fixture, const char *name, bool is_old)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = is_old ? 0 : UTIME_NOW}};
    int fd = openat(fixture->home->directory_fd, name, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
}

static void old_temporary_files_with_keys_in_them_are_swept(void **state)
{
    static const char *const swept[] = {
        ".me.info.4711.tmp",       ".me.info.new.12.tmp",   ".priv.key.1.tmp",    ".me.info.old.2.17.tmp",
        ".server.info.300000.tmp", ".x-0011.contact.1.tmp", ".account.key.3.tmp", ".server.trust.4.tmp"};
    static const char *const others[] = {".priv.key.tmp~",         "priv.key.1.tmp",
                                         ".notes.1.tmp",           ".tmp",
                                         ".priv.key.tmp",          ".priv.key.mine.tmp",
                                         ".priv.key.mine1.tmp",    ".priv.keys.1.tmp",
                                         ".my.contact.list.1.tmp", ".1.tmp",
                                         ".x.contact.me.tmp",      ".contact.1.tmp"};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < KS_COUNT_OF(swept); i++)
        leave(fixture, swept[i], true);
    for (size_t i = 0; i < KS_COUNT_OF(others); i++)
        leave(fixture, others[i], true);
    leave(fixture, ".priv.key.2.tmp", false); /* somebody may be writing it */
    kesher_home_close(fixture->home);
    assert_int_equal(kesher_home_open(fixture->path, &fixture->home, NULL), KESHER_OK);
    for (size_t i = 0; i < KS_COUNT_OF(swept); i++)
        assert_false(ks_home_files_exists(fixture->home, swept[i]));
    for (size_t i = 0; i < KS_COUNT_OF(others); i++)
        assert_true(ks_home_files_exists(fixture->home, others[i]));
    assert_true(ks_home_files_exists(fixture->home, ".priv.key.2.tmp"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_in_every_form),
        cmocka_unit_test(what_is_no_address_is_invalid),
        cmocka_unit_test(host_name_of_256_bytes_is_invalid),
        HOME_TEST(old_temporary_files_with_keys_in_them_are_swept),
        HOME_TEST(server_info_goes_before_transfer_info_before_the_default),
        HOME_TEST(senseless_server_info_is_not_passed_over),
        cmocka_unit_test(addresses_of_one_server_are_the_same),
        HOME_TEST(another_server_is_refused_unless_it_has_moved),
        HOME_TEST(home_that_says_nothing_may_speak_to_any_server),
        HOME_TEST(senseless_server_info_tells_nobody_the_id),
        HOME_TEST(server_is_written_down_where_the_home_says_another_or_nothing),
        HOME_TEST(transfer_info_is_read_liberally),
        HOME_TEST(transfer_info_that_lacks_something_is_invalid),
        HOME_TEST(transfer_info_with_a_name_too_long_is_invalid),
        HOME_TEST(missing_home_is_empty_until_it_is_made_with_its_parents_and_private),
        HOME_TEST(command_that_mends_the_modes_names_all_that_is_open),
        HOME_TEST(home_that_is_a_file_is_a_file_error),
        HOME_TEST(overlong_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
