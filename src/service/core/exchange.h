/* exchange.h — an *exchange*: one request on a port of frames and its answer, as the service that answers it
 * sees it. Private to src/service.
 *
 * Answers leave in the order of the requests, whatever the order in which they become known: exchanges queue
 * in their session (session.h) until all before them are answered. Requests whose rule says so begin while
 * earlier ones still wait, so that many files share one sync; all others wait for their turn, unread.
 *
 * Everything runs on the connection's loop. An exchange outlives its connection: what was asked is done to
 * its end, only the answer has nowhere to go.
 */
#ifndef KS_SERVICE_CORE_EXCHANGE_H
#define KS_SERVICE_CORE_EXCHANGE_H

#include "net/connection.h"
#include "service/core/frames_port.h"
#include "wire/drop_codec.h"

struct ks_session;

enum { KS_ANSWER_PAYLOAD_LIMIT = 512 };
_Static_assert((int)KS_FILE_ANSWER_SIZE <= (int)KS_ANSWER_PAYLOAD_LIMIT, "every answer fits");

/* Where a request came from whose connection is gone. */
struct ks_exchange_gone {
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    char peer[KS_PEER_TEXT_SIZE];
};

/* The core's; services read session, loop, environment, port, rule, header and shown. */
struct ks_exchange {
    struct ks_exchange *next;
    struct ks_session *session; /* NULL when the connection is gone */
    struct ks_loop *loop;
    const struct ks_service_environment *environment;
    const struct ks_frames_port *port;
    const struct ks_rule *rule;
    struct ks_request_header
        header;                /* its client id is who is served: zeros, whom nobody is, for a stranger */
    struct ks_client_id shown; /* the client id as it was sent: for answers that echo it */
    bool answered;
    bool counted;    /* in the tally */
    bool silent;     /* answered with nothing: a deferred answer that was cancelled */
    bool last;       /* the connection ends after this answer */
    bool in_the_way; /* an upload, a message or a piece of a put, behind which some requests do not begin yet
                      */
    uint16_t answer_size;
    union {
        uint8_t answer[KS_RESPONSE_HEADER_SIZE + KS_ANSWER_PAYLOAD_LIMIT]; /* once it is answered */
        struct ks_exchange_gone gone;                                      /* until then, without a session */
    };
};

/* Counts the exchange as answered with `code`, 0 for not at all; the first call counts. The functions below
 * do it themselves. */
void ks_exchange_count(struct ks_exchange *exchange, uint16_t code);

/* Answers with the rule's version, `code` and a copy of up to KS_ANSWER_PAYLOAD_LIMIT bytes. The exchange is
 * invalid afterwards. */
void ks_exchange_answer(struct ks_exchange *exchange, uint16_t code, const void *payload, size_t size);

/* The same, and the connection ends when the answer is out. */
void ks_exchange_answer_last(struct ks_exchange *exchange, uint16_t code, const void *payload, size_t size);

/* Answers with the rule's error: its code and no payload, or, on the secure port, its reason. The exchange is
 * invalid afterwards. */
void ks_exchange_refuse(struct ks_exchange *exchange);

/* Refuses a request whose sizes contradict each other: what lies beyond the `taken` bytes of its payload is
 * skipped when the payload is short, else the connection ends after the answer. Within the rule's `begin`. */
void ks_exchange_refuse_payload(struct ks_exchange *exchange, uint32_t taken);

/* Ends the exchange without any answer. It is invalid afterwards. */
void ks_exchange_cancel(struct ks_exchange *exchange);

/* Puts the answer off: `ripe` is called after `after_ms` milliseconds in which nothing arrived, or at the end
 * of input; the exchange is cancelled as soon as anything arrives. While there is a session, of an exchange
 * whose rule has KS_OVERLAP_NONE. */
void ks_exchange_defer(struct ks_exchange *exchange, uint64_t after_ms,
                       void (*ripe)(struct ks_exchange *exchange));

/* A message was handed over to the store: the next one may begin. Other exchanges let others begin when they
 * are answered. */
void ks_exchange_let_others_begin(struct ks_exchange *exchange);

/* Whether no request has begun behind this one, whose session is there: a payload on its way is its own. */
bool ks_exchange_is_newest(const struct ks_exchange *exchange);

/* A sink of the session's (session.h) that took less than it was given can take more now. */
void ks_exchange_unblock(struct ks_session *session);

#endif
