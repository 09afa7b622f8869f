/* confirmation.h — what becomes of an upload that is complete: 1029, 1030 and 1031 (protocol.md §1.2).
 * Private to src/service.
 *
 * Rules of the binary port (core/rules.h): each answers its exchange once, in the call or later. On the
 * connection's loop.
 */
#ifndef KS_SERVICE_DROP_CONFIRMATION_H
#define KS_SERVICE_DROP_CONFIRMATION_H

#include "service/core/exchange.h"

/* 1029: the file is kept, in the place of one that had its name. Refused when none waits, or at a limit. */
void ks_confirmation_right(struct ks_exchange *exchange, const uint8_t *fixed);

/* 1030: the upload is discarded, and the peer will send it again. The answer is put off. */
void ks_confirmation_wrong(struct ks_exchange *exchange, const uint8_t *fixed);

/* 1031: the upload is discarded for good. */
void ks_confirmation_give_up(struct ks_exchange *exchange, const uint8_t *fixed);

#endif
