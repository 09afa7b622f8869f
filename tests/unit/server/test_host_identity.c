/* Unit tests of server/host_identity.h: what is shown changes with a reload that makes sense, and with no
 * other. */
#include "unit/unit.h"

#include "server/host_identity.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char data[64];
    int log_file;
    struct ks_log log;
    struct ks_host_identity identity;
    struct ks_server_options options;
};

/* What the carrier was given last; the tests' alone. */
static uint8_t shown_key[KS_TLS_FINGERPRINT_SIZE];
static unsigned shown_times;
static enum ks_result show_result;

static enum ks_result show(struct ks_tls_port *port, const struct ks_tls_identity *identity)
{
    (void)port;
    if (show_result != KS_OK)
        return show_result;
    ks_tls_identity_fingerprint(identity, shown_key);
    shown_times++;
    return KS_OK;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    unsetenv("CREDENTIALS_DIRECTORY");
    unsetenv("JOURNAL_STREAM");
    (void)snprintf(fixture->data, sizeof fixture->data, "/tmp/kesher-port-XXXXXX");
    assert_non_null(mkdtemp(fixture->data));
    fixture->options = ks_server_options_defaults;
    fixture->options.data = fixture->data;
    fixture->log_file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fixture->log_file >= 0);
    fixture->log = ks_log_to_stderr(KS_LOG_INFO);
    fixture->log.fd = fixture->log_file;
    pthread_mutex_init(&fixture->identity.next.lock, NULL);
    show_result = KS_OK;
    shown_times = 0;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {
        "tls/key.pem", "tls/certificate.pem", "tls/next.pem", "tls/previous.pem",
        "tls/shown",   "certificate",         "private-key",  "tls"};
    struct fixture *fixture = *state;
    char path[PATH_MAX];
    for (size_t i = 0; i < KS_COUNT_OF(names); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", fixture->data, names[i]);
        (void)remove(path);
    }
    assert_int_equal(rmdir(fixture->data), 0);
    pthread_mutex_destroy(&fixture->identity.next.lock);
    close(fixture->log_file);
    free(fixture);
    return 0;
}

/* What the log says since the last time. */
static const char *logged(struct fixture *fixture)
{
    static char text[8192];
    ssize_t size = pread(fixture->log_file, text, sizeof text - 1, 0);
    assert_true(size >= 0);
    text[size] = '\0';
    assert_int_equal(ftruncate(fixture->log_file, 0), 0);
    assert_int_equal(lseek(fixture->log_file, 0, SEEK_SET), 0);
    return text;
}

static void open_port(struct fixture *fixture)
{
    assert_int_equal(ks_host_identity_open(&fixture->identity, &fixture->options, show, &fixture->log),
                     KS_OK);
    ks_host_identity_bound(&fixture->identity, "127.0.0.1:1358", &fixture->log);
}

static void reload(struct fixture *fixture)
{
    ks_host_identity_reload(&fixture->identity, &fixture->options, show, &fixture->log);
}

static void the_first_start_tells_the_key_that_it_made_and_the_second_nothing(void **state)
{
    struct fixture *fixture = *state;
    char text[KS_TLS_FINGERPRINT_TEXT_SIZE];
    open_port(fixture);
    ks_tls_fingerprint_text(shown_key, text);
    assert_non_null(strstr(logged(fixture), text));
    open_port(fixture);
    assert_string_equal(logged(fixture), "");
}

static void a_reload_shows_the_next_key_once_it_is_used(void **state)
{
    struct fixture *fixture = *state;
    uint8_t next[KS_TLS_FINGERPRINT_SIZE];
    uint8_t told[KS_TLS_FINGERPRINT_SIZE];
    char why[KS_HOST_KEY_WHY_SIZE];
    bool made = false;
    open_port(fixture);
    assert_false(ks_next_key_get(&fixture->identity.next, told));
    assert_int_equal(ks_host_key_prepare_next(&fixture->identity.place, &made, next, why), KS_OK);
    assert_false(ks_next_key_get(&fixture->identity.next, told));
    reload(fixture);
    assert_true(ks_next_key_get(&fixture->identity.next, told));
    assert_memory_equal(told, next, sizeof next);
    assert_memory_not_equal(shown_key, next, sizeof next);
    assert_int_equal(ks_host_key_use_next(&fixture->identity.place, told, why), KS_OK);
    reload(fixture);
    assert_memory_equal(shown_key, next, sizeof next);
    assert_false(ks_next_key_get(&fixture->identity.next, told));
}

static void what_is_wrong_is_told_and_the_old_key_stays(void **state)
{
    struct fixture *fixture = *state;
    char path[PATH_MAX];
    open_port(fixture);
    (void)logged(fixture);
    unsigned before = shown_times;
    (void)snprintf(path, sizeof path, "%s/tls/key.pem", fixture->data);
    assert_int_equal(chmod(path, 0644), 0);
    reload(fixture);
    assert_non_null(strstr(logged(fixture), "stays as it was: others can read"));
    assert_int_equal(chmod(path, 0600), 0);
    fixture->options.certificate = "/nowhere/certificate.pem";
    fixture->options.private_key = "/nowhere/key.pem";
    reload(fixture);
    assert_non_null(strstr(logged(fixture), "/nowhere/certificate.pem"));
    assert_int_equal(shown_times, before);
    assert_false(fixture->identity.place.is_given);
    assert_string_equal(fixture->identity.shown.address, "127.0.0.1:1358");
    show_result = KS_CRYPTO;
    fixture->options.certificate = NULL;
    fixture->options.private_key = NULL;
    reload(fixture);
    assert_non_null(strstr(logged(fixture), "stays as it was"));
}

static void commands_are_told_what_is_shown(void **state)
{
    struct fixture *fixture = *state;
    struct ks_host_key_shown shown;
    char why[KS_HOST_KEY_WHY_SIZE];
    open_port(fixture);
    ks_host_identity_bound(&fixture->identity, "[::]:4711 (IPv4 and IPv6)", &fixture->log);
    assert_int_equal(ks_host_key_shown_read(&fixture->identity.place, &shown, why), KS_OK);
    assert_string_equal(shown.address, "[::]:4711");
    assert_memory_equal(shown.fingerprint, shown_key, sizeof shown_key);
    assert_true(shown.is_self_signed);
}

enum { TEXT_SIZE = 1024 };

static void describe(struct fixture *fixture, char text[static TEXT_SIZE])
{
    ks_host_identity_describe(&fixture->identity, fixture->options.registration, fixture->options.secure,
                              text, TEXT_SIZE);
}

static void the_ready_line_tells_who_may_register_and_what_to_hand_out(void **state)
{
    struct fixture *fixture = *state;
    char text[TEXT_SIZE];
    char fingerprint[KS_TLS_FINGERPRINT_TEXT_SIZE];
    open_port(fixture);
    fixture->identity.port = (struct ks_tls_port *)fixture; /* nobody looks into it */
    describe(fixture, text);
    assert_string_equal(text, ", registration open");
    ks_host_identity_bound(&fixture->identity, "192.0.2.7:1358", &fixture->log);
    fixture->options.secure = "192.0.2.7:1358";
    describe(fixture, text);
    ks_tls_fingerprint_text(shown_key, fingerprint);
    assert_non_null(strstr(text, " as kesher://192.0.2.7/#"));
    assert_non_null(strstr(text, fingerprint));
    assert_non_null(strstr(text, ", registration invited, on classic ports open"));
    fixture->options.registration = KS_REGISTRATION_SETTING_CLOSED;
    describe(fixture, text);
    assert_non_null(strstr(text, ", registration closed"));
    assert_null(strstr(text, "classic"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_start_tells_the_key_that_it_made_and_the_second_nothing),
        TEST(a_reload_shows_the_next_key_once_it_is_used),
        TEST(what_is_wrong_is_told_and_the_old_key_stays),
        TEST(commands_are_told_what_is_shown),
        TEST(the_ready_line_tells_who_may_register_and_what_to_hand_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
