/* contract_input.c — net/connection.h: the order of events, what is received, and the peer's end. */
#include "unit/net/contract/contract_cases.h"

/* ---- order ---- */

static void opened_is_the_first_event_and_closed_the_last(void **state)
{
    struct contract_line *line = *state;
    line->on_ended = line_finish;
    line_open(line);
    line_send(line, "hello");
    line->harness->end(line);
    line_await(line, "OREC");
    line_turns(line);
    assert_string_equal(line->events, "OREC");
}

static void a_service_that_refuses_hears_nothing_more(void **state)
{
    struct contract_line *line = *state;
    line->refuses = true;
    line_open(line);
    line_turns(line);
    assert_string_equal(line->events, "O");
}

static void write_and_remind(struct contract_line *line)
{
    line_write(line, "we are full");
    ks_connection_set_deadline(line->connection, 1);
    ks_connection_set_reminder(line->connection, 1);
    ks_connection_watch_delivery(line->connection, 1);
}

static void a_service_that_refuses_may_have_begun_something_before(void **state)
{
    struct contract_line *line = *state;
    line->refuses = true;
    line->on_opened = write_and_remind;
    line_open(line);
    line->harness->pass(line, LONG_MS);
    line_turns(line);
    assert_string_equal(line->events, "O");
}

static void finish_inside_opened_ends_the_connection(void **state)
{
    struct contract_line *line = *state;
    line->on_opened = line_finish;
    line_open(line);
    line->harness->await_our_end(line);
    line->harness->end(line);
    line_await(line, "OC");
}

static void abort_inside_opened_ends_the_connection(void **state)
{
    struct contract_line *line = *state;
    line->on_opened = line_abort;
    line_open(line);
    line_await(line, "OC");
}

static void a_service_may_leave_out_what_is_optional(void **state)
{
    struct contract_line *line = *state;
    line->on_ended = line_finish;
    line->harness->open(line, &line_least_events);
    line_await(line, "O");
    line->harness->stall(line);
    line_write_much(line, MUCH);
    ks_connection_watch_delivery(line->connection, MUCH);
    line->harness->take(line, MUCH);
    ks_connection_set_reminder(line->connection, 100);
    line->harness->pass(line, LONG_MS);
    line_send(line, "hello");
    line->harness->end(line);
    line_await(line, "OREC");
}

/* ---- input ---- */

static void input_arrives_whole_and_in_order(void **state)
{
    struct contract_line *line = *state;
    uint8_t *bytes = line_pattern(MUCH);
    line_open(line);
    line->harness->send(line, bytes, MUCH);
    while (line->input.size < MUCH)
        line_turn(line);
    assert_int_equal(line->input.size, MUCH);
    assert_memory_equal(line->input.bytes, bytes, MUCH);
    assert_string_equal(line->events, "OR");
    free(bytes);
}

static void input_goes_where_the_service_wants_it(void **state)
{
    struct contract_line *line = *state;
    uint8_t room[3];
    line->room = room;
    line->room_size = sizeof room;
    line_open(line);
    line_send(line, "not all at once");
    line_assert_input(line, "not all at once");
}

static void input_goes_anywhere_again_when_the_service_wants_no_place(void **state)
{
    struct contract_line *line = *state;
    uint8_t room[3];
    line->room = room;
    line->room_size = sizeof room;
    line_open(line);
    line_send(line, "abc");
    line_assert_input(line, "abc");
    line->room = NULL;
    line->room_size = 0;
    line_send(line, "def");
    line_assert_input(line, "abcdef");
}

static void what_was_left_comes_again_after_resume_and_before_anything_newer(void **state)
{
    struct contract_line *line = *state;
    line->appetite = 2;
    line_open(line);
    line_send(line, "abcd");
    line_assert_input(line, "ab");
    line_send(line, "ef");
    line_turns(line);
    line_assert_input(line, "ab");
    line->appetite = SIZE_MAX;
    ks_connection_resume(line->connection);
    line_assert_input(line, "abcdef");
}

static void what_was_left_may_be_left_again(void **state)
{
    struct contract_line *line = *state;
    line->appetite = 1;
    line_open(line);
    line_send(line, "abc");
    line_assert_input(line, "a");
    for (size_t size = 2; size <= 3; size++) {
        line->appetite = 1;
        ks_connection_resume(line->connection);
        while (line->input.size < size)
            line_turn(line);
        line_turns(line);
        assert_int_equal(line->input.size, size);
    }
    line_assert_input(line, "abc");
}

static void while_paused_nothing_is_received(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    ks_connection_pause(line->connection);
    line_send(line, "abc");
    line_turns(line);
    assert_string_equal(line->events, "O");
    ks_connection_resume(line->connection);
    line_assert_input(line, "abc");
}

static void pause_inside_received_holds_for_what_comes_next(void **state)
{
    struct contract_line *line = *state;
    line->on_received = line_pause;
    line_open(line);
    line_send(line, "abc");
    line_assert_input(line, "abc");
    line_send(line, "def");
    line_turns(line);
    line_assert_input(line, "abc");
    line->on_received = NULL;
    ks_connection_resume(line->connection);
    line_assert_input(line, "abcdef");
}

static void pause_and_resume_may_be_repeated(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    ks_connection_resume(line->connection);
    ks_connection_pause(line->connection);
    ks_connection_pause(line->connection);
    ks_connection_resume(line->connection);
    ks_connection_resume(line->connection);
    line_send(line, "abc");
    line_assert_input(line, "abc");
    assert_string_equal(line->events, "OR");
}

static void resume_never_calls_received_from_inside(void **state)
{
    struct contract_line *line = *state;
    line->appetite = 1;
    line_open(line);
    line_send(line, "abc");
    line_assert_input(line, "a");
    line->appetite = SIZE_MAX;
    ks_connection_resume(line->connection);
    assert_int_equal(line->input.size, 1);
    line_assert_input(line, "abc");
}

/* ---- the peer's end ---- */

static void the_end_comes_behind_all_input_and_once(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    line_send(line, "abc");
    line->harness->end(line);
    line_await(line, "ORE");
    line_assert_input(line, "abc");
    line_turns(line);
    assert_string_equal(line->events, "ORE");
}

static void the_end_waits_while_paused(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    ks_connection_pause(line->connection);
    line->harness->end(line);
    line_turns(line);
    assert_string_equal(line->events, "O");
    ks_connection_resume(line->connection);
    line_await(line, "OE");
}

static void the_end_waits_for_what_was_left(void **state)
{
    struct contract_line *line = *state;
    line->appetite = 1;
    line_open(line);
    line_send(line, "abc");
    line_assert_input(line, "a");
    line->harness->end(line);
    line_turns(line);
    assert_string_equal(line->events, "OR");
    line->appetite = SIZE_MAX;
    ks_connection_resume(line->connection);
    line_await(line, "ORE");
    line_assert_input(line, "abc");
}

static void output_still_goes_out_after_the_peers_end(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    line->harness->end(line);
    line_await(line, "OE");
    line_write(line, "answer");
    line_assert_got(line, "answer");
    line_finish(line);
    line_await(line, "OEC");
}

static void a_reset_is_closed_without_an_end(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    line->harness->reset(line);
    line_await(line, "OC");
}

static void a_reset_is_known_before_an_event_tells_it(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    assert_false(ks_connection_is_broken(line->connection));
    ks_connection_pause(line->connection);
    line->harness->reset(line);
    assert_true(ks_connection_is_broken(line->connection));
    assert_string_equal(line->events, "O");
    assert_true(ks_connection_is_broken(line->connection));
    line_await(line, "OC");
}

static void with_a_reminder_a_reset_is_told_though_nothing_is_read(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    ks_connection_pause(line->connection);
    ks_connection_set_reminder(line->connection, LONG_MS);
    line->harness->reset(line);
    line_await(line, "OC");
}

static const struct contract_case cases[] = {
    CASE(opened_is_the_first_event_and_closed_the_last),
    CASE(a_service_that_refuses_hears_nothing_more),
    CASE(a_service_that_refuses_may_have_begun_something_before),
    CASE(finish_inside_opened_ends_the_connection),
    CASE(abort_inside_opened_ends_the_connection),
    CASE(a_service_may_leave_out_what_is_optional),
    CASE(input_arrives_whole_and_in_order),
    CASE(input_goes_where_the_service_wants_it),
    CASE(input_goes_anywhere_again_when_the_service_wants_no_place),
    CASE(what_was_left_comes_again_after_resume_and_before_anything_newer),
    CASE(what_was_left_may_be_left_again),
    CASE(while_paused_nothing_is_received),
    CASE(pause_inside_received_holds_for_what_comes_next),
    CASE(pause_and_resume_may_be_repeated),
    CASE(resume_never_calls_received_from_inside),
    CASE(the_end_comes_behind_all_input_and_once),
    CASE(the_end_waits_while_paused),
    CASE(the_end_waits_for_what_was_left),
    CASE(output_still_goes_out_after_the_peers_end),
    CASE(a_reset_is_closed_without_an_end),
    CASE(a_reset_is_known_before_an_event_tells_it),
    CASE(with_a_reminder_a_reset_is_told_though_nothing_is_read),
};

const struct contract_subject contract_input = {"input", cases, KS_COUNT_OF(cases)};
