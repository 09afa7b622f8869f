/* secure_request.h — one request to the secure port and its answer (protocol.md §8), and what a 4999 means
 * for people. Over a channel whose server was judged. One thread at a time.
 */
#ifndef KS_CLIENT_TRANSPORT_SECURE_REQUEST_H
#define KS_CLIENT_TRANSPORT_SECURE_REQUEST_H

#include "client/transport/channel.h"
#include "wire/accounts_codec.h"

#include <kesher/error.h>

struct ks_secure_request {
    const char *doing; /* for sentences: "cannot <doing>" */
    const char *shown; /* the server, safe for sentences */
    const char *name;  /* that the request is about, safe for sentences; NULL for none */
    enum ks_request_code code;
    const uint8_t *payload;
    size_t payload_size; /* at most KS_SECURE_PAYLOAD_LIMIT */
    uint16_t expected;   /* the code of the answer that is hoped for */
    uint8_t *answer;     /* its payload */
    size_t capacity;
    size_t answer_size; /* filled in */
    uint16_t reason;    /* of a refusal; filled in, 0 for none */
};

/* Sends the request in one piece and takes its answer. KESHER_OK; for a 4999 the status and the sentence of
 * its reason: KESHER_UNKNOWN for an account that is not there, KESHER_FULL, KESHER_EXISTS for a key that has
 * another name, and so on as ks_refusal_tell, else KESHER_REFUSED; KESHER_PROTOCOL for an answer that makes
 * no sense, or does not fit, and the channel is broken; errors as ks_channel_receive_header. */
enum kesher_status ks_secure_request_run(struct ks_channel *channel, struct ks_secure_request *request,
                                         struct kesher_error *error);

/* The two halves of it, for an answer that is too long to be held: *answer_size bytes are still to come. */
enum kesher_status ks_secure_request_send(struct ks_channel *channel, const struct ks_secure_request *request,
                                          struct kesher_error *error);
enum kesher_status ks_secure_request_begin_answer(struct ks_channel *channel,
                                                  struct ks_secure_request *request,
                                                  const struct ks_response_header *header,
                                                  struct kesher_error *error);

/* Takes a refusal whose header was taken, and says it; errors as ks_secure_request_run. */
enum kesher_status ks_secure_request_refused(struct ks_channel *channel, struct ks_secure_request *request,
                                             uint32_t payload_size, struct kesher_error *error);

#endif
