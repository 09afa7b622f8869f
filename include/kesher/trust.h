/* trust.h — how a home trusts its secure server.
 *
 * Part of the public interface of libkesher; include <kesher/kesher.h>.
 *
 * The mode never changes by itself. By key: that key and no other, whatever an authority says. By authority:
 * any certificate for that name for which the system's authorities vouch. One thread at a time.
 */
#ifndef KESHER_TRUST_H
#define KESHER_TRUST_H

#include <kesher/home.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { KESHER_SERVER_FINGERPRINT_SIZE = 44 }; /* 43 characters of base64url, and a NUL */

enum kesher_trust_mode {
    KESHER_TRUST_NONE, /* no secure server was spoken to */
    KESHER_TRUST_KEY,
    KESHER_TRUST_AUTHORITY,
};

struct kesher_trust {
    enum kesher_trust_mode mode;
    char address[KESHER_ADDRESS_SIZE]; /* "host:port"; empty, as what follows, where there is none */
    char fingerprint[KESHER_SERVER_FINGERPRINT_SIZE];      /* by key */
    char next_fingerprint[KESHER_SERVER_FINGERPRINT_SIZE]; /* by key: the one that the server has announced */
};

/* What the home keeps. KESHER_OK; KESHER_INVALID when server.trust makes no sense, or others may write it;
 * KESHER_FILE; KESHER_NO_MEMORY. */
KESHER_API enum kesher_status kesher_home_trust(const struct kesher_home *home, struct kesher_trust *trust,
                                                struct kesher_error *error);

/* Whether the home belongs to a secure server: it has an account that one has confirmed, or trusts one and
 * has no classic identity. Nothing of it falls back to the classic ports. KESHER_OK with *is_secure; errors
 * as above. */
KESHER_API enum kesher_status kesher_home_is_secure(const struct kesher_home *home, bool *is_secure,
                                                    struct kesher_error *error);

/* Forgets it: the next contact is the first one. KESHER_OK; KESHER_NOT_FOUND when there is nothing to forget;
 * KESHER_FILE. */
KESHER_API enum kesher_status kesher_home_forget_trust(const struct kesher_home *home,
                                                       struct kesher_error *error);

#ifdef __cplusplus
}
#endif

#endif
