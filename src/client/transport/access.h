/* access.h — an account's way to its secure server: where that is, how the home trusts it, the account's key,
 * and the connection that comes of it all. A session has one in the place of a classic identity. One thread
 * at a time.
 */
#ifndef KS_CLIENT_TRANSPORT_ACCESS_H
#define KS_CLIENT_TRANSPORT_ACCESS_H

#include "client/home/account_file.h"
#include "client/home/trust.h"
#include "client/transport/account_facts.h"
#include "client/transport/channel.h"
#include "client/transport/sign_in.h"
#include "wire/link.h"

#include <kesher/options.h>

struct ks_access {
    const struct kesher_home *home; /* the caller's */
    struct kesher_home *new_home;   /* the same, for one that may have to be made; else NULL */
    struct ks_address server;
    struct ks_link link; /* as it was given; its code is not kept here */
    struct ks_trust trust;
    struct ks_tls_context *tls;    /* owned; NULL before the first call */
    struct ks_own_account account; /* while has_account */
    bool has_account;
    bool registers;                /* the caller does, instead of signing in */
    struct ks_account_facts facts; /* what the server said when it let us in last */
    char shown[KESHER_ADDRESS_SIZE];
};

/* `link`: of a server; an invitation in it is left alone. Reads how the home trusts it. KESHER_OK with
 * *access for ks_access_free; KESHER_INVALID for what is no link; errors as ks_trust_load. */
enum kesher_status ks_access_new(const struct kesher_home *home, const char *link, struct ks_access **access,
                                 struct kesher_error *error);
void ks_access_free(struct ks_access *access); /* wipes; NULL is allowed */

/* Where the options say that passphrases come from; NULL for nowhere. */
const struct kesher_passphrase *ks_access_passphrase(const struct kesher_options *options);

/* Opens the home's account, for which a passphrase may be asked. KESHER_OK; KESHER_NOT_FOUND with what to do
 * when there is none that a server has confirmed; errors as ks_account_file_open. */
enum kesher_status ks_access_load(struct ks_access *access, const struct kesher_options *options,
                                  struct kesher_error *error);

/* Connects to the server that the home means, and keeps what it is to keep of that: nothing is said yet. The
 * home is made where it may be. KESHER_OK with *channel; errors as ks_secure_dial and ks_trust_save. */
enum kesher_status ks_access_connect(struct ks_access *access, const struct kesher_options *options,
                                     struct ks_channel **channel, struct kesher_error *error);

/* The same, and signs in, unless the caller registers. KESHER_OK with *channel; errors as ks_sign_in, too. */
enum kesher_status ks_access_sign_in(struct ks_access *access, const struct kesher_options *options,
                                     struct ks_channel **channel, struct kesher_error *error);

/* What the server said when it let us in: into the home with it. KESHER_OK; errors as ks_account_file_confirm
 * and ks_trust_save. */
enum kesher_status ks_access_keep(struct ks_access *access, const struct ks_account_facts *facts,
                                  struct kesher_error *error);

struct ks_signer ks_access_signer(const struct ks_access *access);

#endif
