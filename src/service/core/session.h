/* session.h — one connection to the binary port, as the services behind it see it. Private to src/service.
 *
 * Glossary. A *session* is the state of one connection. An *exchange* is one request and its answer. A *rule*
 * says what a request of some code looks like and who serves it. A *sink* takes the part of a payload that is
 * too large to be collected.
 *
 * Answers leave in the order of the requests, whatever the order in which they become known: exchanges queue
 * in their session until all before them are answered. Requests whose rule says so begin while earlier ones
 * still wait, so that many files share one sync; all others wait for their turn, unread.
 *
 * Everything runs on the connection's loop. An exchange outlives its connection: what was asked is done to
 * its end, only the answer has nowhere to go.
 */
#ifndef KS_SERVICE_SESSION_H
#define KS_SERVICE_SESSION_H

#include "net/connection.h"
#include "service/core/environment.h"
#include "wire/drop_codec.h"

struct ks_holder;
struct ks_session;
struct ks_exchange;
struct ks_session_keys;
struct ks_stream;
struct ks_pulls;

/* Which earlier exchanges may still be unanswered when a request begins. */
enum ks_overlap {
    KS_OVERLAP_NONE,    /* none */
    KS_OVERLAP_UPLOAD,  /* uploads and confirmations: for 1028 */
    KS_OVERLAP_CONFIRM, /* confirmations: for 1029, which needs the uploads before it to be complete */
    KS_OVERLAP_SEND,    /* messages that let others begin (below): for 603 */
};

struct ks_rule {
    const char *name; /* what a request of it does, for the log */
    uint16_t code;
    uint8_t version;     /* in the answer */
    uint16_t error;      /* the answer to a request of this code that makes no sense */
    uint32_t fixed_size; /* bytes of the payload that are collected for `begin` */
    uint32_t smallest_payload;
    uint32_t largest_payload;
    enum ks_overlap overlap;
    /* Serves the request: `fixed` holds fixed_size bytes and is gone when the call returns. Answers the
     * exchange exactly once, in the call or later. Payload beyond the fixed part is skipped unless a sink is
     * set. */
    void (*begin)(struct ks_exchange *exchange, const uint8_t *fixed);
};

/* Takes payload on its way. */
struct ks_sink {
    /* Optional: where payload could be received without a copy; at most `limit` bytes. 0 for nowhere. */
    size_t (*buffer)(void *context, size_t limit, uint8_t **buffer);
    /* Takes bytes and returns how many; fewer than `size` means: no more until ks_session_unblock. */
    size_t (*received)(void *context, const uint8_t *bytes, size_t size);
    /* The connection ended, or the session gave up, before the payload was complete. The exchange still wants
     * its answer. */
    void (*broken)(void *context);
};

enum { KS_ANSWER_PAYLOAD_LIMIT = KS_FILE_ANSWER_SIZE };

/* Where a request came from whose connection is gone. */
struct ks_exchange_gone {
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    char peer[KS_PEER_TEXT_SIZE];
};

struct ks_exchange {
    struct ks_exchange *next;
    struct ks_session *session; /* NULL when the connection is gone */
    struct ks_loop *loop;
    const struct ks_service_environment *environment;
    const struct ks_rule *rule;
    struct ks_request_header header;
    bool answered;
    bool counted;    /* in the tally */
    bool silent;     /* answered with nothing: a deferred answer that was cancelled */
    bool last;       /* the connection ends after this answer */
    bool in_the_way; /* an upload, or a message, behind which some requests do not begin yet */
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

/* Answers with the rule's error code and no payload. */
void ks_exchange_refuse(struct ks_exchange *exchange);

/* Ends the exchange without any answer. */
void ks_exchange_cancel(struct ks_exchange *exchange);

/* A message was handed over to the store: the next one may begin. Other exchanges let others begin when they
 * are answered. */
void ks_exchange_let_others_begin(struct ks_exchange *exchange);

/* Sends the rest of this exchange's payload, `size` bytes, to `sink`; NULL to skip it. Within `begin` only.
 * Replaces what the payload size said: a 1028 may be followed by more (the 259 variant). */
void ks_session_set_payload(struct ks_session *session, uint64_t size, const struct ks_sink *sink,
                            void *context);

/* Refuses a request whose sizes contradict each other: what lies beyond the `taken` bytes of its payload is
 * skipped when the payload is short, else the connection ends after the answer. Within `begin`. */
void ks_session_refuse_payload(struct ks_exchange *exchange, uint32_t taken);

/* What is left of the payload is skipped, and its sink is not called again. From the sink's owner, any time
 * before the payload is complete. */
void ks_session_skip_payload(struct ks_session *session);

/* After at most KS_SKIP_LIMIT bytes more of the payload that is on its way now the connection ends, behind
 * all answers that are due; not at all when the payload has no more than that. */
void ks_session_end_behind_payload(struct ks_session *session);

/* Whether no request has begun behind this one, whose session is there: a payload on its way is its own. */
bool ks_session_is_newest(const struct ks_exchange *exchange);

/* A sink that took less than it was given can take more now. */
void ks_session_unblock(struct ks_session *session);

/* Puts the answer to `exchange` off: `ripe` is called after `after_ms` milliseconds in which nothing arrived,
 * or at the end of input; the exchange is cancelled as soon as anything arrives. Within `begin`, from a rule
 * with KS_OVERLAP_NONE. */
void ks_session_defer(struct ks_exchange *exchange, uint64_t after_ms,
                      void (*ripe)(struct ks_exchange *exchange));

/* The AES keys that were issued on this session (session_keys.h). */
struct ks_session_keys *ks_session_keys_of(struct ks_session *session);

/* The session's number as an owner of staged uploads (staged.h). */
uint64_t ks_session_number(const struct ks_session *session);

/* Whether the exchange's address may ask for one more of what `allowance` counts. Within `begin`. */
bool ks_session_allows(const struct ks_exchange *exchange, struct ks_allowance *allowance, unsigned per_hour);

/* ---- for memory from a budget (base/limits/budget.h) ---- */

/* Claims for the user `id` and for the network of the session's peer, unless that is without limits. KS_OK,
 * KS_NO_MEMORY. */
enum ks_result ks_session_claim(const struct ks_session *session, struct ks_holder *holder,
                                const struct ks_client_id *id);

/* The session waits for `holder`'s memory; NULL: no longer. While it does, no time limit of the peer's runs,
 * and the holder presses. */
void ks_session_wait_for(struct ks_session *session, struct ks_holder *holder);

/* ---- for answers that are streams (stream.h) ---- */

/* Makes `stream` the one that writes the answer to the oldest exchange; NULL when it is over. */
void ks_session_set_stream(struct ks_session *session, struct ks_stream *stream);

/* Has ks_stream_turn_has_come called after `after_ms` milliseconds, at least 1. The peer is not hurried
 * meanwhile. */
void ks_session_wait_for_turn(struct ks_session *session, uint64_t after_ms);

/* Writes bytes of a stream's answer. */
void ks_session_write(struct ks_session *session, const void *bytes, size_t size);

/* How much waits for the peer to take it. */
size_t ks_session_output_waiting(const struct ks_session *session);

/* Ends the connection at once. */
void ks_session_abort(struct ks_session *session);

/* The session's answers to 604 that are not delivered yet (pulls.h), and what they are written to. */
struct ks_pulls *ks_session_pulls(struct ks_session *session);
struct ks_connection *ks_session_connection(struct ks_session *session);

/* ---- the services behind the port ---- */

/* registration.c: 1025, 600, 1026, 1027 */
void ks_identity_register_drop(struct ks_exchange *exchange, const uint8_t *fixed);
void ks_identity_register_messages(struct ks_exchange *exchange, const uint8_t *fixed);
void ks_identity_public_key(struct ks_exchange *exchange, const uint8_t *fixed);
void ks_identity_reconnect(struct ks_exchange *exchange, const uint8_t *fixed);

/* incoming_upload.c: 1028 */
void ks_upload_begin(struct ks_exchange *exchange, const uint8_t *fixed);

/* listing.c: 601 */
void ks_listing_begin(struct ks_exchange *exchange, const uint8_t *fixed);

/* target.c: 602 */
void ks_target_user_key(struct ks_exchange *exchange, const uint8_t *fixed);

/* incoming_message.c: 603 */
void ks_sending_begin(struct ks_exchange *exchange, const uint8_t *fixed);

/* pulls.c: 604 */
void ks_pulls_begin(struct ks_exchange *exchange, const uint8_t *fixed);

/* confirmation.c: 1029, 1030, 1031 */
void ks_drop_crc_ok(struct ks_exchange *exchange, const uint8_t *fixed);
void ks_drop_crc_wrong(struct ks_exchange *exchange, const uint8_t *fixed);
void ks_drop_give_up(struct ks_exchange *exchange, const uint8_t *fixed);

#endif
