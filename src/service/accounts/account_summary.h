/* account_summary.h — what an account is told of itself: the lists of 4001 and 4007 (protocol.md §8). Private
 * to src/service/accounts; the connection's loop.
 */
#ifndef KS_SERVICE_ACCOUNTS_ACCOUNT_SUMMARY_H
#define KS_SERVICE_ACCOUNTS_ACCOUNT_SUMMARY_H

#include "service/core/exchange.h"
#include "store/store.h"

/* Who it is, and what it may: the list of a 4001. Returns its size. */
size_t ks_account_summary(const struct ks_exchange *exchange, const struct ks_account *account,
                          uint8_t list[static KS_ANSWER_PAYLOAD_LIMIT]);

/* Appends what it uses, for a 4007; returns the new size. `classic_id` is a new one, or NULL. */
size_t ks_account_summary_of_use(const struct ks_user_details *details, const struct ks_client_id *classic_id,
                                 uint8_t list[static KS_ANSWER_PAYLOAD_LIMIT], size_t size);

#endif
