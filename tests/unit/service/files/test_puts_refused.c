/* test_puts_refused.c — own files that come in pieces (3013 to 3015): what is refused, and what is told then.
 */
#include "unit/service/files/puts_fixture.h"

/* ---- what is refused ---- */

static void behind_a_put_that_is_refused_nothing_is_written(void **state)
{
    struct gate *gate = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    keep(gate, "a", 10, true);
    for (unsigned later = 0; later < 2; later++) {
        gate->store.later = later == 1;
        add_open(&bytes, "a", PUT_ID, NO_FLAGS, 200000);
        add_piece(&bytes, 0, 100000); /* longer than what is skipped of others */
        add_piece(&bytes, 100000, 200000);
        add_end(&bytes, cksum_of_first(200000));
        add_put(&bytes, "b", OTHER_PUT_ID, KS_PUT_REPLACE, 3);
        send_all(gate, 0, &bytes, 4096);
        assert_refused(gate, 0, KS_REFUSAL_FILE_EXISTS);
        assert_refused(gate, 0, KS_REFUSAL_NO_PUT);
        assert_refused(gate, 0, KS_REFUSAL_NO_PUT);
        assert_refused(gate, 0, KS_REFUSAL_NO_PUT);
        assert_opened(gate, 0, later == 0 ? 0 : 3, later == 1);
        if (later == 0)
            assert_position(gate, 0, 3);
        else
            assert_refused(gate, 0, KS_REFUSAL_MALFORMED); /* of what is kept there is nothing to come */
        if (later == 0)
            assert_put(gate, 0, NO_FLAGS);
        else
            assert_refused(gate, 0, KS_REFUSAL_NO_PUT);
        assert_int_equal(parked(gate), 0);
    }
    assert_kept(gate, "a", 10);
    assert_kept(gate, "b", 3);
}

static void without_a_put_there_are_no_pieces_and_no_end(void **state)
{
    struct gate *gate = *state;
    ask_piece(gate, 0, 0, 10);
    assert_refused(gate, 0, KS_REFUSAL_NO_PUT);
    ask_end(gate, 0, 0);
    assert_refused(gate, 0, KS_REFUSAL_NO_PUT);
    ask(gate, 0, KS_REQUEST_PUT_END, "12345", 5);
    assert_refused(gate, 0, KS_REFUSAL_MALFORMED);
}

static void an_end_before_all_has_come_is_refused(void **state)
{
    struct gate *gate = *state;
    begin_put(gate, 0, "a", SIZE - 1, SIZE);
    ask_end(gate, 0, cksum_of_first(SIZE));
    assert_refused(gate, 0, KS_REFUSAL_NO_PUT);
    assert_goes_on(gate, 0, "a", SIZE - 1, SIZE);
}

static void a_piece_of_a_wrong_size_ends_the_put(void **state)
{
    struct gate *gate = *state;
    begin_put(gate, 0, "a", 300, SIZE);
    ask_piece(gate, 0, 300, SIZE + 1);
    assert_refused(gate, 0, KS_REFUSAL_MALFORMED);
    ask_piece(gate, 0, 300, SIZE);
    assert_refused(gate, 0, KS_REFUSAL_NO_PUT);
    ask_open(gate, 0, "a", PUT_ID, NO_FLAGS, SIZE);
    assert_opened(gate, 0, 300, false);
    ask(gate, 0, KS_REQUEST_PUT_PIECE, NULL, 0);
    assert_refused(gate, 0, KS_REFUSAL_MALFORMED);
    ask_piece(gate, 0, 300, SIZE);
    assert_refused(gate, 0, KS_REFUSAL_NO_PUT);
    assert_goes_on(gate, 0, "a", 300, SIZE);
}

static void a_piece_over_the_limit_ends_the_connection(void **state)
{
    struct gate *gate = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    join(gate, 1);
    begin_put(gate, 1, "a", 300, 2 * KS_FILE_PIECE_LIMIT);
    add_piece(&bytes, 0, KS_FILE_PIECE_LIMIT + 1);
    send_all(gate, 1, &bytes, 0);
    assert_refused(gate, 1, KS_REFUSAL_MALFORMED);
    assert_true(gate->peers[1].finished);
    ask_open(gate, 0, "a", PUT_ID, NO_FLAGS, SIZE);
    assert_opened(gate, 0, 300, false);
}

static void a_put_is_open_on_one_connection(void **state)
{
    struct gate *gate = *state;
    join(gate, 1);
    begin_put(gate, 1, "a", 300, SIZE);
    ask_open(gate, 0, "a", PUT_ID, NO_FLAGS, SIZE);
    assert_refused(gate, 0, KS_REFUSAL_PUT_IN_USE);
    gate_close(gate, 1);
    assert_goes_on(gate, 0, "a", 300, SIZE);
}

static void a_name_that_no_file_may_have_is_refused(void **state)
{
    struct gate *gate = *state;
    static const char *const names[] = {"", "/a", "a/", "..", "a/./b", "a\\b", "\x1f"};
    char longest[KS_TEXT_FIELD_SIZE + 1];
    for (size_t i = 0; i < KS_COUNT_OF(names); i++) {
        ask_open(gate, 0, names[i], PUT_ID, NO_FLAGS, 1);
        assert_refused(gate, 0, KS_REFUSAL_FILE_NAME);
    }
    memset(longest, 'a', sizeof longest);
    longest[KS_FILE_NAME_LIMIT + 1] = '\0';
    ask_open(gate, 0, longest, PUT_ID, NO_FLAGS, 1);
    assert_refused(gate, 0, KS_REFUSAL_FILE_NAME);
    longest[KS_FILE_NAME_LIMIT] = '\0';
    ask_open(gate, 0, longest, PUT_ID, NO_FLAGS, 1);
    assert_opened(gate, 0, 0, false);
}

static void content_with_another_cksum_is_forgotten(void **state)
{
    struct gate *gate = *state;
    begin_put(gate, 0, "a", SIZE, SIZE);
    ask_end(gate, 0, cksum_of_first(SIZE) + 1);
    assert_refused(gate, 0, KS_REFUSAL_CKSUM);
    assert_null(kept(gate, "a"));
    assert_int_equal(parked(gate), 0);
    assert_goes_on(gate, 0, "a", 0, SIZE);
}

static void a_name_that_is_taken_meanwhile_is_told_at_the_end(void **state)
{
    struct gate *gate = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    join(gate, 1);
    begin_put(gate, 0, "a", SIZE, SIZE);
    add_put(&bytes, "a", OTHER_PUT_ID, NO_FLAGS, 5);
    send_all(gate, 1, &bytes, 0);
    assert_kept(gate, "a", 5);
    ask_end(gate, 0, cksum_of_first(SIZE));
    assert_refused(gate, 0, KS_REFUSAL_FILE_EXISTS);
    assert_kept(gate, "a", 5);
    ask_open(gate, 0, "a", PUT_ID, KS_PUT_REPLACE, SIZE); /* what came is still there */
    assert_opened(gate, 0, SIZE, false);
    ask_end(gate, 0, cksum_of_first(SIZE));
    assert_put(gate, 0, KS_PUT_REPLACED);
}

/* ---- the disk, and limits ---- */

static void what_the_disk_refuses_is_told_to_the_next_piece(void **state)
{
    struct gate *gate = *state;
    enum { LARGE = 100000 };
    static const struct {
        enum ks_result failure;
        enum ks_refusal_reason reason;
    } cases[] = {{KS_NO_SPACE, KS_REFUSAL_NO_SPACE},
                 {KS_IO, KS_REFUSAL_TROUBLE},
                 {KS_NO_MEMORY, KS_REFUSAL_TROUBLE},
                 {KS_NOT_FOUND, KS_REFUSAL_NO_PUT}};
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        struct ks_buffer bytes = ks_buffer_empty(0);
        begin_put(gate, 0, "a", 4000, LARGE);
        gate->store.next_failure = cases[i].failure;
        gate->store.later = true; /* the piece is taken before that is known */
        ask_piece(gate, 0, 4000, 4200);
        assert_position(gate, 0, 4200);
        gate->store.later = false;
        add_piece(&bytes, 4200, 5000);
        add_piece(&bytes, 5000, LARGE);
        add_end(&bytes, cksum_of_first(LARGE));
        send_all(gate, 0, &bytes, 0);
        assert_refused(gate, 0, cases[i].reason);
        assert_refused(gate, 0, KS_REFUSAL_NO_PUT);
        assert_refused(gate, 0, KS_REFUSAL_NO_PUT);
        assert_int_equal(gate->store.open_stages, 0);
        assert_int_equal(atomic_load(&gate->loops[0].contents.used), 0);
        assert_true(logged(gate, "cannot take \"a\": "));
    }
}

static void what_the_disk_refuses_of_a_piece_is_told_to_it(void **state)
{
    struct gate *gate = *state;
    begin_put(gate, 0, "a", 10, 100000);
    gate->store.next_failure = KS_NO_SPACE;
    ask_piece(gate, 0, 10, 90000);
    assert_refused(gate, 0, KS_REFUSAL_NO_SPACE);
    ask_end(gate, 0, 0);
    assert_refused(gate, 0, KS_REFUSAL_NO_PUT);
}

static void what_the_disk_refuses_is_told_to_the_end(void **state)
{
    struct gate *gate = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    gate->store.later = true;
    add_put(&bytes, "a", PUT_ID, NO_FLAGS, SIZE);
    fake_connection_send_only(&gate->peers[0], bytes.bytes, bytes.size);
    ks_buffer_free(&bytes);
    assert_true(gate_step(gate, 1)); /* it is open, and goes on */
    gate->store.next_failure = KS_IO;
    gate_run(gate);
    assert_opened(gate, 0, 0, false);
    assert_position(gate, 0, SIZE); /* it was taken, and not written */
    assert_refused(gate, 0, KS_REFUSAL_TROUBLE);
    assert_null(kept(gate, "a"));
}

static void limits_are_told_apart(void **state)
{
    struct gate *gate = *state;
    gate->limits.user_files = 1;
    keep(gate, "one", 10, true);
    ask_open(gate, 0, "two", PUT_ID, NO_FLAGS, 1);
    assert_refused(gate, 0, KS_REFUSAL_QUOTA);
    assert_true(logged(gate, "cannot take \"two\": "));
    assert_true(logged(gate, "(user-files)"));
    gate->limits.user_files = 0;
    gate->limits.user_bytes = 1000;
    ask_open(gate, 0, "two", PUT_ID, NO_FLAGS, 991);
    assert_refused(gate, 0, KS_REFUSAL_QUOTA);
    assert_true(logged(gate, "(user-bytes)"));
    gate->limits.user_bytes = 0;
    gate->limits.free_space = FAKE_DISK_SIZE + 1;
    ask_open(gate, 0, "two", PUT_ID, NO_FLAGS, 1);
    assert_refused(gate, 0, KS_REFUSAL_NO_SPACE);
    assert_true(logged(gate, "(free-space)"));
}

static void limits_of_puts_are_told_apart(void **state)
{
    struct gate *gate = *state;
    join(gate, 1);
    begin_put(gate, 1, "a", 300, SIZE);
    gate->limits.user_puts = 1;
    ask_open(gate, 0, "b", OTHER_PUT_ID, NO_FLAGS, 1);
    assert_refused(gate, 0, KS_REFUSAL_QUOTA);
    assert_true(logged(gate, "(uploads-per-user)"));
    gate->limits.user_puts = 0;
    gate->limits.puts = 1;
    ask_open(gate, 0, "b", OTHER_PUT_ID, NO_FLAGS, 1);
    assert_refused(gate, 0, KS_REFUSAL_TROUBLE); /* nothing that she could do about */
    assert_true(logged(gate, "(uploads)"));
}

static void a_quota_that_is_met_meanwhile_is_told_at_the_end(void **state)
{
    struct gate *gate = *state;
    begin_put(gate, 0, "a", SIZE, SIZE);
    gate->limits.user_bytes = SIZE - 1;
    ask_end(gate, 0, cksum_of_first(SIZE));
    assert_refused(gate, 0, KS_REFUSAL_QUOTA);
    assert_true(logged(gate, "cannot keep \"a\": "));
    gate->limits.user_bytes = 0;
    assert_goes_on(gate, 0, "a", SIZE, SIZE);
}

/* ---- memory ---- */

/* Somebody else waits for the memory of a put that is idle. */
static void a_put_between_two_pieces_is_cut_for_others(void **state)
{
    struct gate *gate = *state;
    struct ks_holder other;
    struct ks_budget *budget = &gate->loops[0].contents;
    begin_put(gate, 0, "a", 300, SIZE);
    size_t held = atomic_load(&budget->used);
    assert_in_range(held, 300, 4096);
    ks_holder_init(&other, budget, &gate->loops[0].loop.executor, NULL);
    assert_true(ks_holder_take(&other, GATE_BUFFER - held));
    ks_holder_give(&other, GATE_BUFFER - held);
    fake_connection_wait(&gate->peers[0], KS_HOLDER_PATIENCE_MS + 1000);
    join(gate, 1);
    assert_true(ks_holder_take(&other, GATE_BUFFER - held)); /* all that is left … */
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_open(&bytes, "b", OTHER_PUT_ID, NO_FLAGS, 10);
    add_piece(&bytes, 0, 10); /* … so this one waits, and presses */
    send_all(gate, 1, &bytes, 0);
    assert_opened(gate, 1, 0, false);
    assert_hears_nothing(gate, 1);
    fake_connection_wait(&gate->peers[1], KS_HOLDER_PRESS_MS + 200);
    gate_run(gate);
    assert_position(gate, 1, 10);
    assert_true(logged(gate, "comes most slowly"));
    ask_piece(gate, 0, 300, SIZE);
    assert_refused(gate, 0, KS_REFUSAL_NO_PUT);
    ks_holder_give(&other, GATE_BUFFER - held);
    assert_true(ks_holder_end(&other));
    assert_goes_on(gate, 0, "a", 300, SIZE); /* it was parked with all that came */
}

/* ---- the account goes ---- */

static void nobody_asks(struct ks_store_request *request)
{
    assert_int_equal(request->result, KS_OK);
}

static void the_puts_of_an_account_that_is_removed_end(void **state)
{
    struct gate *gate = *state;
    const struct person person = alice();
    join(gate, 1);
    begin_put(gate, 0, "a", 300, SIZE);
    const struct sent removal = removal_for(gate, 1, &person);
    send_it(gate, 1, &removal);
    assert_told(gate, 1, KS_RESPONSE_ACCOUNT_REMOVED);
    assert_true(gate->peers[0].aborted);
    gate_close(gate, 0);
    assert_int_equal(gate->store.open_stages, 0);
    assert_int_equal(parked(gate), 0);
}

static void the_end_of_a_put_whose_account_went_is_refused(void **state)
{
    struct gate *gate = *state;
    struct ks_store_remove_user removal = {.name = "alice"};
    begin_put(gate, 0, "a", SIZE, SIZE);
    removal.request.reply_to = &gate->loops[0].loop.executor;
    removal.request.done = nobody_asks;
    ks_store_remove_user(&gate->store.store, &removal);
    ask_end(gate, 0, cksum_of_first(SIZE));
    assert_refused(gate, 0, KS_REFUSAL_NO_PUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES_TEST(behind_a_put_that_is_refused_nothing_is_written),
        FILES_TEST(without_a_put_there_are_no_pieces_and_no_end),
        FILES_TEST(an_end_before_all_has_come_is_refused),
        FILES_TEST(a_piece_of_a_wrong_size_ends_the_put),
        FILES_TEST(a_piece_over_the_limit_ends_the_connection),
        FILES_TEST(a_put_is_open_on_one_connection),
        FILES_TEST(a_name_that_no_file_may_have_is_refused),
        FILES_TEST(content_with_another_cksum_is_forgotten),
        FILES_TEST(a_name_that_is_taken_meanwhile_is_told_at_the_end),
        FILES_TEST(what_the_disk_refuses_is_told_to_the_next_piece),
        FILES_TEST(what_the_disk_refuses_of_a_piece_is_told_to_it),
        FILES_TEST(what_the_disk_refuses_is_told_to_the_end),
        FILES_TEST(limits_are_told_apart),
        FILES_TEST(limits_of_puts_are_told_apart),
        FILES_TEST(a_quota_that_is_met_meanwhile_is_told_at_the_end),
        FILES_TEST(a_put_between_two_pieces_is_cut_for_others),
        FILES_TEST(the_puts_of_an_account_that_is_removed_end),
        FILES_TEST(the_end_of_a_put_whose_account_went_is_refused),
    };
    return cmocka_run_group_tests_name("puts_refused", tests, NULL, NULL);
}
