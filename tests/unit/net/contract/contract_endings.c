/* contract_endings.c — net/connection.h: finish, abort, and who wants to know of the end. */
#include "unit/net/contract/contract_cases.h"

/* ---- endings ---- */

static void finish_lets_output_out_then_our_end(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    line_write(line, "refused");
    line_finish(line);
    assert_string_equal(line->events, "O");
    line_assert_got(line, "refused");
    line->harness->await_our_end(line);
    line->harness->end(line);
    line_await(line, "OC");
}

static void finish_lets_a_long_output_out(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    line->harness->stall(line);
    line_write_much(line, MUCH);
    line_finish(line);
    line->harness->take(line, MUCH);
    line->harness->await_our_end(line);
    line->harness->end(line);
    line_await(line, "OC"); /* and no `drained`: nobody could write any more */
}

static void after_finish_input_is_dropped(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    line_finish(line);
    line->harness->await_our_end(line);
    line_send(line, "too late");
    line->harness->end(line);
    line_await(line, "OC");
    assert_int_equal(line->input.size, 0);
}

static void finish_drops_what_was_left(void **state)
{
    struct contract_line *line = *state;
    line->appetite = 1;
    line_open(line);
    line_send(line, "abc");
    line_assert_input(line, "a");
    line_finish(line);
    ks_connection_resume(line->connection);
    line->harness->await_our_end(line);
    line->harness->end(line);
    line_await(line, "ORC");
    line_assert_input(line, "a");
}

static void finish_inside_received_is_the_end_of_input(void **state)
{
    struct contract_line *line = *state;
    line->appetite = 1;
    line->on_received = line_finish;
    line_open(line);
    line_send(line, "abc");
    line_assert_input(line, "a");
    line->harness->await_our_end(line);
    line->harness->end(line);
    line_await(line, "ORC");
    line_assert_input(line, "a");
}

static void what_is_written_after_finish_is_ignored(void **state)
{
    struct contract_line *line = *state;
    struct ks_shared *shared = line_shared_text("x");
    line_open(line);
    line_write(line, "abc");
    line_finish(line);
    line_write(line, "def");
    assert_true(ks_connection_write_apart(line->connection, "x", 1));
    assert_true(ks_connection_write_shared(line->connection, shared, 0, 1, false));
    ks_shared_release(shared);
    assert_int_equal(ks_connection_written(line->connection), 3);
    line->harness->await_our_end(line);
    assert_int_equal(line->got.size, 3);
    line->harness->end(line);
    line_await(line, "OC");
}

static void after_finish_no_deadline_comes(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    ks_connection_set_deadline(line->connection, 1);
    line_finish(line);
    ks_connection_set_deadline(line->connection, 1);
    line_turn(line);
    line->harness->pass(line, 1000);
    assert_string_equal(line->events, "O");
    line->harness->end(line);
    line_await(line, "OC");
}

static void a_connection_may_be_ended_twice(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    line_finish(line);
    line_finish(line);
    line_abort(line);
    line_finish(line);
    line_abort(line);
    assert_string_equal(line->events, "O");
    line_await(line, "OC");
    line_turns(line);
    assert_string_equal(line->events, "OC");
}

static void abort_ends_it_at_once_but_not_inside_the_call(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    line->harness->stall(line);
    line_write_much(line, MUCH);
    line_abort(line);
    assert_string_equal(line->events, "O");
    line_write(line, "ignored");
    line_await(line, "OC");
}

static void abort_inside_received_leaves_the_rest(void **state)
{
    struct contract_line *line = *state;
    line->appetite = 1;
    line->on_received = line_abort;
    line_open(line);
    line_send(line, "abc");
    line_await(line, "ORC");
    line_assert_input(line, "a");
}

static void abort_inside_the_end_closes(void **state)
{
    struct contract_line *line = *state;
    line->on_ended = line_abort;
    line_open(line);
    line->harness->end(line);
    line_await(line, "OEC");
}

static void who_wants_the_end_is_told_it_after_abort(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    ks_connection_want_end(line->connection, true);
    line_abort(line);
    line_turns(line);
    assert_string_equal(line->events, "O");
    line_send(line, "dropped");
    line->harness->end(line);
    line_await(line, "OEC");
    assert_int_equal(line->input.size, 0);
}

static void who_wants_the_end_is_told_it_after_finish(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    ks_connection_want_end(line->connection, true);
    line_finish(line);
    line->harness->await_our_end(line);
    line->harness->end(line);
    line_await(line, "OEC");
}

static void who_wants_the_end_no_longer_is_not_told_it(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    ks_connection_want_end(line->connection, true);
    ks_connection_want_end(line->connection, false);
    line_finish(line);
    line->harness->await_our_end(line);
    line->harness->end(line);
    line_await(line, "OC");
}

static const struct contract_case cases[] = {
    CASE(finish_lets_output_out_then_our_end),
    CASE(finish_lets_a_long_output_out),
    CASE(after_finish_input_is_dropped),
    CASE(finish_drops_what_was_left),
    CASE(finish_inside_received_is_the_end_of_input),
    CASE(what_is_written_after_finish_is_ignored),
    CASE(after_finish_no_deadline_comes),
    CASE(a_connection_may_be_ended_twice),
    CASE(abort_ends_it_at_once_but_not_inside_the_call),
    CASE(abort_inside_received_leaves_the_rest),
    CASE(abort_inside_the_end_closes),
    CASE(who_wants_the_end_is_told_it_after_abort),
    CASE(who_wants_the_end_is_told_it_after_finish),
    CASE(who_wants_the_end_no_longer_is_not_told_it),
};

const struct contract_subject contract_endings = {"endings", cases, KS_COUNT_OF(cases)};
