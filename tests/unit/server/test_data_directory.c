/* Unit tests of server/data_directory.h: which directory a command for operators works on. */
#include "unit/unit.h"

#include "server/data_directory.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 200, ARGUMENTS_LIMIT = 6 };

/* A working directory of its own, and the places of an installed server below it. */
struct fixture {
    char root[PATH_SIZE];
    char configuration[2 * PATH_SIZE];
    char data[2 * PATH_SIZE];
    struct ks_data_directory_installed installed;
    struct ks_server_options options;
};

static void make_data(const char *directory)
{
    char path[PATH_MAX];
    assert_int_equal(mkdir(directory, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/kesher.db", directory);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    (void)snprintf(fixture->root, sizeof fixture->root, "/tmp/kesher-data-XXXXXX");
    assert_non_null(mkdtemp(fixture->root));
    assert_int_equal(chdir(fixture->root), 0);
    (void)snprintf(fixture->configuration, sizeof fixture->configuration, "%s/kesherd.conf", fixture->root);
    (void)snprintf(fixture->data, sizeof fixture->data, "%s/installed", fixture->root);
    fixture->installed = (struct ks_data_directory_installed){fixture->configuration, fixture->data};
    unsetenv("STATE_DIRECTORY");
    *state = fixture;
    return 0;
}

static void remove_data(const char *directory)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/kesher.db", directory);
    unlink(path);
    rmdir(directory);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    ks_server_options_free(&fixture->options);
    remove_data("kesher-data");
    remove_data("installed");
    remove_data("named");
    unlink("kesherd.conf");
    unlink("other.conf");
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(fixture->root), 0);
    free(fixture);
    return 0;
}

/* Looks as "kesherd user list" does with these options. */
static enum ks_result find(struct fixture *fixture, const char *option, const char *value)
{
    static char *argv[ARGUMENTS_LIMIT] = {(char *)"kesherd", (char *)"user", (char *)"list"};
    int argc = 3;
    if (option != NULL) {
        argv[argc++] = (char *)option;
        argv[argc++] = (char *)value;
    }
    assert_true(ks_server_options_read(&fixture->options, argc, argv));
    return ks_data_directory_find(&fixture->options, &fixture->installed);
}

static void what_an_option_says_is_taken(void **state)
{
    struct fixture *fixture = *state;
    make_data("kesher-data");
    assert_int_equal(find(fixture, "--data", "anywhere"), KS_OK);
    assert_string_equal(fixture->options.data, "anywhere");
}

static void what_the_configuration_of_an_option_says_is_taken(void **state)
{
    struct fixture *fixture = *state;
    make_data("kesher-data");
    write_file("other.conf", "data = elsewhere\n");
    assert_int_equal(find(fixture, "--config", "other.conf"), KS_OK);
    assert_string_equal(fixture->options.data, "elsewhere");
}

static void the_state_directory_comes_before_what_is_at_hand(void **state)
{
    struct fixture *fixture = *state;
    make_data("kesher-data");
    setenv("STATE_DIRECTORY", "/of/systemd", 1);
    assert_int_equal(find(fixture, NULL, NULL), KS_OK);
    assert_string_equal(fixture->options.data, "/of/systemd");
}

static void data_at_hand_comes_before_that_of_an_installed_server(void **state)
{
    struct fixture *fixture = *state;
    make_data("kesher-data");
    make_data("installed");
    assert_int_equal(find(fixture, NULL, NULL), KS_OK);
    assert_string_equal(fixture->options.data, "kesher-data");
}

static void the_data_of_an_installed_server_is_found(void **state)
{
    struct fixture *fixture = *state;
    make_data("installed");
    assert_int_equal(find(fixture, NULL, NULL), KS_OK);
    assert_string_equal(fixture->options.data, fixture->data);
    ks_server_options_free(&fixture->options);
    /* Its example has no data in it. */
    write_file("kesherd.conf", "#data = /var/lib/kesher\npublic-ids = plain\n");
    assert_int_equal(find(fixture, NULL, NULL), KS_OK);
    assert_string_equal(fixture->options.data, fixture->data);
    assert_int_equal(fixture->options.public_ids, KS_PUBLIC_IDS_PLAIN);
    ks_server_options_free(&fixture->options);
    assert_int_equal(find(fixture, "--config", "kesherd.conf"), KS_OK);
    assert_string_equal(fixture->options.data, fixture->data);
}

static void the_configuration_of_an_installed_server_names_its_data(void **state)
{
    struct fixture *fixture = *state;
    make_data("installed");
    make_data("named");
    write_file("kesherd.conf", "data = named\n");
    assert_int_equal(find(fixture, NULL, NULL), KS_OK);
    assert_string_equal(fixture->options.data, "named");
}

static void what_was_tried_is_told_where_there_is_no_data(void **state)
{
    struct fixture *fixture = *state;
    char expected[KS_OPTION_WHY_SIZE];
    assert_int_equal(find(fixture, NULL, NULL), KS_NOT_FOUND);
    (void)snprintf(expected, sizeof expected,
                   "there is no data of kesherd in ./kesher-data, nor in %s; there is no %s; say where it is "
                   "with --data DIR",
                   fixture->data, fixture->configuration);
    assert_string_equal(fixture->options.reader.why, expected);
    write_file("kesherd.conf", "data = named\n");
    assert_int_equal(find(fixture, NULL, NULL), KS_NOT_FOUND);
    (void)snprintf(
        expected, sizeof expected,
        "there is no data of kesherd in ./kesher-data, nor in named, which %s names; say where it is "
        "with --data DIR",
        fixture->configuration);
    assert_string_equal(fixture->options.reader.why, expected);
}

static void a_configuration_of_an_installed_server_that_makes_no_sense_is_told(void **state)
{
    struct fixture *fixture = *state;
    make_data("installed");
    write_file("kesherd.conf", "nonsense = 1\n");
    assert_int_equal(find(fixture, NULL, NULL), KS_INVALID);
    assert_non_null(strstr(fixture->options.reader.why, "kesherd.conf:1: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_an_option_says_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_configuration_of_an_option_says_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_state_directory_comes_before_what_is_at_hand, set_up, tear_down),
        cmocka_unit_test_setup_teardown(data_at_hand_comes_before_that_of_an_installed_server, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_data_of_an_installed_server_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_configuration_of_an_installed_server_names_its_data, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_was_tried_is_told_where_there_is_no_data, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_configuration_of_an_installed_server_that_makes_no_sense_is_told,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
