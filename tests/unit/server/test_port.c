/* Unit tests of server/port.h: which file names the port, and what is said where none does. */
#include "unit/unit.h"

#include "server/port.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char working[64]; /* the working directory of the test */
    char said[1024];  /* what ks_port_find logged */
    int before;       /* the working directory before it */
};

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static unsigned find(struct fixture *fixture)
{
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    const struct ks_log log = {.fd = pipe_ends[1], .level = KS_LOG_INFO};
    unsigned port = ks_port_find("data", &log);
    close(pipe_ends[1]);
    ssize_t size = read(pipe_ends[0], fixture->said, sizeof fixture->said - 1);
    assert_true(size >= 0);
    fixture->said[size] = '\0';
    close(pipe_ends[0]);
    return port;
}

static int enter(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    strcpy(fixture->working, "/tmp/kesher-test-XXXXXX");
    fixture->before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fixture->before >= 0 && mkdtemp(fixture->working) != NULL);
    assert_int_equal(chdir(fixture->working), 0);
    assert_int_equal(mkdir("data", 0700), 0);
    *state = fixture;
    return 0;
}

static int leave(void **state)
{
    struct fixture *fixture = *state;
    static const char *const made[] = {"data/myport.info", "data/port.info", "myport.info", "port.info"};
    for (size_t i = 0; i < KS_COUNT_OF(made); i++)
        (void)unlink(made[i]);
    assert_int_equal(rmdir("data"), 0);
    assert_int_equal(fchdir(fixture->before), 0);
    assert_int_equal(rmdir(fixture->working), 0);
    close(fixture->before);
    free(fixture);
    return 0;
}

static void files_are_looked_for_in_their_order(void **state)
{
    struct fixture *fixture = *state;
    write_text("port.info", "1004");
    assert_int_equal(find(fixture), 1004);
    write_text("myport.info", " 1003\r\n");
    assert_int_equal(find(fixture), 1003);
    write_text("data/port.info", "1002\n");
    assert_int_equal(find(fixture), 1002);
    write_text("data/myport.info", "1001\n");
    assert_int_equal(find(fixture), 1001);
    assert_string_equal(fixture->said, "");
}

static void usual_port_without_a_file_is_warned_of(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(find(fixture), KS_DEFAULT_PORT);
    assert_non_null(strstr(fixture->said, "warning"));
}

static void file_without_a_port_is_passed_over_with_a_warning(void **state)
{
    struct fixture *fixture = *state;
    static const char *const texts[] = {"", "0", "65536", "1357x", "-1", "13 57"};
    for (size_t i = 0; i < KS_COUNT_OF(texts); i++) {
        write_text("data/myport.info", texts[i]);
        assert_int_equal(find(fixture), KS_DEFAULT_PORT);
        assert_non_null(strstr(fixture->said, "warning"));
        assert_non_null(strstr(fixture->said, "data/myport.info"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_are_looked_for_in_their_order, enter, leave),
        cmocka_unit_test_setup_teardown(usual_port_without_a_file_is_warned_of, enter, leave),
        cmocka_unit_test_setup_teardown(file_without_a_port_is_passed_over_with_a_warning, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
