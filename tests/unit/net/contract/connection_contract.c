/* connection_contract.c — see connection_contract.h: the service that writes down what happens, what cases do
 * with it, and their run. */
#include "unit/net/contract/contract_cases.h"

#include <stdio.h>

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

static void line_turned(struct ks_connection *connection)
{
    struct contract_line *line = connection->session;
    begin_event(line, 'U');
    do_and_end_event(line, line->on_turn);
}

static void line_closed(struct ks_connection *connection)
{
    struct contract_line *line = connection->session;
    begin_event(line, 'C');
    do_and_end_event(line, NULL);
    line->connection = NULL;
}

const struct ks_connection_events line_events = {
    .opened = line_opened,
    .receive_buffer = line_receive_buffer,
    .received = line_received,
    .input_ended = line_ended,
    .drained = line_drained,
    .deadline = line_deadline,
    .delivered = line_delivered,
    .reminded = line_reminded,
    .turn = line_turned,
    .closed = line_closed,
};

/* One that leaves out what is optional. */
const struct ks_connection_events line_least_events = {
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

void line_turn(struct contract_line *line)
{
    line->harness->turn(line);
}

/* Several, to see that something does not come. */
void line_turns(struct contract_line *line)
{
    for (unsigned i = 0; i < 4; i++)
        line_turn(line);
}

void line_open(struct contract_line *line)
{
    line->harness->open(line, &line_events);
    while (strchr(line->events, 'O') == NULL)
        line_turn(line);
}

void line_await(struct contract_line *line, const char *events)
{
    while (strlen(line->events) < strlen(events))
        line_turn(line);
    assert_string_equal(line->events, events);
}

void line_send(struct contract_line *line, const char *text)
{
    line->harness->send(line, text, strlen(text));
}

void line_assert_input(struct contract_line *line, const char *text)
{
    while (line->input.size < strlen(text))
        line_turn(line);
    assert_int_equal(line->input.size, strlen(text));
    assert_memory_equal(line->input.bytes, text, strlen(text));
}

void line_write(struct contract_line *line, const char *text)
{
    assert_true(ks_connection_write(line->connection, text, strlen(text)));
}

void line_assert_got(struct contract_line *line, const char *text)
{
    line->harness->take(line, strlen(text));
    assert_int_equal(line->got.size, strlen(text));
    assert_memory_equal(line->got.bytes, text, strlen(text));
}

/* Bytes that tell where they stand. */
uint8_t *line_pattern(size_t size)
{
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    return bytes;
}

struct ks_shared *line_shared_text(const char *text)
{
    struct ks_shared *shared = ks_shared_new(strlen(text));
    assert_non_null(shared);
    memcpy(shared->bytes, text, strlen(text));
    shared->size = strlen(text);
    return shared;
}

void line_write_much(struct contract_line *line, size_t size)
{
    uint8_t *bytes = line_pattern(size);
    assert_true(ks_connection_write(line->connection, bytes, size));
    free(bytes);
}

void line_finish(struct contract_line *line)
{
    ks_connection_finish(line->connection);
}

void line_abort(struct contract_line *line)
{
    ks_connection_abort(line->connection);
}

void line_pause(struct contract_line *line)
{
    ks_connection_pause(line->connection);
}

/* ---- the run ---- */

static int run_subject(const struct contract_harness *harness, const char *carrier,
                       const struct contract_subject *subject)
{
    struct CMUnitTest *tests = calloc(subject->count, sizeof *tests);
    char title[64];
    assert_non_null(tests);
    for (size_t i = 0; i < subject->count; i++)
        tests[i] = (struct CMUnitTest){.name = subject->cases[i].name,
                                       .test_func = subject->cases[i].run,
                                       .setup_func = set_up,
                                       .teardown_func = tear_down,
                                       .initial_state = (void *)(uintptr_t)harness};
    snprintf(title, sizeof title, "%s, %s", carrier, subject->name);
    int failed = _cmocka_run_group_tests(title, tests, subject->count, NULL, NULL);
    free(tests);
    return failed;
}

int connection_contract_run(const char *name, const struct contract_harness *harness)
{
    static const struct contract_subject *const subjects[] = {&contract_input, &contract_output,
                                                              &contract_endings, &contract_time};
    int failed = 0;
    for (size_t i = 0; i < KS_COUNT_OF(subjects); i++)
        failed += run_subject(harness, name, subjects[i]) != 0;
    return failed;
}
