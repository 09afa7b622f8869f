/* refusals.h — 4999: what is refused on the secure port, by its reason and with a sentence that says what to
 * do (protocol.md §8). Private to src/service; the connection's loop.
 */
#ifndef KS_SERVICE_ACCOUNTS_REFUSALS_H
#define KS_SERVICE_ACCOUNTS_REFUSALS_H

#include "service/core/exchange.h"
#include "wire/accounts_codec.h"

/* Answers with the reason and its sentence, and says so in the log. The exchange is invalid afterwards. */
void ks_refuse(struct ks_exchange *exchange, enum ks_refusal_reason reason);

/* The same with a sentence of the caller's own. */
void ks_refuse_saying(struct ks_exchange *exchange, enum ks_refusal_reason reason, const char *sentence);

/* The same as the first one, and the connection ends. */
void ks_refuse_and_end(struct ks_exchange *exchange, enum ks_refusal_reason reason);

/* The same inside of an answer in frames (core/stream.h): makes the frame, and says so in the log. Returns
 * its size; the exchange stays the caller's. */
enum { KS_REFUSAL_FRAME_LIMIT = KS_RESPONSE_HEADER_SIZE + KS_REFUSAL_LIMIT };
size_t ks_refusal_frame(const struct ks_exchange *exchange, enum ks_refusal_reason reason,
                        uint8_t bytes[static KS_REFUSAL_FRAME_LIMIT]);

/* The reason for what a store could not do for itself: KS_REFUSAL_NO_SPACE or KS_REFUSAL_TROUBLE. */
enum ks_refusal_reason ks_refusal_of(enum ks_result result);

/* A sentence for a reason; static. */
const char *ks_refusal_sentence(enum ks_refusal_reason reason);

#endif
