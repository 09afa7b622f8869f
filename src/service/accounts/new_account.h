/* new_account.h — 3002: a new account (protocol.md §8.2). A rule of the secure port (core/rules.h):
 * it answers its exchange once, in the call or later. The connection's loop.
 */
#ifndef KS_SERVICE_ACCOUNTS_NEW_ACCOUNT_H
#define KS_SERVICE_ACCOUNTS_NEW_ACCOUNT_H

#include "service/core/exchange.h"

void ks_new_account_register(struct ks_exchange *exchange, const uint8_t *fixed);

#endif
