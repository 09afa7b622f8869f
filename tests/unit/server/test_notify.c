/* Unit tests of server/notify.h: what a service manager is told, by a socket of either kind. */
#include "unit/unit.h"

#include "server/notify.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* The manager's end. */
struct manager {
    char directory[64];
    char path[96];
    int fd;
};

static void listen_at(struct manager *manager, const char *name, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, name, size);
    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(manager->fd >= 0);
    assert_int_equal(bind(manager->fd, (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)),
                     0);
}

static int set_up(void **state)
{
    static struct manager manager;
    snprintf(manager.directory, sizeof manager.directory, "/tmp/kesher-notify-XXXXXX");
    if (mkdtemp(manager.directory) == NULL)
        return -1;
    snprintf(manager.path, sizeof manager.path, "%s/socket", manager.directory);
    manager.fd = -1;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    *state = &manager;
    return 0;
}

static int tear_down(void **state)
{
    struct manager *manager = *state;
    if (manager->fd >= 0)
        close(manager->fd);
    unlink(manager->path);
    return rmdir(manager->directory);
}

/* The manager listens at its path, and the server knows it. */
static void open_at_path(struct manager *manager, struct ks_notify *notify)
{
    listen_at(manager, manager->path, strlen(manager->path));
    setenv("NOTIFY_SOCKET", manager->path, 1);
    assert_int_equal(ks_notify_open(notify), KS_OK);
}

static void assert_told(const struct manager *manager, const char *expected)
{
    char text[2048] = "";
    ssize_t size = recv(manager->fd, text, sizeof text - 1, MSG_DONTWAIT);
    assert_true(size >= 0);
    assert_string_equal(text, expected);
}

static void nobody_asks_and_nothing_happens(void **state)
{
    struct ks_notify notify;
    (void)state;
    assert_int_equal(ks_notify_open(&notify), KS_OK);
    assert_int_equal(notify.fd, -1);
    assert_int_equal(ks_notify_ready(&notify, "serving"), KS_OK);
    assert_int_equal(ks_notify_reloading(&notify), KS_OK);
    assert_int_equal(ks_notify_alive(&notify), KS_OK);
    assert_int_equal(ks_notify_stopping(&notify), KS_OK);
    ks_notify_close(&notify);
}

static void a_socket_with_a_path_is_told_everything(void **state)
{
    struct manager *manager = *state;
    struct ks_notify notify;
    open_at_path(manager, &notify);
    assert_int_equal(ks_notify_ready(&notify, "drop on 127.0.0.1:1357"), KS_OK);
    assert_told(manager, "READY=1\nSTATUS=drop on 127.0.0.1:1357");
    assert_int_equal(ks_notify_alive(&notify), KS_OK);
    assert_told(manager, "WATCHDOG=1");
    assert_int_equal(ks_notify_stopping(&notify), KS_OK);
    assert_told(manager, "STOPPING=1");
    ks_notify_close(&notify);
}

static void an_abstract_socket_is_told_too(void **state)
{
    struct manager *manager = *state;
    struct ks_notify notify;
    char name[64];
    int size = snprintf(name, sizeof name, "@kesher-notify-%d", (int)getpid());
    setenv("NOTIFY_SOCKET", name, 1);
    name[0] = '\0';
    listen_at(manager, name, (size_t)size);
    assert_int_equal(ks_notify_open(&notify), KS_OK);
    assert_int_equal(ks_notify_stopping(&notify), KS_OK);
    assert_told(manager, "STOPPING=1");
    ks_notify_close(&notify);
}

static uint64_t monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U;
}

static void a_reload_says_when_it_began(void **state)
{
    struct manager *manager = *state;
    struct ks_notify notify;
    char text[128] = "";
    char *end = NULL;
    static const char start[] = "RELOADING=1\nMONOTONIC_USEC=";
    open_at_path(manager, &notify);
    uint64_t before = monotonic_us();
    assert_int_equal(ks_notify_reloading(&notify), KS_OK);
    uint64_t after = monotonic_us();
    assert_true(recv(manager->fd, text, sizeof text - 1, MSG_DONTWAIT) > 0);
    assert_memory_equal(text, start, sizeof start - 1);
    uint64_t told = strtoull(text + sizeof start - 1, &end, 10);
    assert_true(before <= told && told <= after);
    assert_string_equal(end, "");
    ks_notify_close(&notify);
}

static void a_status_is_one_line_of_a_kilobyte_at_most(void **state)
{
    struct manager *manager = *state;
    struct ks_notify notify;
    char status[3000];
    char text[4096] = "";
    open_at_path(manager, &notify);
    assert_int_equal(ks_notify_ready(&notify, "a\nREADY=0\tb"), KS_OK);
    assert_told(manager, "READY=1\nSTATUS=a READY=0 b");
    memset(status, 's', sizeof status - 1);
    status[sizeof status - 1] = '\0';
    assert_int_equal(ks_notify_ready(&notify, status), KS_OK);
    assert_int_equal(recv(manager->fd, text, sizeof text, MSG_DONTWAIT), 1023);
    ks_notify_close(&notify);
}

static void names_of_no_socket_are_refused(void **state)
{
    struct ks_notify notify;
    char long_name[200];
    (void)state;
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[0] = '/';
    long_name[sizeof long_name - 1] = '\0';
    const char *const names[] = {"relative", "/", "@", "vsock:2:1234", long_name};
    for (size_t i = 0; i < KS_COUNT_OF(names); i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        assert_int_equal(ks_notify_open(&notify), KS_INVALID);
        assert_int_equal(ks_notify_stopping(&notify), KS_OK);
        ks_notify_close(&notify);
    }
}

static void a_manager_that_is_gone_is_an_error_and_no_signal(void **state)
{
    struct manager *manager = *state;
    struct ks_notify notify;
    open_at_path(manager, &notify);
    close(manager->fd);
    manager->fd = -1;
    assert_int_equal(ks_notify_alive(&notify), KS_IO);
    ks_notify_close(&notify);
}

static void the_watchdog_wants_twice_the_beats(void **state)
{
    static const struct {
        const char *us;
        const char *pid; /* NULL: our own */
        uint64_t ms;
    } table[] = {
        {"30000000", "", 15000},
        {"30000000", NULL, 15000},
        {"30000000", "1", 0},
        {"30000000", "x", 0},
        {"0", "", 0},
        {"1", "", 1},
        {"2000", "", 1},
        {"30 s", "", 0},
        {"-4000", "", 0},
        {"", "", 0},
    };
    struct manager *manager = *state;
    struct ks_notify notify;
    char own[32];
    snprintf(own, sizeof own, "%d", (int)getpid());
    listen_at(manager, manager->path, strlen(manager->path));
    setenv("NOTIFY_SOCKET", manager->path, 1);
    for (size_t i = 0; i < KS_COUNT_OF(table); i++) {
        setenv("WATCHDOG_USEC", table[i].us, 1);
        setenv("WATCHDOG_PID", table[i].pid != NULL ? table[i].pid : own, 1);
        assert_int_equal(ks_notify_open(&notify), KS_OK);
        assert_int_equal(notify.watchdog_ms, table[i].ms);
        ks_notify_close(&notify);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_asks_and_nothing_happens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_socket_with_a_path_is_told_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_abstract_socket_is_told_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reload_says_when_it_began, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_status_is_one_line_of_a_kilobyte_at_most, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_of_no_socket_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_manager_that_is_gone_is_an_error_and_no_signal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_watchdog_wants_twice_the_beats, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
