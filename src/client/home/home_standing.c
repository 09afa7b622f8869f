/* home_standing.c — see home_standing.h. */
#include "client/home/home_standing.h"

#include "client/failure.h"
#include "client/home/account_file.h"

#include <kesher/identity.h>

static enum kesher_status account_is_confirmed(const struct kesher_home *home, bool *confirmed,
                                               struct kesher_error *error)
{
    struct ks_own_account account;
    *confirmed = false;
    if (!ks_account_file_exists(home))
        return KESHER_OK;
    enum kesher_status status = ks_account_file_look(home, &account, error);
    *confirmed = status == KESHER_OK && account.has_public_id;
    return status;
}

enum kesher_status ks_home_standing_of(const struct kesher_home *home, enum ks_home_standing *standing,
                                       struct ks_trust *trust, struct kesher_error *error)
{
    bool confirmed = false;
    enum kesher_status status = ks_trust_load(home, trust, error);
    if (status == KESHER_OK)
        status = account_is_confirmed(home, &confirmed, error);
    if (status != KESHER_OK)
        return status;
    const bool has_identity = kesher_identity_exists(home);
    if (confirmed || (trust->mode != KS_TRUST_NONE && !has_identity))
        *standing = KS_HOME_SECURE;
    else if (has_identity)
        *standing = KS_HOME_CLASSIC;
    else if (ks_home_files_exists(home, "server.info") || ks_home_files_exists(home, "transfer.info"))
        *standing = KS_HOME_ADDRESSED;
    else
        *standing = KS_HOME_NEW;
    return KESHER_OK;
}

enum kesher_status ks_home_standing_refuse_classic(const struct ks_trust *trust, struct kesher_error *error)
{
    char address[KESHER_ADDRESS_SIZE];
    if (trust->mode == KS_TRUST_NONE)
        return ks_failure(error, KESHER_INVALID,
                          "this home has an account on a secure server, and nothing falls back to a classic "
                          "address by itself; give the server's link (kesher://HOST:PORT/), or another home");
    ks_address_format(&trust->server, address, sizeof address);
    return ks_failure(
        error, KESHER_INVALID,
        "this home belongs to the secure server kesher://%s/, and nothing falls back to a "
        "classic address by itself; leave --server out, or use another home for classic servers",
        address);
}

enum kesher_status ks_home_standing_allows_classic(const struct kesher_home *home, struct kesher_error *error)
{
    enum ks_home_standing standing = KS_HOME_NEW;
    struct ks_trust trust;
    enum kesher_status status = ks_home_standing_of(home, &standing, &trust, error);
    if (status != KESHER_OK || standing != KS_HOME_SECURE)
        return status;
    return ks_home_standing_refuse_classic(&trust, error);
}
