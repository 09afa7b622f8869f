/* request.h — a request to the binary port and its answer: the one place that decides what is sent again.
 *
 *   once            a message: it is not sent again when it may have arrived, for nobody could tell
 *   until lost      what is asked on the side, and what has another way when it does not work; not waited for
 *                   longer than for a first answer
 *   until answered  whatever has the same effect twice: sent again after a lost connection
 *
 * until accepted: any of them with `after_errors`, which the course's batch client has; the options say how
 * often (`error_repeats`), and to everybody else an error answer is a no.
 *
 * A connection that had carried an answer before and ends before the next one begins was closed in between:
 * there are servers that do so behind each answer. Then a new one is made at once, which is no loss, and the
 * server is given a connection for each request from then on. What is sent once goes over a connection that
 * has no answer behind it, unless the server has answered twice on one.
 *
 * A lost connection is made again after a pause, `reconnects` times, which count from the last progress on; a
 * server that cannot be connected to any more is waited for, `retry_ms` long and once for all requests (but
 * not until lost), and so is one that says "again later" of what it may take. Silence is not repeated, and
 * the very first attempt to connect is not either. One thread at a time.
 */
#ifndef KS_CLIENT_TRANSPORT_REQUEST_H
#define KS_CLIENT_TRANSPORT_REQUEST_H

#include "client/transport/client_session.h"

enum { KS_SMALL_REQUEST_LIMIT = 1024 };

enum ks_request_repeat {
    KS_REQUEST_ONCE,
    KS_REQUEST_UNTIL_LOST,
    KS_REQUEST_UNTIL_ANSWERED,
};

/* What has gone wrong so far; begins all zero. */
struct ks_request_tries {
    unsigned errors;
    unsigned losses;
    bool closed_between;
    unsigned refusals;       /* that are asked again later */
    uint64_t later_since_ms; /* when the first of them came */
};

struct ks_request {
    enum ks_request_repeat repeat;
    bool after_errors;
    const char *doing; /* for sentences: "cannot <doing>" */
    /* What has to be so before, on every new connection: a login. What it does not achieve is final. NULL:
     * nothing. */
    enum kesher_status (*prepare)(struct ks_client_session *session, struct kesher_error *error);
    /* Sends over session->channel and takes the answer. KESHER_OK; KESHER_REFUSED, with a sentence, for the
     * server's no; everything else as the channel has it. */
    enum kesher_status (*perform)(struct ks_client_session *session, void *context,
                                  struct kesher_error *error);
    void *context;
    /* By `perform`: it must not be repeated any more, since all of a message was sent, or a part of an answer
     * was handed on. False again before each try. NULL: never. */
    bool *spent;
    /* By `perform`: the error answer; 0 for a refusal that was repeated already. Needed with `after_errors`.
     */
    uint16_t *answer_code;
    /* By `perform`: something came of this try that the next one need not do again, so the connections that
     * were lost before do not count. False again before each try. NULL: never. */
    bool *progressed;
    /* By `perform`, with KESHER_REFUSED: what was refused may be taken in a while. False again before each
     * try. NULL: never. */
    bool *later;
};

/* Connects where that is needed and performs the request, again where its policy says so. A channel that
 * broke the protocol, was silent or lost is dropped. `tries` may be NULL. Errors as ks_client_session_connect
 * and of `perform`. */
enum kesher_status ks_request_run(struct ks_client_session *session, const struct ks_request *request,
                                  struct ks_request_tries *tries, struct kesher_error *error);

/* ---- for `perform` ---- */

/* Sends a small request, header and payload together at most KS_SMALL_REQUEST_LIMIT bytes, in one piece.
 * Errors as ks_channel_send. */
enum kesher_status ks_request_send(struct ks_client_session *session, enum ks_request_code code,
                                   const uint8_t *payload, uint32_t payload_size, struct kesher_error *error);

/* Takes the header of an answer, whose payload is still to be received. Until the server has answered for
 * the first time it has only `answer_ms`. Errors as ks_channel_receive_header. */
enum kesher_status ks_request_take_header(struct ks_client_session *session,
                                          struct ks_response_header *header, struct kesher_error *error);

/* The payload is there when payload_size <= sizeof payload; a longer one was dropped. */
struct ks_answer {
    uint16_t code;
    uint32_t payload_size;
    uint8_t payload[KS_FILE_ANSWER_SIZE];
};

/* At a secure server, where `header` begins a refusal (4999): takes it, and says what it means. Errors as
 * ks_secure_request_run. `doing` is for sentences. */
enum kesher_status ks_request_take_refusal(struct ks_client_session *session, const char *doing,
                                           const struct ks_response_header *header,
                                           struct kesher_error *error);

/* Takes an answer of known, small size. A payload over KS_SKIP_LIMIT is KESHER_PROTOCOL, and the channel is
 * broken; other errors as ks_request_take_header. */
enum kesher_status ks_request_take_answer(struct ks_client_session *session, struct ks_answer *answer,
                                          struct kesher_error *error);

/* Sends a request without a payload and takes the header of its answer, for an answer that is long. An error
 * answer is KESHER_REFUSED, to 601 KESHER_UNKNOWN, since every user may have the list; one with another code
 * than `expected` KESHER_PROTOCOL. */
enum kesher_status ks_request_begin(struct ks_client_session *session, enum ks_request_code code,
                                    uint16_t expected, uint32_t *payload_size, struct kesher_error *error);

/* Whether a code that was not hoped for is the server's no to this request. Everything else that is
 * unexpected comes from no kesher server. */
bool ks_request_is_no(const struct ks_client_session *session, enum ks_request_code code,
                      uint16_t answer_code);

/* KESHER_PROTOCOL, and the channel is broken: what answers like this is no kesher server. */
enum kesher_status ks_request_fail_answer(struct ks_client_session *session, struct kesher_error *error);

/* ---- small requests ---- */

/* A request that is small and has a small answer. */
struct ks_small_request {
    enum ks_request_repeat repeat;
    bool after_errors;
    enum ks_request_code code;
    const uint8_t *payload; /* small: see ks_request_send */
    uint32_t payload_size;
    const char *doing;
    uint16_t expected;      /* the code of the answer that is hoped for */
    uint32_t expected_size; /* of its payload; 0: any */
    uint16_t alternative;   /* another code that is an answer, and no refusal; 0: none */
    /* Says what the server's no to this means and what to do about it; KESHER_REFUSED. NULL: it is said only
     * that the server refused. */
    enum kesher_status (*refused)(const struct ks_client_session *session, uint16_t answer_code,
                                  struct kesher_error *error);
};

/* Asks and takes the answer that is expected, or its alternative. KESHER_REFUSED for the server's no; other
 * errors as ks_request_run. *answer is the last one, whatever it was. */
enum kesher_status ks_request_ask(struct ks_client_session *session, const struct ks_small_request *small,
                                  struct ks_answer *answer, struct kesher_error *error);

#endif
