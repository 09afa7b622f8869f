/* refusal.h — 1028s that are refused before anything of their content is looked at (protocol.md §1.2).
 * Private to src/service.
 */
#ifndef KS_SERVICE_DROP_REFUSAL_H
#define KS_SERVICE_DROP_REFUSAL_H

#include "service/core/exchange.h"

/* Answers with the rule's error, in the call or later, once it is known whether there is such a user: for one
 * there is, the content is skipped whole; for a stranger the connection ends after KS_SKIP_LIMIT bytes of it.
 * The payload is set, without a sink. On the connection's loop. */
void ks_refusal_of_content(struct ks_exchange *exchange);

#endif
