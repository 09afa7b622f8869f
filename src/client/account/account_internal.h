/* account_internal.h — the inside of a kesher_account, for the files that make it up: account.c (opening it,
 * and what it asks), account_making.c (making one), classic_side.c (the classic ports' view of it). One
 * thread at a time.
 */
#ifndef KS_CLIENT_ACCOUNT_ACCOUNT_INTERNAL_H
#define KS_CLIENT_ACCOUNT_ACCOUNT_INTERNAL_H

#include "client/transport/client_session.h"

#include <kesher/account.h>

struct kesher_account {
    struct ks_client_session session; /* with an access */
};

/* An account that has nothing loaded yet, whose server is a secure one. KESHER_OK, for kesher_account_close;
 * KESHER_INVALID for what is no link; errors as ks_access_new. */
enum kesher_status ks_account_new(const struct kesher_home *home, const char *link,
                                  const struct kesher_options *options, struct kesher_account **account,
                                  struct kesher_error *error);

/* 3007 with a list of settings. KESHER_OK with *facts, to be wiped. */
enum kesher_status ks_account_change(struct kesher_account *account, const uint8_t *settings, size_t size,
                                     struct ks_account_facts *facts, struct kesher_error *error);

#endif
