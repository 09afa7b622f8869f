/* session_internal.h — a session from within: what session.c, frames.c, padding.c and report.c share.
 * frames.c makes and frees it, and turns bytes into requests; session.c answers and keeps the time; padding.c
 * is for peers that pad; report.c reads whose session it is. Private to those four.
 */
#ifndef KS_SERVICE_SESSION_STATE_H
#define KS_SERVICE_SESSION_STATE_H

#include "service/core/padding.h"
#include "service/core/session.h"
#include "service/core/session_keys.h"
#include "service/messages/pulls.h"

enum state {
    STATE_HEAD,    /* collecting a header and its fixed part */
    STATE_PAYLOAD, /* the rest of a payload, to a sink or nowhere */
    STATE_ENDING,  /* whatever comes is dropped */
    STATES,
};

enum timer {
    TIMER_NONE,
    TIMER_HEAD,
    TIMER_PAYLOAD,
    TIMER_DEFERRED,
    TIMER_DELIVERY,
    TIMER_SILENCE,
    TIMER_PRESS,
    TIMER_TURN,
};

struct ks_session {
    struct ks_connection *connection;
    const struct ks_service_environment *environment;
    struct ks_exchange *oldest; /* unanswered, or answered behind an unanswered one */
    struct ks_exchange *newest;
    struct ks_exchange *deferred;
    void (*ripe)(struct ks_exchange *exchange);
    uint8_t *head; /* HEAD_LIMIT bytes while a header is incomplete, else NULL */
    uint64_t payload_left;
    const struct ks_sink *sink; /* NULL: skip */
    void *sink_context;
    uint64_t number;
    struct ks_session_keys keys;
    struct ks_pulls pulls;
    struct ks_padding padding;
    struct ks_holder *waiting_for; /* memory that is waited for; NULL for none */
    struct ks_stream *stream;      /* writes the answer to the oldest exchange; NULL for none */
    uint64_t delivered;            /* output of a stream, when the timer last looked */
    uint64_t window_begin_ms;      /* in which the bytes of a payload are counted; 0: none begun */
    uint64_t window_bytes;
    struct ks_client_id user; /* whose request came last, as it says */
    uint16_t head_size;
    uint16_t exchange_count;
    uint16_t in_the_way; /* exchanges behind which some requests do not begin yet */
    uint8_t state;       /* enum state; ks_session_become changes it */
    uint8_t timer;
    uint8_t standing; /* enum ks_standing, as the connection knows it */
    bool has_user : 1;
    bool is_user : 1; /* a request was answered as one of a user's */
    bool pumping : 1; /* a loop over the input is running further up the stack */
    bool blocked : 1; /* input waits for an exchange, a sink or the output */
    bool input_ended : 1;
    bool ends_behind_payload : 1;
};

/* The only way to another state. */
void ks_session_become(struct ks_session *session, enum state state);

/* frames.c: an exchange was answered, a sink has room again, the output went out: goes on where the input had
 * to stop. Not while `pumping`. */
void ks_session_go_on(struct ks_session *session);

/* frames.c: what was collected of a header is dropped. */
void ks_session_forget_head(struct ks_session *session);

/* An exchange for a request, the newest of its session. NULL when out of memory. */
struct ks_exchange *ks_exchange_new(struct ks_session *session, const struct ks_rule *rule,
                                    const struct ks_request_header *header);

/* Sends what is answered, up to the first exchange that is not. */
void ks_session_send_answers(struct ks_session *session);

/* No more requests; the connection ends when its output is out. */
void ks_session_end(struct ks_session *session);

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

#endif
