/* file_removal.h — 3012: removes an own file (protocol.md §10). Private to src/service; the connection's
 * loop.
 */
#ifndef KS_SERVICE_FILES_FILE_REMOVAL_H
#define KS_SERVICE_FILES_FILE_REMOVAL_H

#include "service/core/exchange.h"

/* A rule's `begin`; `payload` is all of it. */
void ks_file_removal_begin(struct ks_exchange *exchange, const uint8_t *payload);

#endif
