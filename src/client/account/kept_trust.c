/* kept_trust.c — see <kesher/trust.h>. */
#include "client/home/home_standing.h"

#include <kesher/trust.h>

enum kesher_status kesher_home_trust(const struct kesher_home *home, struct kesher_trust *trust,
                                     struct kesher_error *error)
{
    struct ks_trust kept;
    *trust = (struct kesher_trust){.mode = KESHER_TRUST_NONE};
    enum kesher_status status = ks_trust_load(home, &kept, error);
    if (status != KESHER_OK || kept.mode == KS_TRUST_NONE)
        return status;
    ks_address_format(&kept.server, trust->address, sizeof trust->address);
    trust->mode = kept.mode == KS_TRUST_KEY ? KESHER_TRUST_KEY : KESHER_TRUST_AUTHORITY;
    if (kept.mode == KS_TRUST_KEY)
        ks_tls_fingerprint_text(kept.key, trust->fingerprint);
    if (kept.mode == KS_TRUST_KEY && kept.has_next)
        ks_tls_fingerprint_text(kept.next, trust->next_fingerprint);
    return KESHER_OK;
}

enum kesher_status kesher_home_is_secure(const struct kesher_home *home, bool *is_secure,
                                         struct kesher_error *error)
{
    enum ks_home_standing standing = KS_HOME_NEW;
    struct ks_trust trust;
    enum kesher_status status = ks_home_standing_of(home, &standing, &trust, error);
    *is_secure = status == KESHER_OK && standing == KS_HOME_SECURE;
    return status;
}

enum kesher_status kesher_home_forget_trust(const struct kesher_home *home, struct kesher_error *error)
{
    return ks_trust_forget(home, error);
}
