/* frames.c — see frames.h: sessions come and go, and the events of their connections reach whom they concern.
 * See session.h for the terms; everything runs on the connection's loop.
 */
#include "service/core/frames.h"

#include "service/core/report.h"
#include "service/core/session_internal.h"
#include "service/core/stream.h"

#include <stdlib.h>

enum {
    DIRECT_PAYLOAD = 64 * 1024, /* so much payload ahead makes receiving without a copy worth it */
};

/* ---- events of the connection ---- */

static size_t frames_receive_buffer(struct ks_connection *connection, uint8_t **buffer)
{
    struct ks_session *session = connection->session;
    if (session->state != KS_SESSION_PAYLOAD || session->sink == NULL || session->sink->buffer == NULL ||
        session->payload_left < DIRECT_PAYLOAD)
        return 0;
    size_t limit = session->payload_left < SIZE_MAX ? (size_t)session->payload_left : SIZE_MAX;
    return session->sink->buffer(session->sink_context, limit, buffer);
}

/* Whoever follows its answers sees what the peer has acknowledged. */
static void tell_follower(struct ks_session *session)
{
    if (ks_session_awaits_delivery(session))
        session->follower->events->look(session->follower, session->connection);
}

static void end_slow_peer(struct ks_session *session)
{
    ks_report_session(session, KS_LOG_INFO, "closed: a payload comes too slowly (payload-rate)");
    ks_session_become(session, KS_SESSION_ENDING);
    ks_connection_abort(session->connection);
}

/* Nothing of its connection's is used any more. */
static void session_clear(struct ks_session *session)
{
    if (session->companion != NULL)
        session->companion->went(session->companion);
    session->companion = NULL;
    if (session->visitor != NULL)
        session->port->access->went(session);
    session->visitor = NULL;
    ks_session_keys_clear(&session->keys);
    ks_session_forget_head(session);
}

/* The connection is its heir's from here on, and so is what the peer has sent already. Returns how much of
 * that was taken. */
static size_t leave(struct ks_session *session, const uint8_t *bytes, size_t size)
{
    struct ks_connection *connection = session->connection;
    const struct ks_session_heir *heir = session->heir;
    void *context = session->heir_context;
    bool input_ended = session->input_ended;
    ks_connection_set_deadline(connection, 0);
    session_clear(session);
    free(session);
    heir->take(context, connection);
    if (input_ended) /* which is told once */
        connection->events->input_ended(connection);
    return size > 0 ? connection->events->received(connection, bytes, size) : 0;
}

/* As a task: nobody on the stack knows the session. What came behind waits, for the connection is paused. */
static void leave_now(struct ks_task *task)
{
    struct ks_session *session = KS_CONTAINER_OF(task, struct ks_session, leave);
    struct ks_connection *connection = session->connection;
    if (connection == NULL) { /* it has closed meanwhile */
        free(session);
        return;
    }
    leave(session, NULL, 0);
    ks_connection_resume(connection);
}

static size_t frames_received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct ks_session *session = connection->session;
    tell_follower(session);
    size_t used = ks_exchange_take_input(session, bytes, size);
    if (session->state == KS_SESSION_LEAVING)
        return used + leave(session, bytes + used, size - used);
    if (session->state == KS_SESSION_PAYLOAD && !session->blocked &&
        !ks_session_payload_is_fast_enough(session, used))
        end_slow_peer(session);
    if (session->blocked && session->state != KS_SESSION_ENDING)
        ks_connection_pause(connection);
    ks_session_keep_time(session); /* of one that ends, too: it may wait for answers */
    ks_session_keep_idleness(session);
    return session->state == KS_SESSION_ENDING ? size : used;
}

static void break_payload(struct ks_session *session)
{
    const struct ks_sink *sink = session->sink;
    session->sink = NULL;
    session->payload_left = 0;
    if (session->state == KS_SESSION_PAYLOAD)
        ks_session_become(session, KS_SESSION_HEAD);
    if (sink != NULL)
        sink->broken(session->sink_context);
}

/* Zeros that were too few for padding were the beginning of a request. */
static void answer_deferred(struct ks_session *session, struct ks_exchange *deferred, bool has_head)
{
    if (has_head)
        ks_exchange_cancel(deferred);
    else
        session->ripe(deferred);
}

static void frames_input_ended(struct ks_connection *connection)
{
    struct ks_session *session = connection->session;
    session->input_ended = true;
    if (session->follower != NULL)
        session->follower->events->input_ended(session->follower, connection);
    if (session->state == KS_SESSION_ENDING)
        return;
    if (ks_padding_needs_silence(session))
        ks_padding_had_silence(session);
    struct ks_exchange *deferred = ks_session_take_deferred(session);
    bool has_head = session->head_size > 0;
    ks_session_forget_head(session);
    break_payload(session);
    if (deferred != NULL)
        answer_deferred(session, deferred, has_head);
    else
        ks_exchange_go_on(session);
}

static void frames_drained(struct ks_connection *connection)
{
    struct ks_session *session = connection->session;
    tell_follower(session);
    if (session->stream != NULL)
        ks_stream_go_on(session->stream);
    else
        ks_exchange_go_on(session);
}

static void frames_delivered(struct ks_connection *connection)
{
    struct ks_session *session = connection->session;
    tell_follower(session);
    if (session->stream != NULL)
        ks_stream_look(session->stream);
    if (session->state != KS_SESSION_ENDING)
        ks_exchange_go_on(session);
}

static void frames_reminded(struct ks_connection *connection)
{
    struct ks_session *session = connection->session;
    if (session->follower != NULL)
        session->follower->events->reminded(session->follower, connection);
    if (ks_session_is_strange(session) && session->state != KS_SESSION_ENDING &&
        !ks_session_may_stay_strange(session)) {
        ks_session_abort(session);
        return;
    }
    if (session->state != KS_SESSION_ENDING)
        ks_exchange_go_on(session);
}

static void frames_deadline(struct ks_connection *connection)
{
    struct ks_session *session = connection->session;
    struct ks_exchange *deferred = ks_session_take_deferred(session);
    if (deferred != NULL) {
        answer_deferred(session, deferred, session->head_size > 0);
    } else if (session->timer == KS_SESSION_TIMER_SILENCE) {
        if (ks_padding_needs_silence(session)) /* not when the session is ending meanwhile */
            ks_padding_had_silence(session);
        ks_exchange_go_on(session);
    } else if (session->timer == KS_SESSION_TIMER_TURN) {
        session->timer = KS_SESSION_TIMER_NONE;
        ks_session_keep_time(session);
        ks_stream_turn_has_come(session->stream);
    } else if (!ks_session_time_is_up(session)) {
        ks_session_become(session, KS_SESSION_ENDING);
        ks_connection_abort(connection);
    }
}

/* What it asked for is done to its end, and the log may tell of it. */
static void orphan(struct ks_exchange *exchange, const struct ks_connection *connection)
{
    struct ks_exchange_gone *gone = &exchange->gone;
    exchange->session = NULL;
    ks_connection_peer_address(connection, gone->address);
    ks_connection_describe_peer(connection, gone->peer, sizeof gone->peer);
}

static void frames_closed(struct ks_connection *connection)
{
    struct ks_session *session = connection->session;
    session->pumping = true; /* answers from here on only mark their exchanges */
    break_payload(session);
    struct ks_exchange *exchange = session->oldest;
    while (exchange != NULL) {
        struct ks_exchange *next = exchange->next;
        if (exchange->answered || exchange == session->deferred)
            free(exchange);
        else
            orphan(exchange, connection);
        exchange = next;
    }
    if (session->stream != NULL)
        ks_stream_orphan(session->stream);
    if (session->follower != NULL)
        session->follower->events->closed(session->follower);
    if (session->heir != NULL)
        session->heir->drop(session->heir_context);
    session_clear(session);
    session->connection = NULL;
    if (!session->leaves_later) /* else when that task runs */
        free(session);
}

static const struct ks_connection_events session_events = {
    .receive_buffer = frames_receive_buffer,
    .received = frames_received,
    .input_ended = frames_input_ended,
    .drained = frames_drained,
    .delivered = frames_delivered,
    .reminded = frames_reminded,
    .deadline = frames_deadline,
    .closed = frames_closed,
};

/* ---- a peer that has said nothing yet ----
 *
 * has no session, only the port in its place: ten thousand silent connections then cost a third less. Where
 * peers sign in they have not long for that, silent or not.
 */

static bool silent_opened(struct ks_connection *connection, void *service)
{
    const struct ks_frames_port *port = service;
    connection->session = service;
    if (port->access != NULL)
        ks_connection_set_reminder(connection, port->environment->settings.sign_in_timeout_ms);
    return true;
}

/* NULL when out of memory. */
static struct ks_session *session_new(struct ks_connection *connection, const struct ks_frames_port *port)
{
    struct ks_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    session->connection = connection;
    session->port = port;
    session->environment = port->environment;
    session->number = atomic_fetch_add(&port->environment->sessions, 1) + 1;
    session->leave.run = leave_now;
    if (port->access == NULL || port->access->came(session))
        return session;
    free(session);
    return NULL;
}

static size_t silent_received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct ks_session *session = session_new(connection, connection->session);
    if (session == NULL) {
        ks_connection_abort(connection);
        return size;
    }
    connection->session = session;
    connection->events = &session_events;
    return frames_received(connection, bytes, size);
}

static void silent_input_ended(struct ks_connection *connection)
{
    ks_connection_finish(connection);
}

static void silent_deadline(struct ks_connection *connection)
{
    (void)connection; /* nobody sets one */
}

static void silent_reminded(struct ks_connection *connection)
{
    const struct ks_frames_port *port = connection->session;
    ks_report_silence(port->environment, connection, "closed: nobody signed in in time (sign-in-timeout)");
    ks_connection_abort(connection);
}

static void silent_closed(struct ks_connection *connection)
{
    connection->session = NULL;
}

const struct ks_connection_events ks_frames_events = {
    .opened = silent_opened,
    .received = silent_received,
    .input_ended = silent_input_ended,
    .deadline = silent_deadline,
    .reminded = silent_reminded,
    .closed = silent_closed,
};
