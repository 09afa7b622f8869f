/* Unit tests of service/web/web.h: a browser behind a fake connection. */
#include "unit/unit.h"

#include "service/web/web.h"
#include "support/fake_connection.h"
#include "wire/http.h"

struct browser {
    struct fake_loop loop;
    struct ks_web_environment environment;
    struct fake_connection connection;
};

static void open_browser(struct browser *browser)
{
    assert_true(
        fake_connection_open(&browser->connection, &browser->loop, &ks_web_events, &browser->environment));
}

static int set_up(void **state)
{
    struct browser *browser = calloc(1, sizeof *browser);
    assert_non_null(browser);
    fake_loop_init(&browser->loop, 1024);
    browser->environment = (struct ks_web_environment){.clock = &browser->loop.time.clock};
    open_browser(browser);
    *state = browser;
    return 0;
}

static int tear_down(void **state)
{
    struct browser *browser = *state;
    fake_connection_close(&browser->connection);
    assert_int_equal(atomic_load(&browser->environment.sessions), 0);
    fake_loop_destroy(&browser->loop);
    free(browser);
    return 0;
}

static void renew(struct browser *browser)
{
    fake_connection_close(&browser->connection);
    open_browser(browser);
}

static void ask(struct browser *browser, const char *text, size_t step)
{
    fake_connection_send(&browser->connection, text, strlen(text), step);
}

/* All that was answered, with a NUL. */
static const char *answered(struct browser *browser)
{
    static const char nul = '\0';
    struct ks_buffer *output = &browser->connection.output;
    assert_int_equal(ks_buffer_append(output, &nul, 1), KS_OK);
    output->size--;
    return (const char *)output->bytes;
}

static bool begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static void a_page_is_answered_and_the_connection_ends(void **state)
{
    struct browser *browser = *state;
    const char *const paths[] = {GET("/"), GET("/join"), GET("/join?x=1"), "GET / HTTP/1.0\r\n\r\n"};
    for (size_t i = 0; i < KS_COUNT_OF(paths); i++) {
        for (size_t step = 0; step < 4; step++) {
            ask(browser, paths[i], step);
            const char *text = answered(browser);
            assert_true(begins_with(text, "HTTP/1.1 200 OK\r\n"));
            assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
            assert_non_null(strstr(text, "kesher"));
            assert_true(browser->connection.finished);
            renew(browser);
        }
    }
}

static void the_page_of_an_invitation_tells_how_it_is_used(void **state)
{
    struct browser *browser = *state;
    ask(browser, GET("/join"), 0);
    assert_non_null(strstr(answered(browser), "kesher join - NAME"));
}

static void a_head_alone_has_no_content(void **state)
{
    struct browser *browser = *state;
    ask(browser, "HEAD / HTTP/1.1\r\n\r\n", 0);
    const char *text = answered(browser);
    const char *end = strstr(text, "\r\n\r\n");
    assert_true(begins_with(text, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(end);
    assert_string_equal(end, "\r\n\r\n");
    assert_null(strstr(text, "Content-Length: 0\r\n"));
}

/* What the page cannot do by itself is forbidden to whatever somebody puts into it. */
static void every_answer_keeps_the_browser_on_a_short_lead(void **state)
{
    static const char *const fields[] = {
        "\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n",
        "\r\nX-Content-Type-Options: nosniff\r\n", "\r\nReferrer-Policy: no-referrer\r\n",
        "\r\nContent-Type: text/plain; charset=utf-8\r\n", "\r\nCache-Control: no-store\r\n"};
    static const char *const requests[] = {GET("/"), GET("/join"), GET("/other"),
                                           "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
                                           "nonsense\r\n\r\n"};
    struct browser *browser = *state;
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        ask(browser, requests[i], 0);
        for (size_t field = 0; field < KS_COUNT_OF(fields); field++)
            assert_non_null(strstr(answered(browser), fields[field]));
        assert_null(strstr(answered(browser), "Strict-Transport-Security"));
        renew(browser);
    }
}

static void what_is_no_page_is_told_so(void **state)
{
    static const struct {
        const char *request;
        const char *status;
    } cases[] = {
        {GET("/other"), "HTTP/1.1 404 "},
        {GET("/join/"), "HTTP/1.1 404 "},
        {GET("//"), "HTTP/1.1 404 "},
        {GET("/metrics"), "HTTP/1.1 404 "},
        {"POST /join HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.1 405 "},
        {"OPTIONS / HTTP/1.1\r\n\r\n", "HTTP/1.1 405 "},
        {"get / HTTP/1.1\r\n\r\n", "HTTP/1.1 405 "},
        {"hello\r\n\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/2.0\r\n\r\n", "HTTP/1.1 400 "},
    };
    struct browser *browser = *state;
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        ask(browser, cases[i].request, i % 3);
        assert_true(begins_with(answered(browser), cases[i].status));
        assert_true(browser->connection.finished);
        renew(browser);
    }
}

static void one_request_is_answered_on_a_connection(void **state)
{
    struct browser *browser = *state;
    ask(browser, GET("/") GET("/join") GET("/other"), 0);
    size_t size = browser->connection.output.size;
    assert_null(strstr(answered(browser) + 1, "HTTP/1.1"));
    ask(browser, GET("/join"), 0);
    assert_int_equal(browser->connection.output.size, size);
}

static void a_head_without_an_end_is_refused(void **state)
{
    struct browser *browser = *state;
    char text[KS_HTTP_HEAD_LIMIT + 1];
    memset(text, 'x', sizeof text);
    memcpy(text, "GET / HTTP/1.1\r\nA: ", 19);
    fake_connection_send(&browser->connection, text, KS_HTTP_HEAD_LIMIT - 1, 1000);
    assert_int_equal(browser->connection.output.size, 0);
    fake_connection_send(&browser->connection, text + KS_HTTP_HEAD_LIMIT - 1, 1, 0);
    assert_true(begins_with(answered(browser), "HTTP/1.1 431 "));
    assert_true(browser->connection.finished);
}

static void time_is_short_from_the_first_moment_on_whatever_trickles(void **state)
{
    struct browser *browser = *state;
    fake_connection_wait(&browser->connection, KS_WEB_MS - 1000);
    assert_false(browser->connection.aborted);
    ask(browser, "GET / HT", 0);
    fake_connection_wait(&browser->connection, 2000);
    assert_true(browser->connection.aborted);
    assert_int_equal(browser->connection.output.size, 0);
}

static void who_ends_without_a_request_gets_none_answered(void **state)
{
    struct browser *browser = *state;
    ask(browser, "GET / HT", 0);
    fake_connection_end(&browser->connection);
    assert_true(browser->connection.finished);
    assert_int_equal(browser->connection.output.size, 0);
}

static void one_too_many_finds_no_place(void **state)
{
    struct browser *browser = *state;
    struct fake_connection other = {0};
    atomic_store(&browser->environment.sessions, KS_WEB_SESSIONS_LIMIT);
    assert_false(fake_connection_open(&other, &browser->loop, &ks_web_events, &browser->environment));
    atomic_store(&browser->environment.sessions, 1);
    assert_true(fake_connection_open(&other, &browser->loop, &ks_web_events, &browser->environment));
    fake_connection_close(&other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_page_is_answered_and_the_connection_ends),
        TEST(the_page_of_an_invitation_tells_how_it_is_used),
        TEST(a_head_alone_has_no_content),
        TEST(every_answer_keeps_the_browser_on_a_short_lead),
        TEST(what_is_no_page_is_told_so),
        TEST(one_request_is_answered_on_a_connection),
        TEST(a_head_without_an_end_is_refused),
        TEST(time_is_short_from_the_first_moment_on_whatever_trickles),
        TEST(who_ends_without_a_request_gets_none_answered),
        TEST(one_too_many_finds_no_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
