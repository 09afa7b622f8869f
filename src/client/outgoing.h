/* outgoing.h — one message to the server: 603 with its content. One thread at a time. */
#ifndef KS_CLIENT_OUTGOING_H
#define KS_CLIENT_OUTGOING_H

#include "client/content_source.h"
#include "client/peer.h"

#include <kesher/messages.h>

/* The largest content whose size and whose payload's size fit 32 bits, in whole blocks; and what fits in it.
 */
#define KS_OUTGOING_CONTENT_LIMIT UINT32_C(4294967264)
#define KS_OUTGOING_PLAIN_LIMIT   (KS_OUTGOING_CONTENT_LIMIT - 1)

struct ks_outgoing {
    const struct ks_client_id *target;
    uint8_t type; /* enum ks_message_type */
    uint32_t content_size;
    const uint8_t *content;           /* for types 1 and 2; NULL with `source` */
    struct ks_content_source *source; /* freshly opened, for types 3 and 4 */
    uint64_t plain_size;              /* of the source, for the observer */
};

/* Sends the message and takes the answer. Connects, but repeats nothing once a byte of the message is on its
 * way. KESHER_OK with *message_id; KESHER_REFUSED; KESHER_FILE when the source fails; else as
 * ks_exchange_judge and ks_session_connect. *sent (may be NULL) is true when the server may have the message.
 */
enum kesher_status ks_outgoing_send(struct kesher_messenger *messenger, const struct ks_outgoing *outgoing,
                                    uint32_t *message_id, bool *sent, struct kesher_error *error);

#endif
