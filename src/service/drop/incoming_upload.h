/* incoming_upload.h — 1028: a file's content on its way from the peer to a stage (protocol.md §1.2). Private
 * to src/service.
 */
#ifndef KS_SERVICE_DROP_INCOMING_UPLOAD_H
#define KS_SERVICE_DROP_INCOMING_UPLOAD_H

#include "service/core/exchange.h"

/* A rule of the binary port (core/rules.h): takes the content, and answers with its checksum when all of it
 * is in its stage and the upload waits for its confirmation (staged.h). On the connection's loop. */
void ks_incoming_upload_begin(struct ks_exchange *exchange, const uint8_t *fixed);

#endif
