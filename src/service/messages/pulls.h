/* pulls.h — 604: waiting messages on their way to their receiver (protocol.md §1.3). Private to src/service.
 *
 * Nothing of a 2104 is deleted before its last byte was acknowledged by the peer's TCP. Until then its
 * messages are leased to the session; then they settle (settling.h); when the connection goes first, they
 * wait again. Everything runs on the connection's loop.
 */
#ifndef KS_SERVICE_MESSAGES_PULLS_H
#define KS_SERVICE_MESSAGES_PULLS_H

#include "service/core/exchange.h"

/* A rule of the binary port (core/rules.h): answers with a stream of messages, or without any. From the first
 * one on the pulls of a session are its follower (core/session.h). */
void ks_pulls_begin(struct ks_exchange *exchange, const uint8_t *fixed);

#endif
