/* account_removal.h — 3008: an account goes (protocol.md §8). A rule of the secure port (core/rules.h): it
 * answers its exchange once, later; then the connection ends. The connection's loop.
 */
#ifndef KS_SERVICE_ACCOUNTS_ACCOUNT_REMOVAL_H
#define KS_SERVICE_ACCOUNTS_ACCOUNT_REMOVAL_H

#include "service/core/exchange.h"

void ks_account_remove(struct ks_exchange *exchange, const uint8_t *fixed);

#endif
