/* incoming_message.h — 603: a message on its way to what waits for its receiver (protocol.md §1.3). Private
 * to src/service.
 *
 * It is a content on its way in (core/incoming.h): small ones in memory, large ones through a stage. It is
 * answered when it is durable; the next 603 begins as soon as this one was *handed over* to the store, so
 * that many share a commit. A large one is in the way until it is safe: nothing may overtake it.
 */
#ifndef KS_SERVICE_MESSAGES_INCOMING_MESSAGE_H
#define KS_SERVICE_MESSAGES_INCOMING_MESSAGE_H

#include "service/core/exchange.h"

/* A rule of the binary port (core/rules.h): answers the exchange once, in the call or later. On the
 * connection's loop. */
void ks_incoming_message_begin(struct ks_exchange *exchange, const uint8_t *fixed);

#endif
