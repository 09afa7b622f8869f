/* Unit tests of src/wire/http and src/wire/exposition, and of src/base/counter. */
#include "unit/unit.h"

#include "base/counter.h"
#include "wire/exposition.h"
#include "wire/http.h"

/* ---- heads of requests ---- */

static enum ks_result parse_exact(const char *text, size_t size, struct ks_http_request *request,
                                  size_t *head_size)
{
    char *copy = (char *)unit_exact_copy(text, size);
    enum ks_result result = ks_http_request_parse(copy, size, request, head_size);
    free(copy);
    return result;
}

static enum ks_result parse(const char *text, struct ks_http_request *request)
{
    size_t head_size = 0;
    enum ks_result result = parse_exact(text, strlen(text), request, &head_size);
    if (result == KS_OK)
        assert_int_equal(head_size, strlen(text));
    return result;
}

static void a_head_is_parsed_when_it_is_whole_and_not_before(void **state)
{
    const char *text =
        "\r\nGET /metrics?name=a HTTP/1.1\r\nHost: x:1\r\nUser-Agent: Prometheus/2.4 (x; y)\r\n\r\nGET";
    struct ks_http_request request;
    size_t whole = strlen(text) - 3;
    size_t head_size = 0;
    (void)state;
    for (size_t size = 0; size < whole; size++)
        assert_int_equal(parse_exact(text, size, &request, &head_size), KS_MORE);
    for (size_t size = whole; size <= whole + 3; size++) {
        assert_int_equal(parse_exact(text, size, &request, &head_size), KS_OK);
        assert_int_equal(head_size, whole);
    }
    assert_int_equal(request.method, KS_HTTP_GET);
    assert_string_equal(request.path, "/metrics");
    assert_true(request.keep_alive);
    assert_false(request.has_content);
}

static void methods_and_versions_are_told_apart(void **state)
{
    struct ks_http_request request;
    (void)state;
    assert_int_equal(parse("HEAD / HTTP/1.1\n\n", &request), KS_OK);
    assert_int_equal(request.method, KS_HTTP_HEAD);
    assert_string_equal(request.path, "/");
    assert_int_equal(parse("get / HTTP/1.1\r\n\r\n", &request), KS_OK);
    assert_int_equal(request.method, KS_HTTP_OTHER);
    assert_int_equal(parse("PURGE * HTTP/1.1\r\n\r\n", &request), KS_OK);
    assert_int_equal(request.method, KS_HTTP_OTHER);
    assert_int_equal(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &request), KS_OK);
    assert_false(request.keep_alive);
    assert_int_equal(parse("GET / HTTP/1.9\r\n\r\n", &request), KS_OK);
    assert_true(request.keep_alive);
}

static void fields_that_matter_are_seen_however_they_are_written(void **state)
{
    struct ks_http_request request;
    (void)state;
    assert_int_equal(parse("GET / HTTP/1.1\r\nCONNECTION:te ,\tClose\r\n\r\n", &request), KS_OK);
    assert_false(request.keep_alive);
    assert_int_equal(parse("GET / HTTP/1.1\r\nConnection: closed\r\n\r\n", &request), KS_OK);
    assert_true(request.keep_alive);
    assert_int_equal(parse("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", &request), KS_OK);
    assert_false(request.has_content);
    assert_int_equal(parse("GET / HTTP/1.1\r\ncontent-length: 00\r\n\r\n", &request), KS_OK);
    assert_true(request.has_content);
    assert_int_equal(parse("GET / HTTP/1.1\r\nTransfer-Encoding:\r\n\r\n", &request), KS_OK);
    assert_true(request.has_content);
}

static void what_is_no_request_is_refused(void **state)
{
    static const char *const texts[] = {
        "GET /\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "GET / HTTP/1.1 \r\n\r\n",
        "GET / http/1.1\r\n\r\n",
        "GET / HTTP/1.10\r\n\r\n",
        " GET / HTTP/1.1\r\n\r\n",
        "G(T / HTTP/1.1\r\n\r\n",
        "GET /\x7f HTTP/1.1\r\n\r\n",
        "GET /\xc3\xa9 HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\n: no name\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : blank before\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
        "\x16\x03\x01\n",
    };
    struct ks_http_request request;
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(texts); i++)
        assert_int_equal(parse(texts[i], &request), KS_INVALID);
    size_t head_size = 0;
    const char zero[] = "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n";
    assert_int_equal(parse_exact(zero, sizeof zero - 1, &request, &head_size), KS_INVALID);
}

static void a_head_has_a_limit_and_a_long_path_is_none_of_ours(void **state)
{
    char text[KS_HTTP_HEAD_LIMIT + 1];
    struct ks_http_request request;
    size_t head_size = 0;
    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text, "GET /", 5);
    assert_int_equal(parse_exact(text, KS_HTTP_HEAD_LIMIT - 1, &request, &head_size), KS_MORE);
    assert_int_equal(parse_exact(text, KS_HTTP_HEAD_LIMIT, &request, &head_size), KS_TOO_LARGE);
    memcpy(text + KS_HTTP_HEAD_LIMIT - 13, " HTTP/1.1\r\n\r\n", 13);
    assert_int_equal(parse_exact(text, KS_HTTP_HEAD_LIMIT, &request, &head_size), KS_OK);
    assert_string_equal(request.path, "");
    memmove(text + 1, text, KS_HTTP_HEAD_LIMIT);
    memcpy(text, "GET /a", 6);
    assert_int_equal(parse_exact(text, sizeof text, &request, &head_size), KS_TOO_LARGE);
}

static void an_answer_has_its_head(void **state)
{
    const struct ks_http_answer answer = {.status = 405,
                                          .content_type = "text/plain",
                                          .content_size = 7,
                                          .keep_alive = true,
                                          .date = 784111777};
    char head[KS_HTTP_ANSWER_HEAD_SIZE];
    (void)state;
    size_t size = ks_http_answer_encode(&answer, head);
    const char *expected = "HTTP/1.1 405 Method Not Allowed\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                           "Server: kesherd\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n"
                           "Allow: GET, HEAD\r\nCache-Control: no-store\r\nConnection: keep-alive\r\n\r\n";
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(head, expected, size);
}

/* ---- the text ---- */

static const uint64_t bounds[] = {500, 1000, 2500000};
static const uint64_t counts[] = {2, 0, 3, 1};

static void write_all(struct ks_exposition *to)
{
    const struct ks_label two[KS_LABELS_LIMIT] = {{"a", "x"}, {"b", "y z"}};
    const struct ks_label one[KS_LABELS_LIMIT] = {{"a", "x"}};
    const struct ks_label none[KS_LABELS_LIMIT] = {{NULL, NULL}};
    ks_exposition_family(to, "f_total", "counter", "What it is.");
    ks_exposition_sample(to, "f_total", two, UINT64_MAX);
    ks_exposition_sample(to, "f_total", one, 0);
    ks_exposition_sample(to, "f_total", none, 1);
    ks_exposition_single(to, "g", "gauge", "Another.", 7);
    ks_exposition_fraction(to, "g", 1000500, 6);
    ks_exposition_fraction(to, "g", 2000000, 6);
    ks_exposition_fraction(to, "g", 5, 6);
    ks_exposition_fraction(to, "g", 0, 6);
    ks_exposition_fraction(to, "g", 100, 0);
    ks_exposition_fraction(to, "g", UINT64_MAX, KS_EXPOSITION_DIGITS_LIMIT);
    ks_exposition_histogram(to, "h_seconds", bounds, counts, KS_COUNT_OF(bounds), 1234567, 6);
}

static void families_samples_and_histograms_are_written(void **state)
{
    char text[1024];
    struct ks_exposition to = {.text = text, .capacity = sizeof text};
    (void)state;
    write_all(&to);
    assert_false(to.failed);
    text[to.size] = '\0';
    assert_string_equal(text, "# HELP f_total What it is.\n# TYPE f_total counter\n"
                              "f_total{a=\"x\",b=\"y z\"} 18446744073709551615\n"
                              "f_total{a=\"x\"} 0\n"
                              "f_total 1\n"
                              "# HELP g Another.\n# TYPE g gauge\ng 7\n"
                              "g 1.0005\ng 2\ng 0.000005\ng 0\ng 100\ng 18446744073.709551615\n"
                              "h_seconds_bucket{le=\"0.0005\"} 2\n"
                              "h_seconds_bucket{le=\"0.001\"} 2\n"
                              "h_seconds_bucket{le=\"2.5\"} 5\n"
                              "h_seconds_bucket{le=\"+Inf\"} 6\n"
                              "h_seconds_sum 1.234567\n"
                              "h_seconds_count 6\n");
    size_t whole = to.size;
    for (size_t capacity = 0; capacity <= whole; capacity++) {
        char *exact = malloc(capacity + 1);
        assert_non_null(exact);
        to = (struct ks_exposition){.text = exact, .capacity = capacity};
        write_all(&to);
        assert_true(to.failed);
        free(exact);
    }
}

/* ---- counting ---- */

static void a_histogram_has_a_place_for_every_value(void **state)
{
    static const uint64_t places[KS_HISTOGRAM_BOUNDS] = {1,   2,   3,   5,   10,   20,   30,   50,
                                                         100, 200, 300, 500, 1000, 2000, 5000, 10000};
    struct ks_histogram histogram = {0};
    (void)state;
    ks_histogram_count(&histogram, places, 0);
    ks_histogram_count(&histogram, places, 1);
    ks_histogram_count(&histogram, places, 4);
    ks_histogram_count(&histogram, places, 10000);
    ks_histogram_count(&histogram, places, 10001);
    assert_int_equal(ks_counted(&histogram.counts[0]), 2);
    assert_int_equal(ks_counted(&histogram.counts[3]), 1);
    assert_int_equal(ks_counted(&histogram.counts[KS_HISTOGRAM_BOUNDS - 1]), 1);
    assert_int_equal(ks_counted(&histogram.counts[KS_HISTOGRAM_BOUNDS]), 1);
    assert_int_equal(ks_counted(&histogram.sum), 20006);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_parsed_when_it_is_whole_and_not_before),
        cmocka_unit_test(methods_and_versions_are_told_apart),
        cmocka_unit_test(fields_that_matter_are_seen_however_they_are_written),
        cmocka_unit_test(what_is_no_request_is_refused),
        cmocka_unit_test(a_head_has_a_limit_and_a_long_path_is_none_of_ours),
        cmocka_unit_test(an_answer_has_its_head),
        cmocka_unit_test(families_samples_and_histograms_are_written),
        cmocka_unit_test(a_histogram_has_a_place_for_every_value),
    };
    return cmocka_run_group_tests_name("metrics_codec", tests, NULL, NULL);
}
