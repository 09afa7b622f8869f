/* Unit tests of kesher_files_list: pages, prefixes, callers that stop, connections that are cut at any byte,
 * and servers whose lists are none.
 */
#include "unit/client/files/get_server.h"

/* What the caller was told. */
struct seen {
    size_t count;
    size_t stop_at; /* 0: never */
    char last[KESHER_FILE_NAME_SIZE];
    struct kesher_file file; /* the last */
};

static bool see(void *context, const struct kesher_file *file)
{
    struct seen *seen = context;
    assert_true(strcmp(seen->last, file->name) < 0);
    strcpy(seen->last, file->name);
    seen->file = *file;
    seen->count++;
    return seen->count != seen->stop_at;
}

static enum kesher_status list(struct get_fixture *fixture, const char *prefix, struct seen *seen)
{
    size_t stop_at = seen->stop_at;
    *seen = (struct seen){.stop_at = stop_at};
    return kesher_files_list(fixture->files, prefix, see, seen, &fixture->error);
}

static void keep_some(struct get_fixture *fixture)
{
    static const char *const names[] = {"A",     "a",     "a/b",  "a/b/c", "a/c",       "a0",       "dir.",
                                        "dir/x", "dir/y", "dir0", "z",     "z\xc3\xa9", "z\xff\xff"};
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        get_keep(fixture, names[i], fixture->server->content, i);
}

static void all_files_come_over_pages(void **state)
{
    struct get_fixture *fixture = *state;
    struct seen seen = {0};
    keep_some(fixture);
    assert_int_equal(list(fixture, NULL, &seen), KESHER_OK);
    assert_int_equal(seen.count, 13);
    assert_int_equal(fixture->server->lists, 5); /* of 3 */
    assert_int_equal(seen.file.size, 12);
    assert_int_equal(seen.file.time_ns, 1000);
    assert_true(seen.file.has_cksum);
    assert_int_equal(seen.file.cksum, get_cksum(fixture->server->content, 12));
    assert_false(seen.file.has_sha256);
}

static void nothing_is_an_empty_list(void **state)
{
    struct get_fixture *fixture = *state;
    struct seen seen = {0};
    assert_int_equal(list(fixture, NULL, &seen), KESHER_OK);
    assert_int_equal(seen.count, 0);
}

static void prefix_is_all_that_comes(void **state)
{
    static const struct {
        const char *prefix;
        size_t count;
    } cases[] = {{"", 13}, {"a", 5},     {"a/", 3},   {"a/b", 2},  {"dir/", 2},      {"dir", 4},
                 {"z", 3}, {"z\xc3", 1}, {"A", 1},    {"zz", 0},   {"z\xff\xff", 1}, {"\xff", 0},
                 {"/", 0}, {" ", 0},     {"\x01", 0}, {"dir0", 1}, {"..", 0},        {"a/b/c/d", 0}};
    struct get_fixture *fixture = *state;
    keep_some(fixture);
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        struct seen seen = {0};
        fixture->server->listed = 0;
        assert_int_equal(list(fixture, cases[i].prefix, &seen), KESHER_OK);
        assert_int_equal(seen.count, cases[i].count);
        /* Not much more is asked for than that. */
        assert_true(cases[i].prefix[0] <= ' ' || fixture->server->listed <= cases[i].count + 4);
    }
}

static void prefix_that_no_name_can_have_is_not_asked_for(void **state)
{
    struct get_fixture *fixture = *state;
    struct seen seen = {0};
    char prefix[KESHER_FILE_NAME_SIZE + 1];
    memset(prefix, 'p', sizeof prefix);
    prefix[KESHER_FILE_NAME_SIZE] = '\0';
    assert_int_equal(list(fixture, prefix, &seen), KESHER_OK);
    assert_int_equal(fixture->server->lists, 0);
    prefix[KESHER_FILE_NAME_SIZE - 1] = '\0'; /* one byte less is a name */
    get_keep(fixture, prefix, fixture->server->content, 1);
    assert_int_equal(list(fixture, prefix, &seen), KESHER_OK);
    assert_int_equal(seen.count, 1);
}

static void caller_that_stops_is_told_no_more(void **state)
{
    struct get_fixture *fixture = *state;
    struct seen seen = {.stop_at = 4};
    keep_some(fixture);
    assert_int_equal(list(fixture, NULL, &seen), KESHER_OK);
    assert_int_equal(seen.count, 4);
    assert_int_equal(fixture->server->lists, 2);
    seen.stop_at = 0;
    assert_int_equal(list(fixture, NULL, &seen), KESHER_OK); /* the object goes on */
    assert_int_equal(seen.count, 13);
}

/* The rest of the page is more than is worth taking. */
static void caller_that_stops_in_a_long_page_can_go_on(void **state)
{
    struct get_fixture *fixture = *state;
    struct seen seen = {.stop_at = 1};
    fixture->server->crowd = 10000;
    fixture->server->page = 5000;
    assert_int_equal(list(fixture, NULL, &seen), KESHER_OK);
    assert_int_equal(seen.count, 1);
    assert_int_equal(fixture->server->lists, 1);
    seen.stop_at = 0;
    assert_int_equal(list(fixture, NULL, &seen), KESHER_OK);
    assert_int_equal(seen.count, 10000);
}

static void connection_that_is_cut_anywhere_repeats_no_file(void **state)
{
    struct get_fixture *fixture = *state;
    struct secure_server *server = fixture->account->server;
    for (size_t i = 0; i < 7; i++) {
        static const char *const names[] = {"a", "bb", "ccc", "dddd", "e/e", "f", "g"};
        get_keep(fixture, names[i], fixture->server->content, i);
    }
    for (size_t cut = 0; cut < 3 * (KS_RESPONSE_HEADER_SIZE + 1) + 7 * (KS_FILE_FACTS_SIZE + 2) + 15; cut++) {
        struct seen seen = {0};
        get_fixture_reopen(fixture);
        server->writing = (struct secure_cut){.is_set = true, .left = cut};
        assert_int_equal(list(fixture, NULL, &seen), KESHER_OK);
        assert_false(server->writing.is_set); /* it was cut */
        assert_int_equal(seen.count, 7);
    }
}

/* ---- lies ---- */

static struct secure_lie list_lie(const uint8_t *payload, size_t size)
{
    struct secure_lie lie = {.request = KS_REQUEST_LIST_FILES,
                             .code = KS_RESPONSE_FILES,
                             .told_size = (uint32_t)size,
                             .size = size,
                             .end = SECURE_GOES_ON};
    assert_true(size <= sizeof lie.payload);
    if (size > 0)
        memcpy(lie.payload, payload, size);
    return lie;
}

static void add_name(uint8_t *payload, size_t capacity, size_t *size, const char *name, size_t name_size)
{
    const struct ks_file_facts facts = {.size = 1};
    const struct ks_wire_text text = {.bytes = name, .size = (uint16_t)name_size};
    assert_int_equal(ks_file_entry_add(payload, capacity, size, &facts, &text), KS_OK);
}

static void expect_protocol(struct get_fixture *fixture, const uint8_t *payload, size_t size)
{
    struct seen seen = {0};
    const struct secure_lie lie = list_lie(payload, size);
    get_fixture_reopen(fixture);
    secure_tell_lie(fixture->account->server, &lie);
    assert_int_equal(list(fixture, NULL, &seen), KESHER_PROTOCOL);
    assert_int_equal(fixture->error.status, KESHER_PROTOCOL);
}

static void names_that_no_file_can_have_are_refused(void **state)
{
    static const struct {
        const char *name;
        size_t size;
    } names[] = {{"", 0},     {"..", 2},   {"a/../b", 6}, {"/etc/passwd", 11}, {"a//b", 4},   {"a\\b", 3},
                 {"a\nb", 3}, {"a\0b", 3}, {"a/", 2},     {"\x7f", 1},         {"\x1b[2J", 4}};
    struct get_fixture *fixture = *state;
    for (size_t i = 0; i < KS_COUNT_OF(names); i++) {
        uint8_t payload[512] = {0};
        size_t size = 1;
        add_name(payload, sizeof payload, &size, names[i].name, names[i].size);
        expect_protocol(fixture, payload, size);
    }
}

static void lists_in_no_order_are_refused(void **state)
{
    struct get_fixture *fixture = *state;
    static const char *const orders[][2] = {{"b", "a"}, {"a", "a"}, {"ab", "a"}, {"a\xff", "ab"}};
    for (size_t i = 0; i < KS_COUNT_OF(orders); i++) {
        uint8_t payload[512] = {0};
        size_t size = 1;
        add_name(payload, sizeof payload, &size, orders[i][0], strlen(orders[i][0]));
        add_name(payload, sizeof payload, &size, orders[i][1], strlen(orders[i][1]));
        expect_protocol(fixture, payload, size);
    }
}

/* Else a list would go round in circles. */
static void page_that_goes_back_is_refused(void **state)
{
    struct get_fixture *fixture = *state;
    struct seen seen = {0};
    uint8_t payload[512] = {1};
    size_t size = 1;
    add_name(payload, sizeof payload, &size, "b", 1);
    const struct secure_lie lie = list_lie(payload, size);
    secure_tell_lie(fixture->account->server, &lie);
    secure_tell_lie(fixture->account->server, &lie);
    assert_int_equal(list(fixture, NULL, &seen), KESHER_PROTOCOL);
    assert_int_equal(seen.count, 1);
}

static void pages_that_make_no_sense_are_refused(void **state)
{
    struct get_fixture *fixture = *state;
    uint8_t payload[512] = {0};
    size_t size = 1;
    expect_protocol(fixture, payload, 0);
    expect_protocol(fixture, (const uint8_t *)"\1", 1); /* more, and none */
    expect_protocol(fixture, (const uint8_t *)"\2", 1);
    add_name(payload, sizeof payload, &size, "name", 4);
    for (size_t cut = 2; cut < size; cut++)
        expect_protocol(fixture, payload, cut);
    expect_protocol(fixture, payload, size + 1); /* a byte behind it */
    payload[1 + 7] = 0x80;                       /* larger than any file */
    expect_protocol(fixture, payload, size);
}

static void other_answers_are_refused(void **state)
{
    struct get_fixture *fixture = *state;
    struct seen seen = {0};
    struct secure_lie lie = list_lie(NULL, 0);
    lie.code = KS_RESPONSE_FILE_REMOVED;
    secure_tell_lie(fixture->account->server, &lie);
    assert_int_equal(list(fixture, NULL, &seen), KESHER_PROTOCOL);
}

static void refusal_says_why(void **state)
{
    struct get_fixture *fixture = *state;
    struct seen seen = {0};
    struct secure_lie lie = list_lie((const uint8_t *)"\x11\0\6\0sorry!", 10);
    lie.code = KS_RESPONSE_REFUSED;
    secure_tell_lie(fixture->account->server, &lie);
    assert_int_equal(list(fixture, NULL, &seen), KESHER_REFUSED);
    assert_non_null(strstr(fixture->error.sentence, "sorry!"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GET_TEST(all_files_come_over_pages),
        GET_TEST(nothing_is_an_empty_list),
        GET_TEST(prefix_is_all_that_comes),
        GET_TEST(prefix_that_no_name_can_have_is_not_asked_for),
        GET_TEST(caller_that_stops_is_told_no_more),
        GET_TEST(caller_that_stops_in_a_long_page_can_go_on),
        GET_TEST(connection_that_is_cut_anywhere_repeats_no_file),
        GET_TEST(names_that_no_file_can_have_are_refused),
        GET_TEST(lists_in_no_order_are_refused),
        GET_TEST(page_that_goes_back_is_refused),
        GET_TEST(pages_that_make_no_sense_are_refused),
        GET_TEST(other_answers_are_refused),
        GET_TEST(refusal_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
