/* contract_output.c — net/connection.h: what is written, and when there is room for more. */
#include "unit/net/contract/contract_cases.h"

/* ---- output ---- */

static void what_is_written_arrives_in_order_however_it_was_written(void **state)
{
    struct contract_line *line = *state;
    struct ks_shared *shared = line_shared_text("0123456789");
    line_open(line);
    line_write(line, "a");
    assert_true(ks_connection_write_apart(line->connection, "b", 1));
    assert_true(ks_connection_write_shared(line->connection, shared, 3, 4, false));
    assert_true(ks_connection_write_shared(line->connection, shared, 0, 2, true));
    ks_shared_release(shared);
    line_write(line, "c");
    assert_int_equal(ks_connection_written(line->connection), 9);
    line_assert_got(line, "ab345601c");
}

static void what_is_written_waits_until_the_loop_has_handled_what_is_at_hand(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    line_write(line, "abc");
    assert_int_equal(ks_connection_output_waiting(line->connection), 3);
    assert_true(ks_connection_output_memory(line->connection) >= 3);
    line_assert_got(line, "abc");
    assert_int_equal(ks_connection_output_waiting(line->connection), 0);
    assert_int_equal(ks_connection_output_memory(line->connection), 0);
    assert_int_equal(ks_connection_written(line->connection), 3);
}

static void flush_sends_at_once(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    line_write(line, "abc");
    ks_connection_flush(line->connection);
    assert_int_equal(ks_connection_output_waiting(line->connection), 0);
    line_assert_got(line, "abc");
}

static void output_is_full_above_the_high_water_mark(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    assert_false(ks_connection_output_is_full(line->connection));
    line_write_much(line, KS_OUTPUT_HIGH_WATER);
    assert_false(ks_connection_output_is_full(line->connection));
    line_write(line, "x");
    assert_true(ks_connection_output_is_full(line->connection));
    line->harness->take(line, KS_OUTPUT_HIGH_WATER + 1);
}

static void check_room(struct contract_line *line)
{
    assert_in_range(ks_connection_output_waiting(line->connection), 0, KS_OUTPUT_LOW_WATER);
    assert_false(ks_connection_output_is_full(line->connection));
}

static void drained_comes_once_when_output_has_fallen_to_the_low_water_mark(void **state)
{
    struct contract_line *line = *state;
    line->on_drained = check_room;
    line_open(line);
    line->harness->stall(line);
    line_write_much(line, MUCH);
    line_turns(line);
    assert_true(ks_connection_output_is_full(line->connection));
    assert_string_equal(line->events, "O");
    line->harness->take(line, MUCH);
    line_await(line, "OD");
    line_turns(line);
    assert_string_equal(line->events, "OD");
    uint8_t *bytes = line_pattern(MUCH);
    assert_memory_equal(line->got.bytes, bytes, MUCH);
    free(bytes);
}

static void drained_does_not_come_for_less_than_the_low_water_mark(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    line_write_much(line, KS_OUTPUT_LOW_WATER);
    line->harness->take(line, KS_OUTPUT_LOW_WATER);
    line_turns(line);
    assert_string_equal(line->events, "O");
}

static void drained_may_come_inside_flush(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    line_write_much(line, KS_OUTPUT_LOW_WATER + 1);
    ks_connection_flush(line->connection);
    line->harness->take(line, KS_OUTPUT_LOW_WATER + 1);
    line_await(line, "OD");
}

static void write_more_once(struct contract_line *line)
{
    line->on_drained = NULL;
    line_write(line, "more");
}

static void a_service_may_write_inside_drained(void **state)
{
    struct contract_line *line = *state;
    line->on_drained = write_more_once;
    line_open(line);
    line->harness->stall(line);
    line_write_much(line, MUCH);
    line->harness->take(line, MUCH + 4);
    assert_memory_equal(line->got.bytes + MUCH, "more", 4);
    assert_string_equal(line->events, "OD");
}

static void shut_lets_output_out_then_our_end_and_input_still_in(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    line_write(line, "the last");
    ks_connection_shut(line->connection);
    ks_connection_shut(line->connection);
    line_assert_got(line, "the last");
    line->harness->await_our_end(line);
    line_send(line, "abc");
    line_assert_input(line, "abc");
    line->harness->end(line);
    line_await(line, "ORE");
}

static const struct contract_case cases[] = {
    CASE(what_is_written_arrives_in_order_however_it_was_written),
    CASE(what_is_written_waits_until_the_loop_has_handled_what_is_at_hand),
    CASE(flush_sends_at_once),
    CASE(output_is_full_above_the_high_water_mark),
    CASE(drained_comes_once_when_output_has_fallen_to_the_low_water_mark),
    CASE(drained_does_not_come_for_less_than_the_low_water_mark),
    CASE(drained_may_come_inside_flush),
    CASE(a_service_may_write_inside_drained),
    CASE(shut_lets_output_out_then_our_end_and_input_still_in),
};

const struct contract_subject contract_output = {"output", cases, KS_COUNT_OF(cases)};
