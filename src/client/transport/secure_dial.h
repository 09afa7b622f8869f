/* secure_dial.h — from a server's address to a connection over TLS to the server that the home means.
 * Blocking; any thread.
 */
#ifndef KS_CLIENT_TRANSPORT_SECURE_DIAL_H
#define KS_CLIENT_TRANSPORT_SECURE_DIAL_H

#include "client/home/trust.h"
#include "client/transport/carrier.h"

#include <kesher/options.h>

struct ks_secure_call {
    const struct ks_address *server;
    const uint8_t *linked; /* the fingerprint of a link; NULL for none */
    struct ks_tls_context *tls;
    const struct kesher_options *options; /* defaults filled in */
};

/* A context for calls under this trust: it loads the system's authorities only where they are asked.
 * KESHER_OK with one reference; KESHER_CRYPTO; KESHER_NO_MEMORY. */
enum kesher_status ks_secure_context(const struct ks_trust *trust, struct ks_tls_context **context,
                                     struct kesher_error *error);

/* Connects, shakes hands and judges who answered, by *trust and the link (home/trust_judgement.h); asks
 * options->questions where somebody has to say yes, and tells options->observer. Beyond the handshake nothing
 * is sent. KESHER_OK with *carrier for ks_carrier_free, and *trust is what the home is to keep before
 * anything is said; KESHER_REFUSED when it is not the server that the home means, or did not choose kesher/1,
 * and nothing was sent; errors as ks_dial and ks_carrier_secure. */
enum kesher_status ks_secure_dial(const struct ks_secure_call *call, struct ks_trust *trust,
                                  struct ks_carrier **carrier, struct kesher_error *error);

/* The same over a socket that is connected already, which it owns (also when this fails). */
enum kesher_status ks_secure_dial_over(int fd, const struct ks_secure_call *call, struct ks_trust *trust,
                                       struct ks_carrier **carrier, struct kesher_error *error);

#endif
