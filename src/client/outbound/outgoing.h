/* outgoing.h — one message to the server: 603 with its content. Which key it goes under is not decided here.
 * One thread at a time.
 */
#ifndef KS_CLIENT_OUTBOUND_OUTGOING_H
#define KS_CLIENT_OUTBOUND_OUTGOING_H

#include "client/outbound/content_source.h"
#include "client/transport/request.h"

#include <kesher/messages.h>

/* The largest content whose size and whose payload's size fit 32 bits, in whole blocks; and what fits in it.
 */
#define KS_OUTGOING_CONTENT_LIMIT UINT32_C(4294967264)
#define KS_OUTGOING_PLAIN_LIMIT   (KS_OUTGOING_CONTENT_LIMIT - 1)

enum { KS_OUTGOING_PIECE_SIZE = 64 * 1024 };

struct ks_outgoing {
    const struct ks_client_id *target;
    const char *receiver; /* the target's name, for sentences */
    uint8_t type;         /* enum ks_message_type */
    uint32_t content_size;
    const uint8_t *content; /* for types 1 and 2, at most an encrypted key; NULL for what comes from a file */
    /* for types 3 and 4: */
    int fd; /* read with pread(2) from its start; the caller's */
    uint64_t plain_size;
    const uint8_t *key;
    uint8_t *piece; /* KS_OUTGOING_PIECE_SIZE bytes to put it together in; the caller's, and the caller wipes
                       what is left there of the file */
};

/* Sends the message and takes the answer: once (see request.h). KESHER_OK with *receipt (may be NULL);
 * KESHER_REFUSED; KESHER_FILE when the file fails; else as ks_request_run. *sent (may be NULL) is true when
 * the server may have the message. */
enum kesher_status ks_outgoing_send(struct ks_client_session *session, const struct ks_outgoing *outgoing,
                                    struct kesher_receipt *receipt, bool *sent, struct kesher_error *error);

#endif
