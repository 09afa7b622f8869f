/* account_sign_in.h — 3000 and 3001: who has an account already (protocol.md §8.1). Rules of the secure port
 * (core/rules.h): each answers its exchange once, in the call or later. The connection's loop.
 */
#ifndef KS_SERVICE_ACCOUNTS_ACCOUNT_SIGN_IN_H
#define KS_SERVICE_ACCOUNTS_ACCOUNT_SIGN_IN_H

#include "service/core/exchange.h"

void ks_account_nonce(struct ks_exchange *exchange, const uint8_t *fixed);
void ks_account_sign_in(struct ks_exchange *exchange, const uint8_t *fixed);

#endif
