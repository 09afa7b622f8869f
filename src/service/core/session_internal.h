/* session_internal.h — a session from within: what the files of the core that make up a session share.
 *
 * frames.c makes and frees it, and hands on the events of its connection; exchange.c turns bytes into
 * requests and sends their answers in order; session.c has its states, its time and what it offers to
 * services; padding.c is for peers that pad; report.c reads whose session it is. Private to those five. Calls
 * go one way: frames, exchange, session, padding, report.
 */
#ifndef KS_SERVICE_CORE_SESSION_INTERNAL_H
#define KS_SERVICE_CORE_SESSION_INTERNAL_H

#include "service/core/padding.h"
#include "service/core/session.h"
#include "service/core/session_keys.h"

#include <stdlib.h>

enum ks_session_state {
    KS_SESSION_HEAD,    /* collecting a header and its fixed part */
    KS_SESSION_PAYLOAD, /* the rest of a payload, to a sink or nowhere */
    KS_SESSION_LEAVING, /* nothing more is taken: the connection is its heir's in a moment */
    KS_SESSION_ENDING,  /* whatever comes is dropped */
    KS_SESSION_STATES,
};

/* What the connection's deadline is set for. */
enum ks_session_timer {
    KS_SESSION_TIMER_NONE,
    KS_SESSION_TIMER_HEAD,
    KS_SESSION_TIMER_PAYLOAD,
    KS_SESSION_TIMER_DEFERRED,
    KS_SESSION_TIMER_DELIVERY,
    KS_SESSION_TIMER_SILENCE,
    KS_SESSION_TIMER_PRESS,
    KS_SESSION_TIMER_TURN,
};

struct ks_session {
    struct ks_connection *connection;
    const struct ks_frames_port *port;
    const struct ks_service_environment *environment;
    struct ks_visitor *visitor;         /* where peers sign in */
    const struct ks_session_heir *heir; /* of the connection; NULL for none */
    void *heir_context;
    struct ks_task leave;       /* to the heir, later; posted while `leaves_later` */
    struct ks_exchange *oldest; /* unanswered, or answered behind an unanswered one */
    struct ks_exchange *newest;
    struct ks_exchange *deferred;
    void (*ripe)(struct ks_exchange *exchange);
    uint8_t *head; /* what was collected of a header and its fixed part; else NULL */
    uint64_t payload_left;
    const struct ks_sink *sink; /* NULL: skip */
    void *sink_context;
    uint64_t number;
    struct ks_session_keys keys;
    struct ks_session_follower *follower;   /* NULL for none */
    struct ks_session_companion *companion; /* likewise */
    struct ks_padding padding;
    struct ks_holder *waiting_for; /* memory that is waited for; NULL for none */
    struct ks_stream *stream;      /* writes the answer to the oldest exchange; NULL for none */
    uint64_t delivered;            /* output of a stream, when the timer last looked */
    uint64_t window_begin_ms;      /* in which the bytes of a payload are counted; 0: none begun */
    uint64_t window_bytes;
    struct ks_client_id user; /* who has asked last, or has signed in */
    uint16_t head_size;
    uint16_t exchange_count;
    uint16_t in_the_way; /* exchanges behind which some requests do not begin yet */
    uint8_t state;       /* enum ks_session_state; ks_session_become changes it */
    uint8_t timer;       /* enum ks_session_timer */
    uint8_t standing;    /* enum ks_standing, as the connection knows it */
    bool has_user : 1;
    bool is_user : 1; /* a request was answered as one of a user's, or it has signed in */
    bool leaves_later : 1;
    bool pumping : 1; /* a loop over the input is running further up the stack */
    bool blocked : 1; /* input waits for an exchange, a sink or the output */
    bool input_ended : 1;
    bool ends_behind_payload : 1;
};

/* What was collected of a header is dropped. */
static inline void ks_session_forget_head(struct ks_session *session)
{
    free(session->head);
    session->head = NULL;
    session->head_size = 0;
}

/* Whether the peer must still sign in. */
static inline bool ks_session_is_strange(const struct ks_session *session)
{
    return session->port->access != NULL && !session->is_user;
}

/* Whether its peer has not yet acknowledged what a follower follows. */
static inline bool ks_session_awaits_delivery(const struct ks_session *session)
{
    return session->follower != NULL && session->follower->awaits_delivery;
}

/* ---- exchange.c ---- */

/* Takes input, as `received` of a connection; as far as it may. */
size_t ks_exchange_take_input(struct ks_session *session, const uint8_t *bytes, size_t size);

/* An exchange was answered, a sink has room again, the output went out: goes on where the input had to stop.
 * Not while `pumping`. */
void ks_exchange_go_on(struct ks_session *session);

/* ---- session.c ---- */

/* The only way to another state. */
void ks_session_become(struct ks_session *session, enum ks_session_state state);

/* No more requests; the connection ends when its output is out. */
void ks_session_end(struct ks_session *session);

/* It leaves when nobody who knows it is on the stack. */
void ks_session_leave_later(struct ks_session *session);

/* The `size` bytes of a request's payload, of which `taken` were collected, are not wanted: they are skipped.
 * False when they are too many for that: then nothing more is read, and the connection is to end. */
bool ks_session_drop_payload(struct ks_session *session, uint32_t size, uint32_t taken);

/* Sets the deadline, 0 for none, and what for. */
void ks_session_set_timer(struct ks_session *session, enum ks_session_timer timer, uint64_t after_ms);

/* Called after every step: a header has one limit from its first byte on, a payload a new one with every
 * byte, waiting for us none; while we wait for memory nothing is timed but how often we press. */
void ks_session_keep_time(struct ks_session *session);

/* Tells the connection whether anything is owed either way. */
void ks_session_keep_idleness(struct ks_session *session);

/* Takes the exchange whose answer was put off; NULL when there is none. Its timer is off then. */
struct ks_exchange *ks_session_take_deferred(struct ks_session *session);

/* `size` bytes of a payload have come. False when they come more slowly than the settings allow. */
bool ks_session_payload_is_fast_enough(struct ks_session *session, size_t size);

/* The deadline passed: true when all is well, false when the connection must end, which is logged. */
bool ks_session_time_is_up(struct ks_session *session);

/* A stranger's time is over: the same. */
bool ks_session_may_stay_strange(struct ks_session *session);

#endif
