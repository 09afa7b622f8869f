/* account_settings.h — 3007: what an account uses, and its place on the classic ports (protocol.md §8, §8.4).
 * A rule of the secure port (core/rules.h): it answers its exchange once, in the call or later. The
 * connection's loop.
 */
#ifndef KS_SERVICE_ACCOUNTS_ACCOUNT_SETTINGS_H
#define KS_SERVICE_ACCOUNTS_ACCOUNT_SETTINGS_H

#include "service/core/exchange.h"

void ks_account_settings_begin(struct ks_exchange *exchange, const uint8_t *fixed);

#endif
