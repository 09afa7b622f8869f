/* account_adoption.h — 3003 and 3004: a classic identity becomes an account (protocol.md §8.3). Rules of the
 * secure port (core/rules.h): each answers its exchange once, in the call or later. The connection's loop.
 */
#ifndef KS_SERVICE_ACCOUNTS_ACCOUNT_ADOPTION_H
#define KS_SERVICE_ACCOUNTS_ACCOUNT_ADOPTION_H

#include "service/core/exchange.h"

void ks_account_adopt(struct ks_exchange *exchange, const uint8_t *fixed);
void ks_account_adoption_proof(struct ks_exchange *exchange, const uint8_t *fixed);

#endif
