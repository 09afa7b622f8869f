/* account_fixture.h — an empty home and a secure server (secure_server.h) for every test. */
#ifndef KS_TESTS_UNIT_CLIENT_ACCOUNT_FIXTURE_H
#define KS_TESTS_UNIT_CLIENT_ACCOUNT_FIXTURE_H

#include "unit/client/home_fixture.h"
#include "unit/client/secure_server.h"

#include <signal.h>

enum {
    QUIET_MS =
        2000 /* of a server that stays mute; what comes before that comes in less, on a slow machine, too */
};

struct account_fixture {
    struct kesher_home *home;
    char path[64]; /* the home's */
    struct secure_server *server;
    struct kesher_options options;
    unsigned passphrases; /* that were asked for */
    unsigned notices;
    char notice[KESHER_SENTENCE_SIZE]; /* the last */
};

static inline void account_fixture_notice(void *context, const char *line)
{
    struct account_fixture *fixture = context;
    fixture->notices++;
    assert_true(snprintf(fixture->notice, sizeof fixture->notice, "%s", line) > 0);
}

/* No test waits for a server that comes back: what is lost stays lost after one more try. */
static inline int open_account_fixture(void **state)
{
    struct account_fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    strcpy(fixture->path, "/tmp/kesher-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->path));
    assert_int_equal(kesher_home_open(fixture->path, &fixture->home, NULL), KESHER_OK);
    fixture->server = secure_server_start();
    fixture->options = (struct kesher_options){
        .backoff_ms = 1, .reconnects = 1, .observer = {.context = fixture, .notice = account_fixture_notice}};
    (void)signal(SIGPIPE, SIG_IGN); /* of the test's server */
    *state = fixture;
    return 0;
}

static inline int close_account_fixture(void **state)
{
    struct account_fixture *fixture = *state;
    secure_server_stop(fixture->server);
    kesher_home_close(fixture->home);
    assert_int_equal(nftw(fixture->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(fixture);
    return 0;
}

static inline bool fixture_has_file(const struct account_fixture *fixture, const char *name)
{
    return ks_home_files_exists(fixture->home, name);
}

/* How often a request of that code came. */
static inline unsigned fixture_heard(const struct account_fixture *fixture, uint16_t code)
{
    unsigned count = 0;
    for (size_t i = 0; i < fixture->server->trail_size && i < SECURE_TRAIL; i++)
        count += fixture->server->trail[i] == code ? 1 : 0;
    return count;
}

static inline enum kesher_status fixture_register(struct account_fixture *fixture, const char *name,
                                                  struct kesher_account **account, struct kesher_error *error)
{
    return kesher_account_register(fixture->home, fixture->server->link, name, NULL, &fixture->options,
                                   account, error);
}

/* An account that the server knows, and the home. */
static inline struct kesher_account *fixture_account(struct account_fixture *fixture)
{
    struct kesher_account *account = NULL;
    struct kesher_error error;
    enum kesher_status status = fixture_register(fixture, "Alice", &account, &error);
    if (status != KESHER_OK)
        print_message("%s\n", error.sentence);
    assert_int_equal(status, KESHER_OK);
    return account;
}

#define ACCOUNT_TEST(function)                                                                               \
    cmocka_unit_test_setup_teardown(function, open_account_fixture, close_account_fixture)

#endif
