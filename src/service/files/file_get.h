/* file_get.h — 3011: an own file, or the rest of one (protocol.md §10.2). Private to src/service; the
 * connection's loop. */
#ifndef KS_SERVICE_FILES_FILE_GET_H
#define KS_SERVICE_FILES_FILE_GET_H

#include "service/core/exchange.h"

/* A rule's `begin`; `payload` is all of it. */
void ks_file_get_begin(struct ks_exchange *exchange, const uint8_t *payload);

#endif
