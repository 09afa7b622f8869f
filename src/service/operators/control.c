/* control.c — see control.h. */
#include "service/operators/control.h"

#include "base/limits/log_repeats.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct control_session {
    struct ks_connection *connection;
    struct ks_control_environment *environment;
    struct ks_operation *operation; /* its answer is on its way; NULL for none */
    bool turned_away;
    bool input_ended;
    bool answering; /* an operation begins, further up the stack */
    size_t line_size;
    char line[KS_CONTROL_REQUEST_LIMIT]; /* of a request that is not whole yet */
};

static void end_line(struct control_session *session, enum ks_result result, const char *message)
{
    struct ks_control_end end = {.result = result};
    char line[KS_CONTROL_LINE_LIMIT];
    snprintf(end.message, sizeof end.message, "%s", message);
    ks_connection_write(session->connection, line, ks_control_end_encode(&end, line));
}

static void keep_time(struct control_session *session)
{
    bool in_line = session->line_size > 0;
    ks_connection_set_deadline(session->connection, in_line ? KS_CONTROL_LINE_MS : 0);
    ks_connection_set_idle(session->connection, !in_line && session->operation == NULL);
}

/* ---- answers ---- */

static bool answer_lines(void *context, const char *lines, size_t size)
{
    struct control_session *session = context;
    ks_connection_write(session->connection, lines, size);
    return !ks_connection_output_is_full(session->connection);
}

static void answer_ended(void *context)
{
    struct control_session *session = context;
    session->operation = NULL;
    if (session->answering)
        return;
    keep_time(session);
    if (session->input_ended)
        ks_connection_finish(session->connection);
    else
        ks_connection_resume(session->connection);
}

static const struct ks_operation_events answer_events = {.lines = answer_lines, .ended = answer_ended};

static void begin_operation(struct control_session *session, const struct ks_control_request *request)
{
    session->answering = true;
    enum ks_result result =
        ks_operation_begin(&session->environment->operations, request, &session->connection->loop->executor,
                           &answer_events, session, &session->operation);
    session->answering = false;
    if (result != KS_OK)
        end_line(session, KS_IO, ks_result_text(result));
}

static void log_request(const struct ks_connection *connection, const char *line, size_t size)
{
    char shown[KS_CONTROL_REQUEST_LIMIT];
    ks_log_debug(connection->loop->log, "this machine: an operator asks \"%s\"",
                 ks_text_escape_quoted(line, size, shown, sizeof shown));
}

/* One line without its LF. */
static void take_request(struct control_session *session, const char *line, size_t size)
{
    struct ks_control_request request;
    if (ks_log_shows(session->connection->loop->log, KS_LOG_DEBUG))
        log_request(session->connection, line, size);
    switch (ks_control_request_parse(line, size, &request)) {
    case KS_OK:
        begin_operation(session, &request);
        return;
    case KS_REFUSED:
        end_line(session, KS_INVALID, "this server speaks version 1");
        return;
    default:
        end_line(session, KS_INVALID, "this is no request");
    }
}

/* ---- input ---- */

static void refuse_long_line(struct control_session *session)
{
    end_line(session, KS_INVALID, "this line is too long");
    session->turned_away = true;
    ks_connection_finish(session->connection);
}

/* Takes what belongs to one line; returns how much that was. */
static size_t take_line(struct control_session *session, const char *bytes, size_t size)
{
    const char *end = memchr(bytes, '\n', size);
    size_t part = end != NULL ? (size_t)(end - bytes) : size;
    if (part > sizeof session->line - 1 - session->line_size) {
        refuse_long_line(session);
        return size;
    }
    memcpy(session->line + session->line_size, bytes, part);
    session->line_size += part;
    if (end == NULL)
        return size;
    size_t line_size = session->line_size;
    session->line_size = 0;
    take_request(session, session->line, line_size);
    return part + 1;
}

static size_t control_received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct control_session *session = connection->session;
    size_t used = 0;
    while (used < size && session->operation == NULL && !session->turned_away &&
           !ks_connection_output_is_full(connection))
        used += take_line(session, (const char *)bytes + used, size - used);
    if (session->turned_away)
        return size;
    if (used < size)
        ks_connection_pause(connection);
    keep_time(session);
    return used;
}

/* ---- events ---- */

static bool control_opened(struct ks_connection *connection, void *service)
{
    struct control_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return false;
    session->connection = connection;
    session->environment = service;
    connection->session = session;
    if (atomic_fetch_add(&session->environment->sessions, 1) < KS_CONTROL_SESSIONS_LIMIT)
        return true;
    ks_log_trouble(connection->loop->log, KS_LOG_WARNING,
                   "an operator is turned away: %d others speak to this server already",
                   KS_CONTROL_SESSIONS_LIMIT);
    end_line(session, KS_REFUSED, "too many others speak to this server already");
    session->turned_away = true;
    ks_connection_finish(connection);
    return true;
}

static void control_input_ended(struct ks_connection *connection)
{
    struct control_session *session = connection->session;
    session->input_ended = true;
    if (session->operation == NULL)
        ks_connection_finish(connection);
}

static void control_drained(struct ks_connection *connection)
{
    struct control_session *session = connection->session;
    if (session->turned_away)
        return;
    if (session->operation != NULL)
        ks_operation_go_on(session->operation);
    else
        ks_connection_resume(connection);
}

/* The rest of a line did not come. */
static void control_deadline(struct ks_connection *connection)
{
    ks_connection_abort(connection);
}

static void control_closed(struct ks_connection *connection)
{
    struct control_session *session = connection->session;
    if (session->operation != NULL)
        ks_operation_abandon(session->operation);
    atomic_fetch_sub(&session->environment->sessions, 1);
    free(session);
}

const struct ks_connection_events ks_control_events = {
    .opened = control_opened,
    .received = control_received,
    .input_ended = control_input_ended,
    .drained = control_drained,
    .deadline = control_deadline,
    .closed = control_closed,
};
