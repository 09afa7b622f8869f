/* file_list.h — 3010: the own files of who asks, as many as an answer holds (protocol.md §10.1). Private to
 * src/service; the connection's loop. */
#ifndef KS_SERVICE_FILES_FILE_LIST_H
#define KS_SERVICE_FILES_FILE_LIST_H

#include "service/core/exchange.h"

/* A rule's `begin`; `payload` is all of it. */
void ks_file_list_begin(struct ks_exchange *exchange, const uint8_t *payload);

#endif
