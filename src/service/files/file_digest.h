/* file_digest.h — 3016: the SHA-256 of an own file, which is waited for (protocol.md §10.4). Private to
 * src/service; the connection's loop. */
#ifndef KS_SERVICE_FILES_FILE_DIGEST_H
#define KS_SERVICE_FILES_FILE_DIGEST_H

#include "service/core/exchange.h"

/* A rule's `begin`; `payload` is all of it. */
void ks_file_digest_begin(struct ks_exchange *exchange, const uint8_t *payload);

#endif
