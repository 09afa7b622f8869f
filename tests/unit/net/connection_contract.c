/* connection_contract.c — see connection_contract.h. */
#include "unit/net/connection_contract.h"

enum { MUCH = 4 * 1024 * 1024, LONG_MS = 60000 };

/* ---- the service ---- */

static void write_down(struct contract_line *line, char event)
{
    size_t count = strlen(line->events);
    if (event == 'R' && count > 0 && line->events[count - 1] == 'R')
        return;
    assert_in_range(count, 0, sizeof line->events - 2);
    line->events[count] = event;
}

/* Never two at a time: but `drained` may come inside a flush. */
static void begin_event(struct contract_line *line, char event)
{
    assert_non_null(line->connection);
    assert_true(line->inside == 0 || event == 'D');
    write_down(line, event);
    line->inside++;
}

static void do_and_end_event(struct contract_line *line, void (*what)(struct contract_line *line))
{
    if (what != NULL)
        what(line);
    line->inside--;
}

static bool line_opened(struct ks_connection *connection, void *service)
{
    struct contract_line *line = service;
    assert_null(line->connection);
    line->connection = connection;
    connection->session = line;
    begin_event(line, 'O');
    do_and_end_event(line, line->on_opened);
    if (line->refuses)
        line->connection = NULL;
    return !line->refuses;
}

static size_t line_receive_buffer(struct ks_connection *connection, uint8_t **buffer)
{
    struct contract_line *line = connection->session;
    *buffer = line->room;
    return line->room_size;
}

static size_t line_received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct contract_line *line = connection->session;
    size_t consumed = size < line->appetite ? size : line->appetite;
    assert_true(size > 0);
    begin_event(line, 'R');
    if (line->room != NULL) {
        assert_ptr_equal(bytes, line->room);
        assert_in_range(size, 1, line->room_size);
    }
    assert_int_equal(ks_buffer_append(&line->input, bytes, consumed), KS_OK);
    line->appetite -= consumed;
    if (consumed < size)
        ks_connection_pause(connection);
    do_and_end_event(line, line->on_received);
    return consumed;
}

static void line_ended(struct ks_connection *connection)
{
    struct contract_line *line = connection->session;
    begin_event(line, 'E');
    do_and_end_event(line, line->on_ended);
}

static void line_drained(struct ks_connection *connection)
{
    struct contract_line *line = connection->session;
    begin_event(line, 'D');
    do_and_end_event(line, line->on_drained);
}

static void line_deadline(struct ks_connection *connection)
{
    struct contract_line *line = connection->session;
    begin_event(line, 'T');
    do_and_end_event(line, line->on_deadline);
}

static void line_delivered(struct ks_connection *connection)
{
    struct contract_line *line = connection->session;
    begin_event(line, 'V');
    do_and_end_event(line, NULL);
}

static void line_reminded(struct ks_connection *connection)
{
    struct contract_line *line = connection->session;
    begin_event(line, 'M');
    do_and_end_event(line, NULL);
}

static void line_closed(struct ks_connection *connection)
{
    struct contract_line *line = connection->session;
    begin_event(line, 'C');
    do_and_end_event(line, NULL);
    line->connection = NULL;
}

static const struct ks_connection_events line_events = {
    .opened = line_opened,
    .receive_buffer = line_receive_buffer,
    .received = line_received,
    .input_ended = line_ended,
    .drained = line_drained,
    .deadline = line_deadline,
    .delivered = line_delivered,
    .reminded = line_reminded,
    .closed = line_closed,
};

/* One that leaves out what is optional. */
static const struct ks_connection_events line_least_events = {
    .opened = line_opened,
    .received = line_received,
    .input_ended = line_ended,
    .deadline = line_deadline,
    .closed = line_closed,
};

/* ---- what cases do ---- */

static int set_up(void **state)
{
    const struct contract_harness *harness = *state;
    struct contract_line *line = calloc(1, sizeof *line);
    assert_non_null(line);
    line->harness = harness;
    line->appetite = SIZE_MAX;
    line->input = ks_buffer_empty(0);
    line->got = ks_buffer_empty(0);
    harness->set_up(line);
    *state = line;
    return 0;
}

static int tear_down(void **state)
{
    struct contract_line *line = *state;
    line->harness->tear_down(line);
    assert_null(line->connection);
    ks_buffer_free(&line->input);
    ks_buffer_free(&line->got);
    free(line);
    return 0;
}

static void turn(struct contract_line *line)
{
    line->harness->turn(line);
}

/* Several, to see that something does not come. */
static void turns(struct contract_line *line)
{
    for (unsigned i = 0; i < 4; i++)
        turn(line);
}

static void open_line(struct contract_line *line)
{
    line->harness->open(line, &line_events);
    while (strchr(line->events, 'O') == NULL)
        turn(line);
}

static void await(struct contract_line *line, const char *events)
{
    while (strlen(line->events) < strlen(events))
        turn(line);
    assert_string_equal(line->events, events);
}

static void send_text(struct contract_line *line, const char *text)
{
    line->harness->send(line, text, strlen(text));
}

static void assert_input(struct contract_line *line, const char *text)
{
    while (line->input.size < strlen(text))
        turn(line);
    assert_int_equal(line->input.size, strlen(text));
    assert_memory_equal(line->input.bytes, text, strlen(text));
}

static void write_text(struct contract_line *line, const char *text)
{
    assert_true(ks_connection_write(line->connection, text, strlen(text)));
}

static void assert_got(struct contract_line *line, const char *text)
{
    line->harness->take(line, strlen(text));
    assert_int_equal(line->got.size, strlen(text));
    assert_memory_equal(line->got.bytes, text, strlen(text));
}

/* Bytes that tell where they stand. */
static uint8_t *pattern(size_t size)
{
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    return bytes;
}

static struct ks_shared *shared_text(const char *text)
{
    struct ks_shared *shared = ks_shared_new(strlen(text));
    assert_non_null(shared);
    memcpy(shared->bytes, text, strlen(text));
    shared->size = strlen(text);
    return shared;
}

static void write_much(struct contract_line *line, size_t size)
{
    uint8_t *bytes = pattern(size);
    assert_true(ks_connection_write(line->connection, bytes, size));
    free(bytes);
}

static void finish(struct contract_line *line)
{
    ks_connection_finish(line->connection);
}

static void abort_line(struct contract_line *line)
{
    ks_connection_abort(line->connection);
}

static void pause_line(struct contract_line *line)
{
    ks_connection_pause(line->connection);
}

/* ---- order ---- */

static void opened_is_the_first_event_and_closed_the_last(void **state)
{
    struct contract_line *line = *state;
    line->on_ended = finish;
    open_line(line);
    send_text(line, "hello");
    line->harness->end(line);
    await(line, "OREC");
    turns(line);
    assert_string_equal(line->events, "OREC");
}

static void a_service_that_refuses_hears_nothing_more(void **state)
{
    struct contract_line *line = *state;
    line->refuses = true;
    open_line(line);
    turns(line);
    assert_string_equal(line->events, "O");
}

static void write_and_remind(struct contract_line *line)
{
    write_text(line, "we are full");
    ks_connection_set_deadline(line->connection, 1);
    ks_connection_set_reminder(line->connection, 1);
    ks_connection_watch_delivery(line->connection, 1);
}

static void a_service_that_refuses_may_have_begun_something_before(void **state)
{
    struct contract_line *line = *state;
    line->refuses = true;
    line->on_opened = write_and_remind;
    open_line(line);
    line->harness->pass(line, LONG_MS);
    turns(line);
    assert_string_equal(line->events, "O");
}

static void finish_inside_opened_ends_the_connection(void **state)
{
    struct contract_line *line = *state;
    line->on_opened = finish;
    open_line(line);
    line->harness->await_our_end(line);
    line->harness->end(line);
    await(line, "OC");
}

static void abort_inside_opened_ends_the_connection(void **state)
{
    struct contract_line *line = *state;
    line->on_opened = abort_line;
    open_line(line);
    await(line, "OC");
}

static void a_service_may_leave_out_what_is_optional(void **state)
{
    struct contract_line *line = *state;
    line->on_ended = finish;
    line->harness->open(line, &line_least_events);
    await(line, "O");
    line->harness->stall(line);
    write_much(line, MUCH);
    ks_connection_watch_delivery(line->connection, MUCH);
    line->harness->take(line, MUCH);
    ks_connection_set_reminder(line->connection, 100);
    line->harness->pass(line, LONG_MS);
    send_text(line, "hello");
    line->harness->end(line);
    await(line, "OREC");
}

/* ---- input ---- */

static void input_arrives_whole_and_in_order(void **state)
{
    struct contract_line *line = *state;
    uint8_t *bytes = pattern(MUCH);
    open_line(line);
    line->harness->send(line, bytes, MUCH);
    while (line->input.size < MUCH)
        turn(line);
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
    open_line(line);
    send_text(line, "not all at once");
    assert_input(line, "not all at once");
}

static void input_goes_anywhere_again_when_the_service_wants_no_place(void **state)
{
    struct contract_line *line = *state;
    uint8_t room[3];
    line->room = room;
    line->room_size = sizeof room;
    open_line(line);
    send_text(line, "abc");
    assert_input(line, "abc");
    line->room = NULL;
    line->room_size = 0;
    send_text(line, "def");
    assert_input(line, "abcdef");
}

static void what_was_left_comes_again_after_resume_and_before_anything_newer(void **state)
{
    struct contract_line *line = *state;
    line->appetite = 2;
    open_line(line);
    send_text(line, "abcd");
    assert_input(line, "ab");
    send_text(line, "ef");
    turns(line);
    assert_input(line, "ab");
    line->appetite = SIZE_MAX;
    ks_connection_resume(line->connection);
    assert_input(line, "abcdef");
}

static void what_was_left_may_be_left_again(void **state)
{
    struct contract_line *line = *state;
    line->appetite = 1;
    open_line(line);
    send_text(line, "abc");
    assert_input(line, "a");
    for (size_t size = 2; size <= 3; size++) {
        line->appetite = 1;
        ks_connection_resume(line->connection);
        while (line->input.size < size)
            turn(line);
        turns(line);
        assert_int_equal(line->input.size, size);
    }
    assert_input(line, "abc");
}

static void while_paused_nothing_is_received(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    ks_connection_pause(line->connection);
    send_text(line, "abc");
    turns(line);
    assert_string_equal(line->events, "O");
    ks_connection_resume(line->connection);
    assert_input(line, "abc");
}

static void pause_inside_received_holds_for_what_comes_next(void **state)
{
    struct contract_line *line = *state;
    line->on_received = pause_line;
    open_line(line);
    send_text(line, "abc");
    assert_input(line, "abc");
    send_text(line, "def");
    turns(line);
    assert_input(line, "abc");
    line->on_received = NULL;
    ks_connection_resume(line->connection);
    assert_input(line, "abcdef");
}

static void pause_and_resume_may_be_repeated(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    ks_connection_resume(line->connection);
    ks_connection_pause(line->connection);
    ks_connection_pause(line->connection);
    ks_connection_resume(line->connection);
    ks_connection_resume(line->connection);
    send_text(line, "abc");
    assert_input(line, "abc");
    assert_string_equal(line->events, "OR");
}

static void resume_never_calls_received_from_inside(void **state)
{
    struct contract_line *line = *state;
    line->appetite = 1;
    open_line(line);
    send_text(line, "abc");
    assert_input(line, "a");
    line->appetite = SIZE_MAX;
    ks_connection_resume(line->connection);
    assert_int_equal(line->input.size, 1);
    assert_input(line, "abc");
}

/* ---- the peer's end ---- */

static void the_end_comes_behind_all_input_and_once(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    send_text(line, "abc");
    line->harness->end(line);
    await(line, "ORE");
    assert_input(line, "abc");
    turns(line);
    assert_string_equal(line->events, "ORE");
}

static void the_end_waits_while_paused(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    ks_connection_pause(line->connection);
    line->harness->end(line);
    turns(line);
    assert_string_equal(line->events, "O");
    ks_connection_resume(line->connection);
    await(line, "OE");
}

static void the_end_waits_for_what_was_left(void **state)
{
    struct contract_line *line = *state;
    line->appetite = 1;
    open_line(line);
    send_text(line, "abc");
    assert_input(line, "a");
    line->harness->end(line);
    turns(line);
    assert_string_equal(line->events, "OR");
    line->appetite = SIZE_MAX;
    ks_connection_resume(line->connection);
    await(line, "ORE");
    assert_input(line, "abc");
}

static void output_still_goes_out_after_the_peers_end(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    line->harness->end(line);
    await(line, "OE");
    write_text(line, "answer");
    assert_got(line, "answer");
    finish(line);
    await(line, "OEC");
}

static void a_reset_is_closed_without_an_end(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    line->harness->reset(line);
    await(line, "OC");
}

static void a_reset_is_known_before_an_event_tells_it(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    assert_false(ks_connection_is_broken(line->connection));
    ks_connection_pause(line->connection);
    line->harness->reset(line);
    assert_true(ks_connection_is_broken(line->connection));
    assert_string_equal(line->events, "O");
    assert_true(ks_connection_is_broken(line->connection));
    await(line, "OC");
}

static void with_a_reminder_a_reset_is_told_though_nothing_is_read(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    ks_connection_pause(line->connection);
    ks_connection_set_reminder(line->connection, LONG_MS);
    line->harness->reset(line);
    await(line, "OC");
}

/* ---- output ---- */

static void what_is_written_arrives_in_order_however_it_was_written(void **state)
{
    struct contract_line *line = *state;
    struct ks_shared *shared = shared_text("0123456789");
    open_line(line);
    write_text(line, "a");
    assert_true(ks_connection_write_apart(line->connection, "b", 1));
    assert_true(ks_connection_write_shared(line->connection, shared, 3, 4, false));
    assert_true(ks_connection_write_shared(line->connection, shared, 0, 2, true));
    ks_shared_release(shared);
    write_text(line, "c");
    assert_int_equal(ks_connection_written(line->connection), 9);
    assert_got(line, "ab345601c");
}

static void what_is_written_waits_until_the_loop_has_handled_what_is_at_hand(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    write_text(line, "abc");
    assert_int_equal(ks_connection_output_waiting(line->connection), 3);
    assert_true(ks_connection_output_memory(line->connection) >= 3);
    assert_got(line, "abc");
    assert_int_equal(ks_connection_output_waiting(line->connection), 0);
    assert_int_equal(ks_connection_output_memory(line->connection), 0);
    assert_int_equal(ks_connection_written(line->connection), 3);
}

static void flush_sends_at_once(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    write_text(line, "abc");
    ks_connection_flush(line->connection);
    assert_int_equal(ks_connection_output_waiting(line->connection), 0);
    assert_got(line, "abc");
}

static void output_is_full_above_the_high_water_mark(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    assert_false(ks_connection_output_is_full(line->connection));
    write_much(line, KS_OUTPUT_HIGH_WATER);
    assert_false(ks_connection_output_is_full(line->connection));
    write_text(line, "x");
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
    open_line(line);
    line->harness->stall(line);
    write_much(line, MUCH);
    turns(line);
    assert_true(ks_connection_output_is_full(line->connection));
    assert_string_equal(line->events, "O");
    line->harness->take(line, MUCH);
    await(line, "OD");
    turns(line);
    assert_string_equal(line->events, "OD");
    uint8_t *bytes = pattern(MUCH);
    assert_memory_equal(line->got.bytes, bytes, MUCH);
    free(bytes);
}

static void drained_does_not_come_for_less_than_the_low_water_mark(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    write_much(line, KS_OUTPUT_LOW_WATER);
    line->harness->take(line, KS_OUTPUT_LOW_WATER);
    turns(line);
    assert_string_equal(line->events, "O");
}

static void drained_may_come_inside_flush(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    write_much(line, KS_OUTPUT_LOW_WATER + 1);
    ks_connection_flush(line->connection);
    line->harness->take(line, KS_OUTPUT_LOW_WATER + 1);
    await(line, "OD");
}

static void write_more_once(struct contract_line *line)
{
    line->on_drained = NULL;
    write_text(line, "more");
}

static void a_service_may_write_inside_drained(void **state)
{
    struct contract_line *line = *state;
    line->on_drained = write_more_once;
    open_line(line);
    line->harness->stall(line);
    write_much(line, MUCH);
    line->harness->take(line, MUCH + 4);
    assert_memory_equal(line->got.bytes + MUCH, "more", 4);
    assert_string_equal(line->events, "OD");
}

static void shut_lets_output_out_then_our_end_and_input_still_in(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    write_text(line, "the last");
    ks_connection_shut(line->connection);
    ks_connection_shut(line->connection);
    assert_got(line, "the last");
    line->harness->await_our_end(line);
    send_text(line, "abc");
    assert_input(line, "abc");
    line->harness->end(line);
    await(line, "ORE");
}

/* ---- endings ---- */

static void finish_lets_output_out_then_our_end(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    write_text(line, "refused");
    finish(line);
    assert_string_equal(line->events, "O");
    assert_got(line, "refused");
    line->harness->await_our_end(line);
    line->harness->end(line);
    await(line, "OC");
}

static void finish_lets_a_long_output_out(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    line->harness->stall(line);
    write_much(line, MUCH);
    finish(line);
    line->harness->take(line, MUCH);
    line->harness->await_our_end(line);
    line->harness->end(line);
    await(line, "OC"); /* and no `drained`: nobody could write any more */
}

static void after_finish_input_is_dropped(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    finish(line);
    line->harness->await_our_end(line);
    send_text(line, "too late");
    line->harness->end(line);
    await(line, "OC");
    assert_int_equal(line->input.size, 0);
}

static void finish_drops_what_was_left(void **state)
{
    struct contract_line *line = *state;
    line->appetite = 1;
    open_line(line);
    send_text(line, "abc");
    assert_input(line, "a");
    finish(line);
    ks_connection_resume(line->connection);
    line->harness->await_our_end(line);
    line->harness->end(line);
    await(line, "ORC");
    assert_input(line, "a");
}

static void finish_inside_received_is_the_end_of_input(void **state)
{
    struct contract_line *line = *state;
    line->appetite = 1;
    line->on_received = finish;
    open_line(line);
    send_text(line, "abc");
    assert_input(line, "a");
    line->harness->await_our_end(line);
    line->harness->end(line);
    await(line, "ORC");
    assert_input(line, "a");
}

static void what_is_written_after_finish_is_ignored(void **state)
{
    struct contract_line *line = *state;
    struct ks_shared *shared = shared_text("x");
    open_line(line);
    write_text(line, "abc");
    finish(line);
    write_text(line, "def");
    assert_true(ks_connection_write_apart(line->connection, "x", 1));
    assert_true(ks_connection_write_shared(line->connection, shared, 0, 1, false));
    ks_shared_release(shared);
    assert_int_equal(ks_connection_written(line->connection), 3);
    line->harness->await_our_end(line);
    assert_int_equal(line->got.size, 3);
    line->harness->end(line);
    await(line, "OC");
}

static void after_finish_no_deadline_comes(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    ks_connection_set_deadline(line->connection, 1);
    finish(line);
    ks_connection_set_deadline(line->connection, 1);
    turn(line);
    line->harness->pass(line, 1000);
    assert_string_equal(line->events, "O");
    line->harness->end(line);
    await(line, "OC");
}

static void a_connection_may_be_ended_twice(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    finish(line);
    finish(line);
    abort_line(line);
    finish(line);
    abort_line(line);
    assert_string_equal(line->events, "O");
    await(line, "OC");
    turns(line);
    assert_string_equal(line->events, "OC");
}

static void abort_ends_it_at_once_but_not_inside_the_call(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    line->harness->stall(line);
    write_much(line, MUCH);
    abort_line(line);
    assert_string_equal(line->events, "O");
    write_text(line, "ignored");
    await(line, "OC");
}

static void abort_inside_received_leaves_the_rest(void **state)
{
    struct contract_line *line = *state;
    line->appetite = 1;
    line->on_received = abort_line;
    open_line(line);
    send_text(line, "abc");
    await(line, "ORC");
    assert_input(line, "a");
}

static void abort_inside_the_end_closes(void **state)
{
    struct contract_line *line = *state;
    line->on_ended = abort_line;
    open_line(line);
    line->harness->end(line);
    await(line, "OEC");
}

static void who_wants_the_end_is_told_it_after_abort(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    ks_connection_want_end(line->connection, true);
    abort_line(line);
    turns(line);
    assert_string_equal(line->events, "O");
    send_text(line, "dropped");
    line->harness->end(line);
    await(line, "OEC");
    assert_int_equal(line->input.size, 0);
}

static void who_wants_the_end_is_told_it_after_finish(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    ks_connection_want_end(line->connection, true);
    finish(line);
    line->harness->await_our_end(line);
    line->harness->end(line);
    await(line, "OEC");
}

static void who_wants_the_end_no_longer_is_not_told_it(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    ks_connection_want_end(line->connection, true);
    ks_connection_want_end(line->connection, false);
    finish(line);
    line->harness->await_our_end(line);
    line->harness->end(line);
    await(line, "OC");
}

/* ---- time ---- */

static void a_deadline_comes_once(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    ks_connection_set_deadline(line->connection, 1000);
    turns(line);
    assert_string_equal(line->events, "O");
    line->harness->pass(line, 2000);
    assert_string_equal(line->events, "OT");
    line->harness->pass(line, LONG_MS);
    assert_string_equal(line->events, "OT");
}

static void a_deadline_of_zero_is_none(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    ks_connection_set_deadline(line->connection, 1000);
    ks_connection_set_deadline(line->connection, 0);
    line->harness->pass(line, LONG_MS);
    assert_string_equal(line->events, "O");
}

static void a_new_deadline_replaces_the_old_one(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
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
    open_line(line);
    ks_connection_set_deadline(line->connection, 1000);
    line->harness->pass(line, 2000);
    assert_string_equal(line->events, "OT");
    line->harness->pass(line, 2000);
    assert_string_equal(line->events, "OTT");
}

static void finish_inside_a_deadline_ends_the_connection(void **state)
{
    struct contract_line *line = *state;
    line->on_deadline = finish;
    open_line(line);
    ks_connection_set_deadline(line->connection, 1000);
    line->harness->pass(line, 2000);
    line->harness->await_our_end(line);
    line->harness->end(line);
    await(line, "OTC");
}

static void a_reminder_comes_once_and_beside_the_deadline(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
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
    open_line(line);
    ks_connection_set_reminder(line->connection, 0);
    ks_connection_set_reminder(line->connection, 1000);
    ks_connection_set_reminder(line->connection, 0);
    line->harness->pass(line, LONG_MS);
    assert_string_equal(line->events, "O");
}

static void a_reminder_still_comes_after_finish(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    ks_connection_set_reminder(line->connection, 1000);
    finish(line);
    line->harness->await_our_end(line);
    line->harness->pass(line, 2000);
    assert_string_equal(line->events, "OM");
    line->harness->end(line);
    await(line, "OMC");
}

/* ---- delivery ---- */

static void what_the_peer_has_acknowledged_is_delivered_once(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    write_text(line, "abc");
    ks_connection_watch_delivery(line->connection, 3);
    assert_string_equal(line->events, "O");
    assert_got(line, "abc");
    await(line, "OV");
    assert_int_equal(ks_connection_delivered_up_to(line->connection), 3);
    write_text(line, "def");
    assert_got(line, "abcdef");
    while (ks_connection_delivered_up_to(line->connection) < 6)
        turn(line);
    turns(line);
    assert_string_equal(line->events, "OV");
}

static void what_was_delivered_before_it_is_watched_is_told_too(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    write_text(line, "abc");
    assert_got(line, "abc");
    while (ks_connection_delivered_up_to(line->connection) < 3)
        turn(line);
    ks_connection_watch_delivery(line->connection, 3);
    assert_string_equal(line->events, "O");
    await(line, "OV");
}

static void what_is_watched_before_it_is_written_is_told_when_it_was(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    write_text(line, "abc");
    ks_connection_watch_delivery(line->connection, 6);
    assert_got(line, "abc");
    turns(line);
    assert_string_equal(line->events, "O");
    write_text(line, "def");
    assert_got(line, "abcdef");
    await(line, "OV");
}

static void a_new_watch_replaces_the_old_one(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    write_text(line, "abcdef");
    ks_connection_watch_delivery(line->connection, 3);
    ks_connection_watch_delivery(line->connection, 6);
    assert_got(line, "abcdef");
    await(line, "OV");
    line->harness->pass(line, LONG_MS);
    assert_string_equal(line->events, "OV");
}

static void a_peer_that_takes_nothing_has_not_got_all(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    line->harness->stall(line);
    write_much(line, MUCH);
    ks_connection_watch_delivery(line->connection, MUCH);
    turns(line);
    assert_true(ks_connection_delivered_up_to(line->connection) < MUCH);
    assert_string_equal(line->events, "O");
    line->harness->take(line, MUCH);
    while (strchr(line->events, 'V') == NULL)
        turn(line);
    assert_int_equal(ks_connection_delivered_up_to(line->connection), MUCH);
}

static void what_was_acknowledged_before_the_peers_end_is_known(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    write_text(line, "abc");
    ks_connection_watch_delivery(line->connection, 3);
    assert_got(line, "abc");
    await(line, "OV");
    line->harness->end(line);
    await(line, "OVE");
    assert_int_equal(ks_connection_delivered_before_end(line->connection), 3);
}

static void what_is_written_after_the_peers_end_was_not_acknowledged_before(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    ks_connection_watch_delivery(line->connection, 3);
    line->harness->end(line);
    await(line, "OE");
    write_text(line, "abc");
    assert_got(line, "abc");
    await(line, "OEV");
    assert_int_equal(ks_connection_delivered_before_end(line->connection), 0);
}

/* ---- the peer, and the rest ---- */

static void a_peer_is_described_in_the_space_that_there_is(void **state)
{
    struct contract_line *line = *state;
    char text[KS_PEER_TEXT_SIZE];
    memset(text, 'x', sizeof text);
    open_line(line);
    ks_connection_describe_peer(line->connection, text, sizeof text);
    const char *port = strrchr(text, ':');
    assert_non_null(memchr(text, '\0', sizeof text));
    assert_non_null(port);
    assert_int_equal(strspn(port + 1, "0123456789"), strlen(port + 1));
}

static void idleness_and_standing_may_be_told_at_any_time(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
    for (unsigned standing = 0; standing < KS_STANDINGS; standing++) {
        ks_connection_set_idle(line->connection, standing % 2 == 0);
        ks_connection_set_standing(line->connection, (enum ks_standing)standing);
        ks_connection_set_idle(line->connection, true);
    }
    finish(line);
    ks_connection_set_idle(line->connection, true);
    ks_connection_set_standing(line->connection, KS_STANDING_STRANGER);
    line->harness->await_our_end(line);
    line->harness->end(line);
    await(line, "OC");
}

static void a_loop_brings_its_budgets_clock_and_log(void **state)
{
    struct contract_line *line = *state;
    open_line(line);
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
    open_line(line);
    ks_executor_post(&line->connection->loop->executor, &task);
    assert_non_null(task.run);
    while (task.run != NULL)
        turn(line);
}

#define CASE(name)                                                                                           \
    {                                                                                                        \
#name, name, set_up, tear_down, NULL                                                                 \
    }

int connection_contract_run(const char *name, const struct contract_harness *harness)
{
    struct CMUnitTest cases[] = {
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
        CASE(what_is_written_arrives_in_order_however_it_was_written),
        CASE(what_is_written_waits_until_the_loop_has_handled_what_is_at_hand),
        CASE(flush_sends_at_once),
        CASE(output_is_full_above_the_high_water_mark),
        CASE(drained_comes_once_when_output_has_fallen_to_the_low_water_mark),
        CASE(drained_does_not_come_for_less_than_the_low_water_mark),
        CASE(drained_may_come_inside_flush),
        CASE(a_service_may_write_inside_drained),
        CASE(shut_lets_output_out_then_our_end_and_input_still_in),
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
        CASE(a_peer_is_described_in_the_space_that_there_is),
        CASE(idleness_and_standing_may_be_told_at_any_time),
        CASE(a_loop_brings_its_budgets_clock_and_log),
        CASE(what_is_posted_to_the_loop_runs_later_and_once),
    };
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++)
        cases[i].initial_state = (void *)(uintptr_t)harness;
    return _cmocka_run_group_tests(name, cases, KS_COUNT_OF(cases), NULL, NULL);
}
