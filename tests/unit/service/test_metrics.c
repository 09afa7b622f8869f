/* Unit tests of service/monitoring/metrics.h, a monitor behind a fake connection, and of
 * service/core/tally.h. */
#include "unit/unit.h"

#include "service/binary_port.h"
#include "service/core/tally.h"
#include "service/monitoring/metrics.h"
#include "service/secure_port.h"
#include "support/fake_connection.h"
#include "support/fake_store.h"
#include "wire/exposition.h"
#include "wire/http.h"

#include <stdio.h>

struct gauges {
    struct fake_loop loop;
    struct fake_store store;
    struct ks_metrics_environment environment;
    struct fake_connection connection;
    size_t read;    /* of its output */
    size_t to_give; /* by the next scrape */
};

static size_t render(void *context, char *text, size_t capacity)
{
    const struct gauges *gauges = context;
    if (gauges->to_give > capacity)
        return 0;
    memset(text, 'm', gauges->to_give);
    return gauges->to_give;
}

static int set_up(void **state)
{
    struct gauges *gauges = calloc(1, sizeof *gauges);
    assert_non_null(gauges);
    fake_loop_init(&gauges->loop, 1024);
    fake_store_init(&gauges->store);
    gauges->to_give = 5;
    gauges->environment = (struct ks_metrics_environment){.store = &gauges->store.store,
                                                          .clock = &gauges->loop.time.clock,
                                                          .render = render,
                                                          .context = gauges};
    assert_true(
        fake_connection_open(&gauges->connection, &gauges->loop, &ks_metrics_events, &gauges->environment));
    *state = gauges;
    return 0;
}

static int tear_down(void **state)
{
    struct gauges *gauges = *state;
    fake_connection_close(&gauges->connection);
    fake_loop_run(&gauges->loop);
    assert_int_equal(atomic_load(&gauges->environment.sessions), 0);
    fake_store_destroy(&gauges->store);
    fake_loop_destroy(&gauges->loop);
    free(gauges);
    return 0;
}

static void ask(struct gauges *gauges, const char *text)
{
    fake_connection_send(&gauges->connection, text, strlen(text), 0);
}

/* The next answer has this status and this content. */
static void assert_answer(struct gauges *gauges, unsigned status, const char *content)
{
    const struct ks_buffer *output = &gauges->connection.output;
    char *text = calloc(1, output->size - gauges->read + 1);
    char first[64];
    char length[64];
    assert_non_null(text);
    if (output->size > gauges->read)
        memcpy(text, output->bytes + gauges->read, output->size - gauges->read);
    snprintf(first, sizeof first, "HTTP/1.1 %u %s\r\n", status, ks_http_status_text(status));
    snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(content));
    const char *end = strstr(text, "\r\n\r\n");
    assert_memory_equal(text, first, strlen(first));
    assert_non_null(end);
    assert_true(strstr(text, length) != NULL && strstr(text, length) < end);
    assert_memory_equal(end + 4, content, strlen(content));
    gauges->read += (size_t)(end + 4 - text) + strlen(content);
    free(text);
}

static void assert_nothing_more(const struct gauges *gauges)
{
    assert_int_equal(gauges->read, gauges->connection.output.size);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

/* ---- requests ---- */

static void a_scrape_gets_what_is_rendered(void **state)
{
    struct gauges *gauges = *state;
    ask(gauges, GET("/metrics"));
    assert_answer(gauges, 200, "mmmmm");
    assert_nothing_more(gauges);
    assert_false(gauges->connection.finished);
    assert_true(gauges->connection.idle);
}

static void requests_are_answered_one_after_the_other_whatever_pieces_they_come_in(void **state)
{
    struct gauges *gauges = *state;
    const char *text = GET("/metrics") GET("/healthz") GET("/other") GET("/metrics");
    gauges->store.later = true;
    for (size_t step = 0; step < 9; step++) {
        fake_connection_send(&gauges->connection, text, strlen(text), step);
        assert_answer(gauges, 200, "mmmmm");
        assert_answer(gauges, 200, "ok\n");
        assert_answer(gauges, 404, "Not Found\n");
        assert_answer(gauges, 200, "mmmmm");
        assert_nothing_more(gauges);
    }
}

static void a_head_is_answered_without_content(void **state)
{
    struct gauges *gauges = *state;
    ask(gauges, "HEAD /metrics HTTP/1.1\r\n\r\n");
    const char *text = (const char *)gauges->connection.output.bytes;
    size_t size = gauges->connection.output.size;
    assert_memory_equal(text, "HTTP/1.1 200 OK\r\n", 17);
    assert_memory_equal(text + size - 4, "\r\n\r\n", 4);
    assert_non_null(memmem(text, size, "Content-Length: 5\r\n", 19));
}

static void other_methods_and_contents_end_the_connection_only_if_they_must(void **state)
{
    struct gauges *gauges = *state;
    ask(gauges, "OPTIONS /metrics HTTP/1.1\r\n\r\n");
    assert_answer(gauges, 405, "Method Not Allowed\n");
    assert_false(gauges->connection.finished);
    ask(gauges, "POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /");
    assert_answer(gauges, 405, "Method Not Allowed\n");
    assert_nothing_more(gauges);
    assert_true(gauges->connection.finished);
}

static void a_request_that_asks_for_the_end_gets_it(void **state)
{
    struct gauges *gauges = *state;
    ask(gauges, "GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n" GET("/metrics"));
    assert_answer(gauges, 200, "mmmmm");
    assert_nothing_more(gauges);
    assert_true(gauges->connection.finished);
}

static void what_is_no_request_is_told_and_ends_the_connection(void **state)
{
    struct gauges *gauges = *state;
    ask(gauges, "nonsense\r\n" GET("/metrics"));
    assert_answer(gauges, 400, "Bad Request\n");
    assert_nothing_more(gauges);
    assert_true(gauges->connection.finished);
}

static void a_head_without_end_is_cut_off(void **state)
{
    struct gauges *gauges = *state;
    char *text = malloc(KS_HTTP_HEAD_LIMIT);
    assert_non_null(text);
    memset(text, 'x', KS_HTTP_HEAD_LIMIT);
    memcpy(text, "GET / HTTP/1.1\r\n", 16);
    fake_connection_send(&gauges->connection, text, KS_HTTP_HEAD_LIMIT - 1, 0);
    assert_nothing_more(gauges);
    fake_connection_send(&gauges->connection, "x", 1, 0);
    assert_answer(gauges, 431, "Request Header Fields Too Large\n");
    assert_true(gauges->connection.finished);
    free(text);
}

static void metrics_that_do_not_fit_are_an_error_and_not_half_of_them(void **state)
{
    struct gauges *gauges = *state;
    gauges->to_give = KS_METRICS_TEXT_LIMIT + 1;
    ask(gauges, GET("/metrics"));
    assert_answer(gauges, 500, "Internal Server Error\n");
    gauges->to_give = KS_METRICS_TEXT_LIMIT;
    ask(gauges, GET("/metrics"));
    assert_true(gauges->connection.output.size - gauges->read > KS_METRICS_TEXT_LIMIT);
}

static void a_monitor_that_does_not_read_waits_for_its_own_answers(void **state)
{
    struct gauges *gauges = *state;
    gauges->to_give = KS_METRICS_TEXT_LIMIT;
    gauges->connection.window = 0;
    for (int i = 0; i < 100; i++)
        ask(gauges, GET("/metrics"));
    assert_in_range(gauges->connection.output.size, KS_OUTPUT_HIGH_WATER,
                    KS_OUTPUT_HIGH_WATER + 2 * KS_METRICS_TEXT_LIMIT);
    fake_connection_wait(&gauges->connection, KS_METRICS_IDLE_MS);
    assert_true(gauges->connection.aborted);
}

/* ---- health ---- */

static void a_store_that_fails_is_not_healthy(void **state)
{
    struct gauges *gauges = *state;
    gauges->store.next_failure = KS_IO;
    ask(gauges, GET("/healthz"));
    assert_answer(gauges, 503, "Service Unavailable\n");
    ask(gauges, GET("/healthz"));
    assert_answer(gauges, 200, "ok\n");
}

static void a_store_that_does_not_answer_is_not_healthy_and_may_answer_later(void **state)
{
    struct gauges *gauges = *state;
    gauges->store.later = true;
    fake_connection_send_only(&gauges->connection, GET("/healthz"), strlen(GET("/healthz")));
    assert_false(gauges->connection.idle);
    gauges->loop.time.monotonic_ms += KS_METRICS_HEALTH_MS;
    gauges->connection.connection.events->deadline(&gauges->connection.connection);
    assert_answer(gauges, 503, "Service Unavailable\n");
    fake_connection_run(&gauges->connection); /* here it answers, too late */
    assert_nothing_more(gauges);
    ask(gauges, GET("/healthz"));
    assert_answer(gauges, 200, "ok\n");
}

/* ---- time and ends ---- */

static void a_head_has_a_time_limit_that_no_byte_moves(void **state)
{
    struct gauges *gauges = *state;
    ask(gauges, "GET /");
    for (int i = 1; i < 10; i++) {
        fake_connection_wait(&gauges->connection, KS_METRICS_HEAD_MS / 10);
        ask(gauges, "x");
        assert_false(gauges->connection.aborted);
    }
    fake_connection_wait(&gauges->connection, KS_METRICS_HEAD_MS / 10);
    assert_true(gauges->connection.aborted);
}

static void a_connection_that_nobody_uses_ends(void **state)
{
    struct gauges *gauges = *state;
    fake_connection_wait(&gauges->connection, KS_METRICS_IDLE_MS - 1);
    ask(gauges, GET("/metrics"));
    fake_connection_wait(&gauges->connection, KS_METRICS_IDLE_MS - 1);
    assert_false(gauges->connection.finished);
    fake_connection_wait(&gauges->connection, 1);
    assert_true(gauges->connection.finished);
}

static void the_end_of_the_input_comes_after_the_answer(void **state)
{
    struct gauges *gauges = *state;
    fake_connection_send_only(&gauges->connection, GET("/metrics"), strlen(GET("/metrics")));
    fake_connection_end(&gauges->connection);
    fake_connection_run(&gauges->connection);
    assert_answer(gauges, 200, "mmmmm");
    assert_true(gauges->connection.finished);
}

static void connections_that_go_before_their_answers_leave_nothing_behind(void **state)
{
    struct gauges *gauges = *state;
    const char *const texts[] = {GET("/metrics"), GET("/healthz"), "GET /met"};
    gauges->store.later = true;
    for (size_t i = 0; i < KS_COUNT_OF(texts); i++) {
        struct fake_connection other;
        assert_true(fake_connection_open(&other, &gauges->loop, &ks_metrics_events, &gauges->environment));
        fake_connection_send_only(&other, texts[i], strlen(texts[i]));
        fake_connection_close(&other);
        fake_loop_run(&gauges->loop);
    }
}

static void one_more_than_the_limit_is_not_taken_in(void **state)
{
    struct gauges *gauges = *state;
    struct fake_connection others[KS_METRICS_SESSIONS_LIMIT];
    for (size_t i = 0; i + 1 < KS_COUNT_OF(others); i++)
        assert_true(
            fake_connection_open(&others[i], &gauges->loop, &ks_metrics_events, &gauges->environment));
    struct fake_connection *last = &others[KS_COUNT_OF(others) - 1];
    assert_false(fake_connection_open(last, &gauges->loop, &ks_metrics_events, &gauges->environment));
    for (size_t i = 0; i + 1 < KS_COUNT_OF(others); i++)
        fake_connection_close(&others[i]);
}

/* ---- the tally ---- */

/* Of the rule of a code, in the table. */
static size_t place_of(uint16_t code)
{
    size_t place = 0;
    while (place + 1 < ks_binary_port_rules.count && ks_binary_port_rules.rules[place].code != code)
        place++;
    assert_in_range(place, 0, ks_binary_port_rules.count - 2);
    return place;
}

static void every_request_has_its_name_and_every_answer_its_place(void **state)
{
    static const uint16_t codes[] = {600, 601, 602, 603, 604, 1025, 1026, 1027, 1028, 1029, 1030, 1031};
    static const uint16_t secure_codes[] = {4000, 4001, 4003, 4007, 4008, 4010, 4011,
                                            4012, 4013, 4014, 4015, 4016, 4030, 4999};
    struct ks_tally *tally = aligned_alloc(_Alignof(struct ks_tally), sizeof *tally);
    struct ks_loop loops[2] = {{.number = 0}, {.number = 63}};
    (void)state;
    assert_non_null(tally);
    memset(tally, 0, sizeof *tally);
    for (size_t i = 0; i < KS_COUNT_OF(codes); i++) {
        char name[8];
        size_t index = place_of(codes[i]);
        snprintf(name, sizeof name, "%u", (unsigned)codes[i]);
        assert_string_equal(ks_binary_port_rules.rules[index].label, name);
        for (uint16_t code = 2100; code <= 2107; code++)
            ks_tally_answered(ks_tally_shard_of(tally, &loops[i % 2]), index, code);
        for (size_t j = 0; j < KS_COUNT_OF(secure_codes); j++)
            ks_tally_answered(ks_tally_shard_of(tally, &loops[j % 2]), index, secure_codes[j]);
        ks_tally_answered(ks_tally_shard_of(tally, &loops[0]), index, 9000);
        ks_tally_answered(ks_tally_shard_of(tally, &loops[1]), index, 9000);
        ks_tally_answered(ks_tally_shard_of(tally, &loops[1]), index, 0);
        for (size_t answer = 0; answer < KS_TALLY_ANSWERS; answer++) {
            bool twice = strcmp(ks_tally_answer_name(answer), "9000") == 0;
            assert_int_equal(ks_tally_answers(tally, index, answer), twice ? 2 : 1);
        }
    }
    assert_int_equal(ks_binary_port_rules.count, KS_COUNT_OF(codes) + 1);
    assert_int_equal(ks_secure_port_rules.first_place, ks_binary_port_rules.count);
    assert_in_range(ks_secure_port_rules.first_place + ks_secure_port_rules.count, 1, KS_TALLY_REQUESTS);
    for (size_t i = 0; i < KS_COUNT_OF(secure_codes); i++) {
        char name[8];
        snprintf(name, sizeof name, "%u", (unsigned)secure_codes[i]);
        assert_string_equal(ks_tally_answer_name(ks_tally_place_of(secure_codes[i])), name);
    }
    assert_string_equal(ks_binary_port_rules.rules[KS_COUNT_OF(codes)].label, "other");
    ks_tally_asked(ks_tally_shard_of(tally, &loops[1]), KS_ASK_STAT);
    assert_int_equal(ks_tally_asks(tally, KS_ASK_STAT), 1);
    assert_string_equal(ks_tally_ask_name(KS_ASK_STAT), "STAT");
    ks_tally_asked(ks_tally_shard_of(NULL, &loops[1]), KS_ASK_STAT); /* nobody counts */
    free(tally);
}

static void refusals_are_counted_by_their_limit(void **state)
{
    static const enum ks_store_limit limits[] = {KS_STORE_LIMIT_NONE, KS_STORE_LIMIT_USER_FILES,
                                                 KS_STORE_LIMIT_USER_BYTES, KS_STORE_LIMIT_FREE_SPACE};
    static const enum ks_store_limit of_messages[] = {
        KS_STORE_LIMIT_WAITING_MESSAGES, KS_STORE_LIMIT_WAITING_BYTES, KS_STORE_LIMIT_SHARE_OF_MESSAGES,
        KS_STORE_LIMIT_SHARE_OF_BYTES};
    struct ks_loop loops[2] = {{.number = 0}, {.number = KS_LOOPS_LIMIT - 1}};
    struct ks_tally *tally = aligned_alloc(_Alignof(struct ks_tally), sizeof *tally);
    (void)state;
    assert_non_null(tally);
    memset(tally, 0, sizeof *tally);
    for (size_t i = 0; i < KS_COUNT_OF(limits); i++) {
        enum ks_tally_limit limit = ks_tally_limit_of(limits[i]);
        ks_tally_refused(ks_tally_shard_of(tally, &loops[0]), limit);
        ks_tally_refused(ks_tally_shard_of(tally, &loops[1]), limit);
    }
    for (size_t i = 0; i < KS_COUNT_OF(of_messages); i++)
        assert_int_equal(ks_tally_limit_of(of_messages[i]), KS_TALLY_LIMITS); /* these are no uploads */
    assert_string_equal(ks_tally_limit_name(KS_TALLY_USER_FILES), "user-files");
    for (unsigned limit = 0; limit < KS_TALLY_LIMITS; limit++)
        assert_int_equal(ks_tally_refusals(tally, (enum ks_tally_limit)limit),
                         limit <= KS_TALLY_FREE_SPACE ? 2 : 0);
    assert_string_equal(ks_tally_limit_name(KS_TALLY_UPLOADS_PER_USER), "uploads-per-user");
    assert_string_equal(ks_tally_limit_name(KS_TALLY_UPLOADS), "uploads");
    ks_tally_refused(ks_tally_shard_of(NULL, &loops[1]), KS_TALLY_UPLOADS); /* nobody counts */
    free(tally);
}

#define GAUGES_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GAUGES_TEST(a_scrape_gets_what_is_rendered),
        GAUGES_TEST(requests_are_answered_one_after_the_other_whatever_pieces_they_come_in),
        GAUGES_TEST(a_head_is_answered_without_content),
        GAUGES_TEST(other_methods_and_contents_end_the_connection_only_if_they_must),
        GAUGES_TEST(a_request_that_asks_for_the_end_gets_it),
        GAUGES_TEST(what_is_no_request_is_told_and_ends_the_connection),
        GAUGES_TEST(a_head_without_end_is_cut_off),
        GAUGES_TEST(metrics_that_do_not_fit_are_an_error_and_not_half_of_them),
        GAUGES_TEST(a_monitor_that_does_not_read_waits_for_its_own_answers),
        GAUGES_TEST(a_store_that_fails_is_not_healthy),
        GAUGES_TEST(a_store_that_does_not_answer_is_not_healthy_and_may_answer_later),
        GAUGES_TEST(a_head_has_a_time_limit_that_no_byte_moves),
        GAUGES_TEST(a_connection_that_nobody_uses_ends),
        GAUGES_TEST(the_end_of_the_input_comes_after_the_answer),
        GAUGES_TEST(connections_that_go_before_their_answers_leave_nothing_behind),
        cmocka_unit_test(refusals_are_counted_by_their_limit),
        GAUGES_TEST(one_more_than_the_limit_is_not_taken_in),
        cmocka_unit_test(every_request_has_its_name_and_every_answer_its_place),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
