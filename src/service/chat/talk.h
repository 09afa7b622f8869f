/* talk.h — 3030: a connection of the secure port goes over to the chat (protocol.md §8, §9). A rule of the
 * secure port (core/rules.h): it answers its exchange in the call. The connection's loop.
 */
#ifndef KS_SERVICE_CHAT_TALK_H
#define KS_SERVICE_CHAT_TALK_H

#include "service/core/exchange.h"

void ks_talk_begin(struct ks_exchange *exchange, const uint8_t *fixed);

#endif
