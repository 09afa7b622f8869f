/* file_put.h — 3013, 3014, 3015: own files that come in pieces, and go on where they broke off (protocol.md
 * §10.3). Private to src/service; the connection's loop.
 *
 * A session has one *put* open at a time: a content in pieces (core/incoming.h) over a stage of the store,
 * which is parked whatever ends it but its 3015. What ended it in between is told to the next 3014 or 3015.
 */
#ifndef KS_SERVICE_FILES_FILE_PUT_H
#define KS_SERVICE_FILES_FILE_PUT_H

#include "service/core/exchange.h"

/* Rules' `begin`: 3013, whose payload is all there; 3014, of whose payload nothing is; 3015. */
void ks_file_put_open(struct ks_exchange *exchange, const uint8_t *payload);
void ks_file_put_piece(struct ks_exchange *exchange, const uint8_t *fixed);
void ks_file_put_end(struct ks_exchange *exchange, const uint8_t *fixed);

#endif
