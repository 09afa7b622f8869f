/* session.c — see session.h and session_internal.h: states, time limits, payloads, and what sessions offer to
 * services. Everything runs on the connection's loop.
 */
#include "service/core/session_internal.h"

#include "base/limits/allowance.h"
#include "service/core/report.h"

enum {
    RATE_WINDOW_MS = 20 * 1000,
    PATIENCE_MS = 1000, /* with a stranger whose request we are at */
};

/* ---- states ---- */

static const char *const state_names[KS_SESSION_STATES] = {"head", "payload", "leaving", "ending"};

static const uint16_t state_ways[KS_SESSION_STATES] = {
    [KS_SESSION_HEAD] =
        KS_WAY_TO(KS_SESSION_PAYLOAD) | KS_WAY_TO(KS_SESSION_LEAVING) | KS_WAY_TO(KS_SESSION_ENDING),
    [KS_SESSION_PAYLOAD] = KS_WAY_TO(KS_SESSION_HEAD) | KS_WAY_TO(KS_SESSION_ENDING),
    [KS_SESSION_LEAVING] = KS_WAY_TO(KS_SESSION_ENDING),
};

static const struct ks_machine machine = {.name = "session", .states = state_names, .ways = state_ways};

void ks_session_become(struct ks_session *session, enum ks_session_state state)
{
    ks_connection_step(session->connection, &machine, &session->state, state);
}

void ks_session_end(struct ks_session *session)
{
    ks_session_become(session, KS_SESSION_ENDING);
    ks_connection_finish(session->connection);
}

/* ---- time and idleness ---- */

void ks_session_set_timer(struct ks_session *session, enum ks_session_timer timer, uint64_t after_ms)
{
    session->timer = (uint8_t)timer;
    ks_connection_set_deadline(session->connection, timer == KS_SESSION_TIMER_NONE ? 0 : after_ms);
}

/* The peer must take a long answer at some pace, and after the end of its input what it has asked for. */
static bool waits_for_delivery(const struct ks_session *session)
{
    return session->stream != NULL ||
           (session->input_ended && session->oldest == NULL && ks_session_awaits_delivery(session));
}

void ks_session_keep_time(struct ks_session *session)
{
    const struct ks_service_settings *settings = &session->environment->settings;
    if (session->deferred != NULL || session->timer == KS_SESSION_TIMER_TURN)
        return;
    if (session->state != KS_SESSION_PAYLOAD || session->blocked)
        session->window_begin_ms = 0;
    if (session->waiting_for != NULL) {
        if (session->timer != KS_SESSION_TIMER_PRESS)
            ks_session_set_timer(session, KS_SESSION_TIMER_PRESS, KS_HOLDER_PRESS_MS);
    } else if (waits_for_delivery(session)) {
        if (session->timer != KS_SESSION_TIMER_DELIVERY)
            ks_session_set_timer(session, KS_SESSION_TIMER_DELIVERY, settings->stall_timeout_ms);
    } else if (!session->blocked && session->state == KS_SESSION_PAYLOAD)
        ks_session_set_timer(session, KS_SESSION_TIMER_PAYLOAD, settings->payload_timeout_ms);
    else if (!session->blocked && ks_padding_needs_silence(session)) {
        if (session->timer != KS_SESSION_TIMER_SILENCE)
            ks_session_set_timer(session, KS_SESSION_TIMER_SILENCE, KS_BLOCKS_QUIET_MS);
    } else if (!session->blocked && session->state == KS_SESSION_HEAD && session->head_size > 0) {
        if (session->timer != KS_SESSION_TIMER_HEAD)
            ks_session_set_timer(session, KS_SESSION_TIMER_HEAD, settings->header_timeout_ms);
    } else if (session->timer != KS_SESSION_TIMER_NONE)
        ks_session_set_timer(session, KS_SESSION_TIMER_NONE, 0);
}

static enum ks_standing standing_of(const struct ks_session *session)
{
    if (session->is_user)
        return KS_STANDING_KNOWN;
    return session->head_size > 0 ? KS_STANDING_INCOMPLETE : KS_STANDING_STRANGER;
}

/* A header that is still coming, and a payload that is skipped, are nothing to wait for. */
static bool has_nothing_in_flight(const struct ks_session *session)
{
    bool expects = session->state == KS_SESSION_PAYLOAD && session->sink != NULL;
    return session->oldest == NULL && session->state != KS_SESSION_ENDING && !expects && !session->blocked &&
           !ks_session_awaits_delivery(session);
}

void ks_session_keep_idleness(struct ks_session *session)
{
    enum ks_standing standing = standing_of(session);
    if (standing != session->standing)
        ks_connection_set_standing(session->connection, standing);
    session->standing = (uint8_t)standing;
    ks_connection_set_idle(session->connection, has_nothing_in_flight(session));
}

/* Since the timer last looked. */
static bool has_taken_more(struct ks_session *session)
{
    uint64_t before = session->delivered;
    session->delivered = ks_connection_delivered_up_to(session->connection);
    return session->delivered > before;
}

static void report_lateness(const struct ks_session *session)
{
    switch (session->timer) {
    case KS_SESSION_TIMER_HEAD:
        ks_report_session(session, KS_LOG_INFO,
                          "closed: the rest of a request header did not come in time (header-timeout)");
        return;
    case KS_SESSION_TIMER_PAYLOAD:
        ks_report_session(session, KS_LOG_INFO,
                          "closed: the rest of a payload did not come in time (payload-timeout)");
        return;
    default:
        ks_report_session(session, KS_LOG_INFO, "closed: it does not take its answer (lease-lifetime-ms)");
    }
}

bool ks_session_payload_is_fast_enough(struct ks_session *session, size_t size)
{
    const struct ks_service_settings *settings = &session->environment->settings;
    uint64_t now = ks_clock_monotonic_ms(session->environment->clock);
    if (session->window_begin_ms == 0) {
        session->window_begin_ms = now;
        session->window_bytes = 0;
    }
    session->window_bytes += size;
    uint64_t window_ms = now - session->window_begin_ms;
    if (window_ms < RATE_WINDOW_MS)
        return true;
    bool is_fast_enough = session->window_bytes * 1000 >= settings->payload_rate * window_ms;
    session->window_begin_ms = now;
    session->window_bytes = 0;
    return is_fast_enough;
}

bool ks_session_time_is_up(struct ks_session *session)
{
    if (session->waiting_for != NULL) {
        ks_holder_press(session->waiting_for, ks_clock_monotonic_ms(session->environment->clock));
        ks_session_set_timer(session, KS_SESSION_TIMER_PRESS, KS_HOLDER_PRESS_MS);
        return true;
    }
    if (session->timer == KS_SESSION_TIMER_DELIVERY && has_taken_more(session)) {
        ks_session_set_timer(session, KS_SESSION_TIMER_DELIVERY,
                             session->environment->settings.stall_timeout_ms);
        return true;
    }
    report_lateness(session);
    return false;
}

bool ks_session_may_stay_strange(struct ks_session *session)
{
    if (session->oldest != NULL) { /* it is we who are slow */
        ks_connection_set_reminder(session->connection, PATIENCE_MS);
        return true;
    }
    ks_report_session(session, KS_LOG_INFO, "closed: nobody signed in in time (sign-in-timeout)");
    return false;
}

/* ---- the deferred answer to a 1030 ---- */

struct ks_exchange *ks_session_take_deferred(struct ks_session *session)
{
    struct ks_exchange *exchange = session->deferred;
    session->deferred = NULL;
    if (exchange != NULL)
        ks_session_set_timer(session, KS_SESSION_TIMER_NONE, 0);
    return exchange;
}

/* ---- payloads ---- */

void ks_session_set_payload(struct ks_session *session, uint64_t size, const struct ks_sink *sink,
                            void *context)
{
    session->payload_left = size;
    session->sink = sink;
    session->sink_context = context;
    ks_session_become(session, size > 0 ? KS_SESSION_PAYLOAD : KS_SESSION_HEAD);
}

void ks_session_skip_payload(struct ks_session *session)
{
    session->sink = NULL;
    session->sink_context = NULL;
}

static void report_long_payload(const struct ks_session *session)
{
    ks_report_session(session, KS_LOG_INFO,
                      "closed: of a request that is refused more than %d KiB would still come",
                      KS_SKIP_LIMIT / 1024);
}

/* The whole payload of a request that is refused: whether it may be skipped. */
static bool may_be_skipped(const struct ks_session *session, uint32_t size)
{
    if (ks_session_is_strange(session) && size > session->port->access->stranger_payload) {
        ks_report_session(session, KS_LOG_INFO,
                          "closed: a request of more than %u bytes, and nobody has signed in",
                          (unsigned)session->port->access->stranger_payload);
        return false;
    }
    if (size > KS_SKIP_LIMIT)
        report_long_payload(session);
    return size <= KS_SKIP_LIMIT;
}

bool ks_session_drop_payload(struct ks_session *session, uint32_t size, uint32_t taken)
{
    if (may_be_skipped(session, size)) {
        ks_session_set_payload(session, size - taken, NULL, NULL);
        return true;
    }
    ks_session_become(session, KS_SESSION_ENDING);
    return false;
}

void ks_session_end_behind_payload(struct ks_session *session)
{
    if (session->payload_left <= KS_SKIP_LIMIT)
        return;
    report_long_payload(session);
    session->payload_left = KS_SKIP_LIMIT;
    session->ends_behind_payload = true;
}

/* ---- where peers sign in ---- */

void ks_session_set_visitor(struct ks_session *session, struct ks_visitor *visitor)
{
    session->visitor = visitor;
}

struct ks_visitor *ks_session_visitor(const struct ks_session *session)
{
    return session->visitor;
}

void ks_session_serve(struct ks_session *session, const struct ks_client_id *id)
{
    session->user = *id;
    session->has_user = true;
    session->is_user = true;
    ks_connection_set_reminder(session->connection, 0);
}

void ks_session_hand_over(struct ks_session *session, const struct ks_session_heir *heir, void *context)
{
    session->heir = heir;
    session->heir_context = context;
    ks_session_become(session, KS_SESSION_LEAVING);
}

void ks_session_leave_later(struct ks_session *session)
{
    session->leaves_later = true;
    ks_session_set_timer(session, KS_SESSION_TIMER_NONE, 0);
    ks_executor_post(&session->connection->loop->executor, &session->leave);
}

/* ---- for the services ---- */

const struct ks_frames_port *ks_session_port(const struct ks_session *session)
{
    return session->port;
}

bool ks_session_address_is_free(const struct ks_session *session)
{
    struct ks_networks_current *unlimited = session->environment->unlimited;
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    if (session->port->access != NULL && session->is_user)
        return true;
    ks_connection_peer_address(session->connection, address);
    return unlimited != NULL && ks_networks_current_contain(unlimited, address);
}

struct ks_session_keys *ks_session_keys_of(struct ks_session *session)
{
    return &session->keys;
}

uint64_t ks_session_number(const struct ks_session *session)
{
    return session->number;
}

enum ks_result ks_session_claim(const struct ks_session *session, struct ks_holder *holder,
                                const struct ks_client_id *id)
{
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    ks_connection_peer_address(session->connection, address);
    return ks_holder_claim(holder, id->bytes, ks_session_address_is_free(session) ? NULL : address);
}

void ks_session_wait_for(struct ks_session *session, struct ks_holder *holder)
{
    session->waiting_for = holder;
    ks_session_keep_time(session);
}

void ks_session_set_stream(struct ks_session *session, struct ks_stream *stream)
{
    session->stream = stream;
    if (stream == NULL) {
        ks_padding_answer_ends(session);
        return;
    }
    ks_padding_answer_begins(session);
    session->delivered = ks_connection_delivered_up_to(session->connection);
    ks_session_keep_time(session);
}

void ks_session_wait_for_turn(struct ks_session *session, uint64_t after_ms)
{
    ks_session_set_timer(session, KS_SESSION_TIMER_TURN, after_ms);
}

void ks_session_write(struct ks_session *session, const void *bytes, size_t size)
{
    ks_connection_write(session->connection, bytes, size);
    ks_padding_answer_adds(session, size);
}

void ks_session_write_shared(struct ks_session *session, struct ks_shared *shared, size_t size)
{
    ks_connection_write_shared(session->connection, shared, 0, size, false);
    ks_padding_answer_adds(session, size);
}

size_t ks_session_output_waiting(const struct ks_session *session)
{
    return ks_connection_output_waiting(session->connection);
}

void ks_session_abort(struct ks_session *session)
{
    ks_session_become(session, KS_SESSION_ENDING);
    ks_connection_abort(session->connection);
}

void ks_session_follow(struct ks_session *session, struct ks_session_follower *follower)
{
    session->follower = follower;
}

struct ks_session_follower *ks_session_follower_of(struct ks_session *session)
{
    return session->follower;
}

void ks_session_accompany(struct ks_session *session, struct ks_session_companion *companion)
{
    session->companion = companion;
}

struct ks_session_companion *ks_session_companion_of(struct ks_session *session)
{
    return session->companion;
}

struct ks_connection *ks_session_connection(struct ks_session *session)
{
    return session->connection;
}

bool ks_session_allows(const struct ks_session *session, struct ks_allowance *allowance, unsigned per_hour)
{
    const struct ks_service_environment *environment = session->environment;
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    if (allowance == NULL || per_hour == 0)
        return true;
    ks_connection_peer_address(session->connection, address);
    return ks_session_address_is_free(session) ||
           ks_allowance_take(allowance, address, per_hour, ks_clock_monotonic_ms(environment->clock));
}
