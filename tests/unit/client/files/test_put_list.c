/* Unit tests of kesher_files_put with many files (client/files/put_list.c): those that are sent ahead of
 * answers, those that are refused among them, and what ends it all. */
#include "unit/client/files/put_server.h"

enum { THOUSAND = 1000, SIZE = 100, WINDOW = 64 };

/* Files "file 0" and so on. */
struct crowd {
    struct put_plan plan;
    struct kesher_put puts[PUT_PLANS];
    char names[PUT_PLANS][32];
    uint8_t *bytes;
    struct kesher_error error;
};

static struct crowd *new_crowd(size_t count, size_t size)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    assert_non_null(crowd);
    crowd->bytes = put_content(size, 1);
    for (size_t i = 0; i < count; i++) {
        assert_true(snprintf(crowd->names[i], sizeof crowd->names[i], "file %zu", i) > 0);
        crowd->puts[i] = (struct kesher_put){.name = crowd->names[i]};
    }
    crowd->plan.puts = crowd->puts;
    crowd->plan.count = count;
    /* All have one content. */
    for (size_t i = 0; i < count; i++)
        crowd->puts[i].fd = put_file_of(crowd->bytes, size);
    return crowd;
}

static void free_crowd(struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->plan.count; i++)
        close(crowd->puts[i].fd);
    free(crowd->bytes);
    free(crowd);
}

static enum kesher_status put_crowd(struct put_fixture *fixture, struct crowd *crowd)
{
    const struct kesher_put_list list = {&crowd->plan, put_plan_next, put_plan_done};
    crowd->plan.given = 0;
    crowd->plan.told = 0;
    enum kesher_status status = kesher_files_put(fixture->files, &list, &crowd->error);
    assert_int_equal(crowd->plan.told, crowd->plan.given);
    assert_true(crowd->plan.out_limit <= WINDOW);
    return status;
}

static enum kesher_status outcome(const struct crowd *crowd, size_t index)
{
    return crowd->plan.results[index].status;
}

static void no_files_are_put_at_once(void **state)
{
    struct put_fixture *fixture = *state;
    struct crowd *crowd = new_crowd(0, 0);
    assert_int_equal(put_crowd(fixture, crowd), KESHER_OK);
    free_crowd(crowd);
}

static void thousand_small_files_go_over_one_connection(void **state)
{
    struct put_fixture *fixture = *state;
    struct crowd *crowd = new_crowd(THOUSAND, SIZE);
    assert_int_equal(put_crowd(fixture, crowd), KESHER_OK);
    assert_int_equal(fixture->server.file_count, THOUSAND);
    for (size_t i = 0; i < THOUSAND; i++) {
        assert_kept(fixture, crowd->names[i], crowd->bytes, SIZE);
        assert_int_equal(crowd->plan.results[i].size, SIZE);
        assert_int_equal(crowd->plan.results[i].cksum, put_server_sum(crowd->bytes, SIZE));
    }
    assert_int_equal(fixture->server.opens, THOUSAND);
    assert_int_equal(fixture->account->server->connections, 2);
    assert_int_equal(crowd->plan.out_limit, WINDOW);
    assert_ptr_equal(fixture->tag, &crowd->plan.results[THOUSAND - 1]);
    free_crowd(crowd);
}

static void three_of_thousand_are_refused_and_the_others_arrive(void **state)
{
    struct put_fixture *fixture = *state;
    struct crowd *crowd = new_crowd(THOUSAND, SIZE);
    static const size_t refused[] = {5, 500, 999};
    for (size_t i = 0; i < KS_COUNT_OF(refused); i++)
        assert_true(snprintf(crowd->names[refused[i]], 32, "no %zu", i) > 0);
    fixture->server.refused_prefix = "no ";
    fixture->server.refused_reason = KS_REFUSAL_NO_SPACE;
    assert_int_equal(put_crowd(fixture, crowd), KESHER_REFUSED);
    assert_int_equal(fixture->server.file_count, THOUSAND - KS_COUNT_OF(refused));
    for (size_t i = 0; i < THOUSAND; i++) {
        bool is_refused = i == 5 || i == 500 || i == 999;
        assert_int_equal(outcome(crowd, i), is_refused ? KESHER_REFUSED : KESHER_OK);
    }
    assert_non_null(strstr(crowd->plan.errors[500].sentence, "'no 1'"));
    assert_string_equal(crowd->error.sentence, crowd->plan.errors[999].sentence); /* the last that failed */
    assert_int_equal(fixture->account->server->connections, 2);
    free_crowd(crowd);
}

/* The same directory once more: nothing is sent, and nothing else is refused. */
static void what_is_kept_already_is_asked_for_ahead_of_answers(void **state)
{
    struct put_fixture *fixture = *state;
    struct crowd *crowd = new_crowd(WINDOW + 10, SIZE);
    uint8_t *other = put_content(SIZE, 2);
    for (size_t i = 0; i < WINDOW; i++)
        put_server_add(&fixture->server, crowd->names[i], i == 7 ? other : crowd->bytes, SIZE);
    assert_int_equal(put_crowd(fixture, crowd), KESHER_EXISTS);
    for (size_t i = 0; i < WINDOW + 10; i++) {
        assert_int_equal(outcome(crowd, i), i == 7 ? KESHER_EXISTS : KESHER_OK);
        assert_int_equal(crowd->plan.results[i].unchanged, i < WINDOW && i != 7);
    }
    assert_kept(fixture, crowd->names[7], other, SIZE);
    assert_int_equal(fixture->server.piece_bytes, 10 * SIZE);
    assert_int_equal(crowd->plan.results[0].resumed_at, SIZE);
    assert_int_equal(crowd->plan.results[WINDOW].resumed_at, 0);
    free(other);
    free_crowd(crowd);
}

/* After "there is one" the client asks whether it is just this. */
static void lies_about_what_is_kept_are_told(void **state)
{
    struct put_fixture *fixture = *state;
    static const struct ks_put_open opens[] = {{.flags = KS_PUT_IS_KEPT, .offset = SIZE - 1},
                                               {.flags = 2, .offset = SIZE},
                                               {.offset = SIZE + 1},
                                               {.offset = UINT64_MAX}};
    for (size_t i = 0; i < KS_COUNT_OF(opens); i++) {
        struct crowd *crowd = new_crowd(1, SIZE);
        uint8_t open[KS_PUT_OPEN_SIZE];
        static const uint8_t refusal[] = {KS_REFUSAL_FILE_EXISTS, 0, 0, 0};
        ks_put_open_encode(&opens[i], open);
        put_fixture_clear(fixture);
        put_server_answer(&fixture->server, KS_REQUEST_PUT_FILE, KS_RESPONSE_REFUSED, refusal,
                          sizeof refusal);
        put_server_answer(&fixture->server, KS_REQUEST_PUT_FILE, KS_RESPONSE_PUT_OPEN, open, sizeof open);
        assert_int_equal(put_crowd(fixture, crowd), KESHER_PROTOCOL);
        free_crowd(crowd);
    }
}

/* What came under the put id before was all of it. */
static void what_was_there_and_not_confirmed_is_no_unchanged_file(void **state)
{
    struct put_fixture *fixture = *state;
    struct crowd *crowd = new_crowd(1, SIZE);
    uint8_t open[KS_PUT_OPEN_SIZE];
    static const uint8_t flags = 0;
    static const uint8_t refusal[] = {KS_REFUSAL_FILE_EXISTS, 0, 0, 0};
    const struct ks_put_open whole = {.offset = SIZE, .cksum = put_server_sum(crowd->bytes, SIZE)};
    ks_put_open_encode(&whole, open);
    put_server_answer(&fixture->server, KS_REQUEST_PUT_FILE, KS_RESPONSE_REFUSED, refusal, sizeof refusal);
    put_server_answer(&fixture->server, KS_REQUEST_PUT_FILE, KS_RESPONSE_PUT_OPEN, open, sizeof open);
    put_server_answer(&fixture->server, KS_REQUEST_PUT_END, KS_RESPONSE_REFUSED, refusal, sizeof refusal);
    put_server_answer(&fixture->server, KS_REQUEST_PUT_END, KS_RESPONSE_PUT_END, &flags, 1);
    assert_int_equal(put_crowd(fixture, crowd), KESHER_OK);
    assert_false(crowd->plan.results[0].unchanged);
    free_crowd(crowd);
}

static void refusal_that_another_try_can_mend_is_tried_again(void **state)
{
    struct put_fixture *fixture = *state;
    static const struct {
        uint16_t code;
        uint16_t reason;
    } rows[] = {
        {KS_REQUEST_PUT_FILE, KS_REFUSAL_PUT_IN_USE}, {KS_REQUEST_PUT_PIECE, KS_REFUSAL_NO_PUT},
        {KS_REQUEST_PUT_END, KS_REFUSAL_CKSUM},       {KS_REQUEST_PUT_END, KS_REFUSAL_NO_PUT},
        {KS_REQUEST_PUT_FILE, KS_REFUSAL_QUOTA},
    };
    for (size_t i = 0; i < KS_COUNT_OF(rows); i++) {
        struct crowd *crowd = new_crowd(10, SIZE);
        put_server_clear(&fixture->server);
        put_server_refuse(&fixture->server, rows[i].code, rows[i].reason);
        assert_int_equal(put_crowd(fixture, crowd), KESHER_OK);
        assert_int_equal(fixture->server.file_count, 10);
        free_crowd(crowd);
    }
}

static void quota_ends_it_and_the_others_are_not_sent(void **state)
{
    struct put_fixture *fixture = *state;
    struct crowd *crowd = new_crowd(WINDOW * 3, SIZE);
    strcpy(crowd->names[3], "no 3");
    fixture->server.refused_prefix = "no ";
    fixture->server.refused_reason = KS_REFUSAL_QUOTA;
    assert_int_equal(put_crowd(fixture, crowd), KESHER_FULL);
    assert_int_equal(outcome(crowd, 3), KESHER_FULL);
    assert_true(crowd->plan.given < crowd->plan.count);
    assert_int_equal(crowd->error.status, KESHER_FULL);
    free_crowd(crowd);
}

static void lie_ends_it_and_what_is_out_fails(void **state)
{
    struct put_fixture *fixture = *state;
    static const uint16_t requests[] = {KS_REQUEST_PUT_FILE, KS_REQUEST_PUT_PIECE, KS_REQUEST_PUT_END};
    static const uint16_t answers[] = {KS_RESPONSE_PUT_OPEN, KS_RESPONSE_PUT_PIECE, KS_RESPONSE_PUT_END};
    static const size_t sizes[] = {KS_PUT_OPEN_SIZE, 8, 1};
    static const uint8_t lie[KS_PUT_OPEN_SIZE] = {0x40, 0, 0, 0};
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        struct crowd *crowd = new_crowd(10, SIZE);
        put_fixture_clear(fixture);
        put_server_answer(&fixture->server, requests[i], answers[i], lie, sizes[i]);
        assert_int_equal(put_crowd(fixture, crowd), KESHER_PROTOCOL);
        assert_int_equal(outcome(crowd, 0), KESHER_PROTOCOL);
        for (size_t k = 1; k < crowd->plan.given; k++) {
            assert_int_equal(outcome(crowd, k), KESHER_NOT_SENT);
            assert_non_null(strstr(crowd->plan.errors[k].sentence, "because 'file 0' failed"));
        }
        free_crowd(crowd);
    }
}

/* What is put anew has no offset, and is not kept. */
static void offset_of_a_small_put_is_nonsense(void **state)
{
    struct put_fixture *fixture = *state;
    static const struct ks_put_open lies[] = {{.offset = 1}, {.flags = KS_PUT_IS_KEPT}};
    for (size_t i = 0; i < KS_COUNT_OF(lies); i++) {
        struct crowd *crowd = new_crowd(1, SIZE);
        uint8_t open[KS_PUT_OPEN_SIZE];
        ks_put_open_encode(&lies[i], open);
        put_server_answer(&fixture->server, KS_REQUEST_PUT_FILE, KS_RESPONSE_PUT_OPEN, open, sizeof open);
        assert_int_equal(put_crowd(fixture, crowd), KESHER_PROTOCOL);
        free_crowd(crowd);
    }
}

/* A server that takes a piece of what it has refused to open. */
static void taking_what_was_refused_is_nonsense(void **state)
{
    struct put_fixture *fixture = *state;
    struct crowd *crowd = new_crowd(1, SIZE);
    uint8_t position[8];
    ks_store_u64(position, SIZE);
    put_server_refuse(&fixture->server, KS_REQUEST_PUT_FILE, KS_REFUSAL_NO_SPACE);
    put_server_answer(&fixture->server, KS_REQUEST_PUT_PIECE, KS_RESPONSE_PUT_PIECE, position,
                      sizeof position);
    assert_int_equal(put_crowd(fixture, crowd), KESHER_PROTOCOL);
    free_crowd(crowd);
}

static void silence_ends_it(void **state)
{
    struct put_fixture *fixture = *state;
    struct crowd *crowd = new_crowd(10, SIZE);
    const struct secure_lie lie = {.request = KS_REQUEST_PUT_END, .end = SECURE_STAYS_MUTE};
    fixture->account->options.progress_ms = QUIET_MS;
    put_fixture_reopen(fixture);
    secure_tell_lie(fixture->account->server, &lie);
    assert_int_equal(put_crowd(fixture, crowd), KESHER_TIMEOUT);
    assert_int_equal(outcome(crowd, 0), KESHER_TIMEOUT);
    assert_int_equal(outcome(crowd, 9), KESHER_NOT_SENT);
    assert_non_null(strstr(crowd->plan.errors[9].sentence, "as far as is known"));
    free_crowd(crowd);
}

static void connection_that_is_lost_for_good_ends_it(void **state)
{
    struct put_fixture *fixture = *state;
    struct crowd *crowd = new_crowd(10, SIZE);
    fixture->server.cuts_always = true;
    assert_int_equal(put_crowd(fixture, crowd), KESHER_CONNECTION);
    assert_int_equal(outcome(crowd, 0), KESHER_CONNECTION);
    for (size_t i = 1; i < crowd->plan.given; i++)
        assert_int_equal(outcome(crowd, i), KESHER_NOT_SENT);
    assert_non_null(strstr(crowd->plan.errors[0].sentence, "'file 0'"));
    free_crowd(crowd);
}

/* Between two calls: the file whose turn it is fails, and the next one is not asked for. */
static void account_that_has_gone_ends_it_before_the_first(void **state)
{
    struct put_fixture *fixture = *state;
    struct crowd *crowd = new_crowd(10, SIZE);
    const struct secure_lie lie = {.request = KS_REQUEST_PUT_FILE, .end = SECURE_CUTS};
    fixture->account->server->forgets_at_cut = true;
    secure_tell_lie(fixture->account->server, &lie);
    assert_int_equal(put_crowd(fixture, crowd), KESHER_UNKNOWN);
    assert_int_equal(put_crowd(fixture, crowd), KESHER_UNKNOWN);
    assert_int_equal(crowd->plan.given, 1);
    assert_non_null(strstr(crowd->error.sentence, "'file 0'"));
    free_crowd(crowd);
}

static void large_and_small_files_keep_their_contents(void **state)
{
    struct put_fixture *fixture = *state;
    struct crowd *crowd = new_crowd(8, SIZE);
    uint8_t *large = put_content(700000, 3);
    for (size_t i = 1; i < 8; i += 3) {
        close(crowd->puts[i].fd);
        crowd->puts[i].fd = put_file_of(large, 700000);
    }
    crowd->puts[2].digest = true;
    assert_int_equal(put_crowd(fixture, crowd), KESHER_OK);
    for (size_t i = 0; i < 8; i++) {
        bool is_large = i % 3 == 1;
        assert_kept(fixture, crowd->names[i], is_large ? large : crowd->bytes, is_large ? 700000 : SIZE);
    }
    uint8_t digest[KS_SHA256_SIZE];
    assert_int_equal(ks_sha256(crowd->bytes, SIZE, digest), KS_OK);
    assert_memory_equal(crowd->plan.results[2].sha256, digest, sizeof digest);
    free(large);
    free_crowd(crowd);
}

static void files_that_cannot_be_put_leave_the_others_alone(void **state)
{
    struct put_fixture *fixture = *state;
    struct crowd *crowd = new_crowd(6, SIZE);
    strcpy(crowd->names[0], "a//b");
    close(crowd->puts[2].fd);
    crowd->puts[2].fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    close(crowd->puts[4].fd);
    crowd->puts[4].fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    strcpy(crowd->names[5], "..");
    assert_int_equal(put_crowd(fixture, crowd), KESHER_INVALID);
    static const enum kesher_status expected[] = {KESHER_INVALID, KESHER_OK,   KESHER_FILE,
                                                  KESHER_OK,      KESHER_FILE, KESHER_INVALID};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(outcome(crowd, i), expected[i]);
    assert_int_equal(fixture->server.file_count, 2);
    free_crowd(crowd);
}

/* The second one must not end the first, nor be taken for it. */
static void two_files_of_one_name_go_one_after_the_other(void **state)
{
    struct put_fixture *fixture = *state;
    struct crowd *crowd = new_crowd(4, SIZE);
    uint8_t *other = put_content(SIZE, 2);
    for (size_t i = 1; i < 4; i++)
        strcpy(crowd->names[i], "one");
    close(crowd->puts[3].fd);
    crowd->puts[3].fd = put_file_of(other, SIZE);
    for (size_t i = 0; i < 4; i++)
        crowd->puts[i].replace = true;
    crowd->puts[2].fd = dup(crowd->puts[1].fd); /* the very same file, so the same put id */
    assert_int_equal(put_crowd(fixture, crowd), KESHER_OK);
    assert_int_equal(fixture->server.file_count, 2);
    assert_kept(fixture, "one", other, SIZE);
    assert_true(crowd->plan.results[3].replaced);
    free(other);
    free_crowd(crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PUT_TEST(no_files_are_put_at_once),
        PUT_TEST(thousand_small_files_go_over_one_connection),
        PUT_TEST(three_of_thousand_are_refused_and_the_others_arrive),
        PUT_TEST(what_is_kept_already_is_asked_for_ahead_of_answers),
        PUT_TEST(lies_about_what_is_kept_are_told),
        PUT_TEST(what_was_there_and_not_confirmed_is_no_unchanged_file),
        PUT_TEST(refusal_that_another_try_can_mend_is_tried_again),
        PUT_TEST(quota_ends_it_and_the_others_are_not_sent),
        PUT_TEST(lie_ends_it_and_what_is_out_fails),
        PUT_TEST(offset_of_a_small_put_is_nonsense),
        PUT_TEST(taking_what_was_refused_is_nonsense),
        PUT_TEST(silence_ends_it),
        PUT_TEST(connection_that_is_lost_for_good_ends_it),
        PUT_TEST(account_that_has_gone_ends_it_before_the_first),
        PUT_TEST(large_and_small_files_keep_their_contents),
        PUT_TEST(files_that_cannot_be_put_leave_the_others_alone),
        PUT_TEST(two_files_of_one_name_go_one_after_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
