/* contract_time.c — net/connection.h: deadlines and reminders, what was delivered, and what a loop brings. */
#include "unit/net/contract/contract_cases.h"

/* ---- time ---- */

static void a_deadline_comes_once(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    ks_connection_set_deadline(line->connection, 1000);
    line_turns(line);
    assert_string_equal(line->events, "O");
    line->harness->pass(line, 2000);
    assert_string_equal(line->events, "OT");
    line->harness->pass(line, LONG_MS);
    assert_string_equal(line->events, "OT");
}

static void a_deadline_of_zero_is_none(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    ks_connection_set_deadline(line->connection, 1000);
    ks_connection_set_deadline(line->connection, 0);
    line->harness->pass(line, LONG_MS);
    assert_string_equal(line->events, "O");
}

static void a_new_deadline_replaces_the_old_one(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    ks_connection_set_deadline(line->connection, 1000);
    ks_connection_set_deadline(line->connection, LONG_MS);
    line->harness->pass(line, LONG_MS / 2);
    assert_string_equal(line->events, "O");
    line->harness->pass(line, LONG_MS);
    assert_string_equal(line->events, "OT");
}

static void set_deadline_once_more(struct contract_line *line)
{
    line->on_deadline = NULL;
    ks_connection_set_deadline(line->connection, 1000);
}

static void a_deadline_may_be_set_inside_the_last_one(void **state)
{
    struct contract_line *line = *state;
    line->on_deadline = set_deadline_once_more;
    line_open(line);
    ks_connection_set_deadline(line->connection, 1000);
    line->harness->pass(line, 2000);
    assert_string_equal(line->events, "OT");
    line->harness->pass(line, 2000);
    assert_string_equal(line->events, "OTT");
}

static void finish_inside_a_deadline_ends_the_connection(void **state)
{
    struct contract_line *line = *state;
    line->on_deadline = line_finish;
    line_open(line);
    ks_connection_set_deadline(line->connection, 1000);
    line->harness->pass(line, 2000);
    line->harness->await_our_end(line);
    line->harness->end(line);
    line_await(line, "OTC");
}

static void a_reminder_comes_once_and_beside_the_deadline(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    ks_connection_set_deadline(line->connection, LONG_MS);
    ks_connection_set_reminder(line->connection, 1000);
    line->harness->pass(line, 2000);
    assert_string_equal(line->events, "OM");
    line->harness->pass(line, LONG_MS);
    assert_string_equal(line->events, "OMT");
}

static void a_reminder_of_zero_is_none(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    ks_connection_set_reminder(line->connection, 0);
    ks_connection_set_reminder(line->connection, 1000);
    ks_connection_set_reminder(line->connection, 0);
    line->harness->pass(line, LONG_MS);
    assert_string_equal(line->events, "O");
}

static void a_reminder_still_comes_after_finish(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    ks_connection_set_reminder(line->connection, 1000);
    line_finish(line);
    line->harness->await_our_end(line);
    line->harness->pass(line, 2000);
    assert_string_equal(line->events, "OM");
    line->harness->end(line);
    line_await(line, "OMC");
}

/* ---- delivery ---- */

static void what_the_peer_has_acknowledged_is_delivered_once(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    line_write(line, "abc");
    ks_connection_watch_delivery(line->connection, 3);
    assert_string_equal(line->events, "O");
    line_assert_got(line, "abc");
    line_await(line, "OV");
    assert_int_equal(ks_connection_delivered_up_to(line->connection), 3);
    line_write(line, "def");
    line_assert_got(line, "abcdef");
    while (ks_connection_delivered_up_to(line->connection) < 6)
        line_turn(line);
    line_turns(line);
    assert_string_equal(line->events, "OV");
}

static void what_was_delivered_before_it_is_watched_is_told_too(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    line_write(line, "abc");
    line_assert_got(line, "abc");
    while (ks_connection_delivered_up_to(line->connection) < 3)
        line_turn(line);
    ks_connection_watch_delivery(line->connection, 3);
    assert_string_equal(line->events, "O");
    line_await(line, "OV");
}

static void what_is_watched_before_it_is_written_is_told_when_it_was(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    line_write(line, "abc");
    ks_connection_watch_delivery(line->connection, 6);
    line_assert_got(line, "abc");
    line_turns(line);
    assert_string_equal(line->events, "O");
    line_write(line, "def");
    line_assert_got(line, "abcdef");
    line_await(line, "OV");
}

static void a_new_watch_replaces_the_old_one(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    line_write(line, "abcdef");
    ks_connection_watch_delivery(line->connection, 3);
    ks_connection_watch_delivery(line->connection, 6);
    line_assert_got(line, "abcdef");
    line_await(line, "OV");
    line->harness->pass(line, LONG_MS);
    assert_string_equal(line->events, "OV");
}

static void a_peer_that_takes_nothing_has_not_got_all(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    line->harness->stall(line);
    line_write_much(line, MUCH);
    ks_connection_watch_delivery(line->connection, MUCH);
    line_turns(line);
    assert_true(ks_connection_delivered_up_to(line->connection) < MUCH);
    assert_string_equal(line->events, "O");
    line->harness->take(line, MUCH);
    while (strchr(line->events, 'V') == NULL)
        line_turn(line);
    assert_int_equal(ks_connection_delivered_up_to(line->connection), MUCH);
}

static void what_was_acknowledged_before_the_peers_end_is_known(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    line_write(line, "abc");
    ks_connection_watch_delivery(line->connection, 3);
    line_assert_got(line, "abc");
    line_await(line, "OV");
    line->harness->end(line);
    line_await(line, "OVE");
    assert_int_equal(ks_connection_delivered_before_end(line->connection), 3);
}

static void what_is_written_after_the_peers_end_was_not_acknowledged_before(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    ks_connection_watch_delivery(line->connection, 3);
    line->harness->end(line);
    line_await(line, "OE");
    line_write(line, "abc");
    line_assert_got(line, "abc");
    line_await(line, "OEV");
    assert_int_equal(ks_connection_delivered_before_end(line->connection), 0);
}

/* ---- turns ---- */

static void write_in_turn(struct contract_line *line)
{
    line_write(line, " and after");
}

static void a_turn_comes_once_and_what_is_written_in_it_goes_out_with_the_rest(void **state)
{
    struct contract_line *line = *state;
    line->on_turn = write_in_turn;
    line_open(line);
    line_write(line, "before");
    ks_connection_want_turn(line->connection);
    ks_connection_want_turn(line->connection);
    assert_string_equal(line->events, "O");
    line_assert_got(line, "before and after");
    line_turns(line);
    assert_string_equal(line->events, "OU");
}

static void a_turn_comes_though_nothing_was_written(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    ks_connection_want_turn(line->connection);
    line_await(line, "OU");
    line_turns(line);
    assert_string_equal(line->events, "OU");
}

static void no_turn_comes_after_the_end(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    ks_connection_want_turn(line->connection);
    line_abort(line);
    line_await(line, "OC");
}

/* ---- the peer, and the rest ---- */

static void a_peer_is_described_in_the_space_that_there_is(void **state)
{
    struct contract_line *line = *state;
    char text[KS_PEER_TEXT_SIZE];
    memset(text, 'x', sizeof text);
    line_open(line);
    ks_connection_describe_peer(line->connection, text, sizeof text);
    const char *port = strrchr(text, ':');
    assert_non_null(memchr(text, '\0', sizeof text));
    assert_non_null(port);
    assert_int_equal(strspn(port + 1, "0123456789"), strlen(port + 1));
}

static void idleness_and_standing_may_be_told_at_any_time(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    for (unsigned standing = 0; standing < KS_STANDINGS; standing++) {
        ks_connection_set_idle(line->connection, standing % 2 == 0);
        ks_connection_set_standing(line->connection, (enum ks_standing)standing);
        ks_connection_set_idle(line->connection, true);
    }
    line_finish(line);
    ks_connection_set_idle(line->connection, true);
    ks_connection_set_standing(line->connection, KS_STANDING_STRANGER);
    line->harness->await_our_end(line);
    line->harness->end(line);
    line_await(line, "OC");
}

static void a_loop_brings_its_budgets_clock_and_log(void **state)
{
    struct contract_line *line = *state;
    line_open(line);
    const struct ks_loop *loop = line->connection->loop;
    assert_non_null(loop->contents);
    assert_non_null(loop->answers);
    assert_ptr_not_equal(loop->contents, loop->answers);
    assert_true(loop->contents->limit > 0 && loop->answers->limit > 0);
    assert_non_null(loop->clock);
    assert_non_null(loop->log);
    assert_in_range(loop->number, 0, KS_LOOPS_LIMIT - 1);
}

static void note_task(struct ks_task *task)
{
    task->run = NULL;
}

static void what_is_posted_to_the_loop_runs_later_and_once(void **state)
{
    struct contract_line *line = *state;
    struct ks_task task = {.run = note_task};
    line_open(line);
    ks_executor_post(&line->connection->loop->executor, &task);
    assert_non_null(task.run);
    while (task.run != NULL)
        line_turn(line);
}

static const struct contract_case cases[] = {
    CASE(a_deadline_comes_once),
    CASE(a_deadline_of_zero_is_none),
    CASE(a_new_deadline_replaces_the_old_one),
    CASE(a_deadline_may_be_set_inside_the_last_one),
    CASE(finish_inside_a_deadline_ends_the_connection),
    CASE(a_reminder_comes_once_and_beside_the_deadline),
    CASE(a_reminder_of_zero_is_none),
    CASE(a_reminder_still_comes_after_finish),
    CASE(what_the_peer_has_acknowledged_is_delivered_once),
    CASE(what_was_delivered_before_it_is_watched_is_told_too),
    CASE(what_is_watched_before_it_is_written_is_told_when_it_was),
    CASE(a_new_watch_replaces_the_old_one),
    CASE(a_peer_that_takes_nothing_has_not_got_all),
    CASE(what_was_acknowledged_before_the_peers_end_is_known),
    CASE(what_is_written_after_the_peers_end_was_not_acknowledged_before),
    CASE(a_turn_comes_once_and_what_is_written_in_it_goes_out_with_the_rest),
    CASE(a_turn_comes_though_nothing_was_written),
    CASE(no_turn_comes_after_the_end),
    CASE(a_peer_is_described_in_the_space_that_there_is),
    CASE(idleness_and_standing_may_be_told_at_any_time),
    CASE(a_loop_brings_its_budgets_clock_and_log),
    CASE(what_is_posted_to_the_loop_runs_later_and_once),
};

const struct contract_subject contract_time = {"time", cases, KS_COUNT_OF(cases)};
