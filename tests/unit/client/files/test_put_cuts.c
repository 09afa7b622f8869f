/* Unit tests of kesher_files_put whose connection is cut: at every byte of the server's answers and of the
 * client's requests. It goes on, and what the server has is not sent again. */
#include "unit/client/files/put_server.h"

enum { SMALL = 3000, LARGE = 300000, MANY = 20 };

/* Puts a file over a new session whose connection is cut once. False when it was not: there are fewer bytes.
 */
static bool put_with_cut(struct put_fixture *fixture, size_t size, bool cuts_reading, size_t behind)
{
    struct kesher_put one = {.fd = -1, .name = "file"};
    struct kesher_put_result result;
    struct kesher_error error;
    uint8_t *bytes = put_content(size, 1);
    struct secure_cut *cut =
        cuts_reading ? &fixture->account->server->reading : &fixture->account->server->writing;
    put_fixture_close(fixture);
    put_server_clear(&fixture->server);
    *cut = (struct secure_cut){.is_set = true, .left = behind};
    put_fixture_reopen(fixture);
    enum kesher_status status = put_bytes(fixture, &one, bytes, size, &result, &error);
    if (status != KESHER_OK)
        print_message("cut behind %zu bytes: %s\n", behind, error.sentence);
    assert_int_equal(status, KESHER_OK);
    assert_kept(fixture, "file", bytes, size);
    assert_int_equal(fixture->server.file_count, 1);
    assert_int_equal(fixture->server.piece_bytes, size); /* nothing was sent twice */
    assert_int_equal(result.cksum, put_server_sum(bytes, size));
    assert_false(result.unchanged); /* it was this call that brought it */
    bool was_cut = !cut->is_set;
    if (!was_cut)
        cut->is_set = false; /* of answers: those of requests are always long enough */
    free(bytes);
    return was_cut;
}

static void put_goes_on_wherever_the_answers_are_cut(void **state)
{
    struct put_fixture *fixture = *state;
    static const size_t sizes[] = {0, SMALL, LARGE};
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        size_t behind = 0;
        while (put_with_cut(fixture, sizes[i], false, behind))
            behind++;
        size_t piece = sizes[i] > 0 ? KS_RESPONSE_HEADER_SIZE + 8 : 0;
        assert_int_equal(behind,
                         KS_RESPONSE_HEADER_SIZE + KS_PUT_OPEN_SIZE + piece + KS_RESPONSE_HEADER_SIZE + 1);
    }
}

/* Every byte but those of the content, of which some. */
static void put_goes_on_wherever_the_requests_are_cut(void **state)
{
    struct put_fixture *fixture = *state;
    static const size_t sizes[] = {SMALL, LARGE};
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        const size_t open = KS_REQUEST_HEADER_SIZE + KS_PUT_FILE_FIXED_SIZE + strlen("file");
        const size_t content = open + KS_REQUEST_HEADER_SIZE;
        const size_t end = content + sizes[i] + KS_REQUEST_HEADER_SIZE + 4;
        size_t behind = 0;
        while (behind < end) {
            assert_true(put_with_cut(fixture, sizes[i], true, behind));
            bool is_inside = behind > content && behind < content + sizes[i];
            size_t left = content + sizes[i] - behind;
            size_t stride = sizes[i] / 7;
            behind += !is_inside ? 1 : left < stride ? left : stride;
        }
        assert_int_equal(behind, end);
    }
}

/* More cuts than the options allow, but something came each time. */
static void losses_with_progress_do_not_count(void **state)
{
    struct put_fixture *fixture = *state;
    enum { SIZE = 5 * 1024 * 1024 };
    struct kesher_put one = {.fd = -1, .name = "file"};
    struct kesher_put_result result;
    uint8_t *bytes = put_content(SIZE, 1);
    fixture->server.cuts_always = true;
    fixture->server.cut_behind = 700 * 1024;
    assert_int_equal(put_bytes(fixture, &one, bytes, SIZE, &result, NULL), KESHER_OK);
    assert_int_equal(fixture->server.piece_bytes, SIZE);
    assert_true(fixture->account->server->connections > 7);
    assert_int_equal(result.resumed_at, 0);
    assert_kept(fixture, "file", bytes, SIZE);
    free(bytes);
}

static void losses_without_progress_end_it(void **state)
{
    struct put_fixture *fixture = *state;
    static const size_t behind[] = {0, 10, KS_REQUEST_HEADER_SIZE};
    for (size_t i = 0; i < KS_COUNT_OF(behind); i++) {
        struct kesher_put one = {.fd = -1, .name = "file"};
        struct kesher_put_result result;
        struct kesher_error error;
        uint8_t *bytes = put_content(LARGE, 1);
        put_fixture_reopen(fixture);
        unsigned connections = fixture->account->server->connections;
        put_server_clear(&fixture->server);
        fixture->server.cuts_always = true;
        fixture->server.cut_behind = behind[i];
        assert_int_equal(put_bytes(fixture, &one, bytes, LARGE, &result, &error), KESHER_CONNECTION);
        assert_int_equal(fixture->account->server->connections, connections + 1);
        assert_non_null(strstr(error.sentence, "file"));
        free(bytes);
    }
}

/* The server loses what came: a power cut. It is sent again, and that is no progress for ever. */
static void server_that_forgets_each_time_is_given_up(void **state)
{
    struct put_fixture *fixture = *state;
    struct kesher_put one = {.fd = -1, .name = "file"};
    struct kesher_put_result result;
    uint8_t *bytes = put_content(LARGE, 1);
    fixture->server.forgets_always = true;
    fixture->server.cuts_always = true;
    fixture->server.cut_behind = 200000;
    assert_int_equal(put_bytes(fixture, &one, bytes, LARGE, &result, NULL), KESHER_CONNECTION);
    assert_in_range(fixture->account->server->connections, 3, 5);
    free(bytes);
}

/* ---- many ---- */

static void put_many(struct put_fixture *fixture, struct put_plan *plan, uint8_t *const *bytes)
{
    struct kesher_put puts[MANY];
    char names[MANY][32];
    const struct kesher_put_list list = {plan, put_plan_next, put_plan_done};
    for (size_t i = 0; i < MANY; i++) {
        assert_true(snprintf(names[i], sizeof names[i], "file %02zu", i) > 0);
        puts[i] = (struct kesher_put){.fd = put_file_of(bytes[i], 100 * i), .name = names[i]};
    }
    *plan = (struct put_plan){.puts = puts, .count = MANY};
    assert_int_equal(kesher_files_put(fixture->files, &list, NULL), KESHER_OK);
    assert_int_equal(plan->told, MANY);
    for (size_t i = 0; i < MANY; i++)
        close(puts[i].fd);
}

static bool put_many_with_cut(struct put_fixture *fixture, struct put_plan *plan, uint8_t *const *bytes,
                              bool cuts_reading, size_t behind)
{
    uint64_t size = 0;
    struct secure_cut *cut =
        cuts_reading ? &fixture->account->server->reading : &fixture->account->server->writing;
    put_fixture_close(fixture);
    put_server_clear(&fixture->server);
    *cut = (struct secure_cut){.is_set = true, .left = behind};
    put_fixture_reopen(fixture);
    put_many(fixture, plan, bytes);
    for (size_t i = 0; i < MANY; i++) {
        char name[32];
        assert_true(snprintf(name, sizeof name, "file %02zu", i) > 0);
        assert_kept(fixture, name, bytes[i], 100 * i);
        assert_false(plan->results[i].unchanged);
        size += 100 * i;
    }
    assert_int_equal(fixture->server.file_count, MANY);
    assert_int_equal(fixture->server.piece_bytes, size);
    bool was_cut = !cut->is_set;
    if (!was_cut)
        cut->is_set = false; /* of answers: those of requests are always long enough */
    return was_cut;
}

static void small_files_sent_ahead_go_on_one_by_one(void **state)
{
    struct put_fixture *fixture = *state;
    struct put_plan *plan = calloc(1, sizeof *plan);
    uint8_t *bytes[MANY];
    size_t total = 0; /* of the requests */
    for (size_t i = 0; i < MANY; i++) {
        bytes[i] = put_content(100 * i, (unsigned)i);
        total += KS_REQUEST_HEADER_SIZE + KS_PUT_FILE_FIXED_SIZE + strlen("file 00") + 100 * i +
                 (i > 0 ? KS_REQUEST_HEADER_SIZE : 0) + KS_REQUEST_HEADER_SIZE + 4;
    }
    for (size_t behind = 0; put_many_with_cut(fixture, plan, bytes, false, behind); behind += 13)
        ;
    for (size_t behind = 0; behind < total; behind += 331)
        assert_true(put_many_with_cut(fixture, plan, bytes, true, behind));
    for (size_t i = 0; i < MANY; i++)
        free(bytes[i]);
    free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PUT_TEST(put_goes_on_wherever_the_answers_are_cut),
        PUT_TEST(put_goes_on_wherever_the_requests_are_cut),
        PUT_TEST(losses_with_progress_do_not_count),
        PUT_TEST(losses_without_progress_end_it),
        PUT_TEST(server_that_forgets_each_time_is_given_up),
        PUT_TEST(small_files_sent_ahead_go_on_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
