/* home_standing.h — classic or secure: which kind of server a home belongs to. Nothing changes it but what is
 * written in the home. One thread at a time.
 */
#ifndef KS_CLIENT_HOME_HOME_STANDING_H
#define KS_CLIENT_HOME_HOME_STANDING_H

#include "client/home/trust.h"

enum ks_home_standing {
    KS_HOME_NEW,       /* says nothing; perhaps a key for an account that no server knows yet */
    KS_HOME_ADDRESSED, /* no identity, but a server.info or a transfer.info: whoever wrote it means classic */
    KS_HOME_CLASSIC,   /* a me.info or my.info, and no account that a server has confirmed */
    KS_HOME_SECURE,    /* an account that its server has confirmed; or a server.trust, and nothing classic */
};

/* KESHER_OK with *standing, and in *trust what the home keeps (its mode may be KS_TRUST_NONE in each of
 * them); KESHER_INVALID when account.key or server.trust makes no sense or is not its owner's alone: such a
 * home is not taken for a classic one. KESHER_FILE; KESHER_NO_MEMORY. */
enum kesher_status ks_home_standing_of(const struct kesher_home *home, enum ks_home_standing *standing,
                                       struct ks_trust *trust, struct kesher_error *error);

/* KESHER_OK unless the home is secure; then KESHER_INVALID: nothing falls back to the classic ports. Else as
 * above. */
enum kesher_status ks_home_standing_allows_classic(const struct kesher_home *home,
                                                   struct kesher_error *error);

/* That KESHER_INVALID with its sentence. */
enum kesher_status ks_home_standing_refuse_classic(const struct ks_trust *trust, struct kesher_error *error);

#endif
