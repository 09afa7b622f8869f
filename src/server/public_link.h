/* public_link.h — the link that is handed out, so that others find the secure port and know it. Pure; any
 * thread.
 *
 * HOST of it is what the operator says; else the first name of the certificate; else the address that the
 * secure port listens on, where that is one; else this machine's name, which may not be what others reach it
 * by. The fingerprint is left out where the certificate is not self-signed: then an authority vouches for
 * HOST.
 */
#ifndef KS_SERVER_PUBLIC_LINK_H
#define KS_SERVER_PUBLIC_LINK_H

#include "server/host_key_shown.h"
#include "wire/link.h"

struct ks_public_link {
    struct ks_link link; /* without an invitation */
    uint8_t fingerprint[KS_TLS_FINGERPRINT_SIZE];
    char doubt[2 * KS_LINK_HOST_SIZE + 256]; /* a sentence about HOST; "" for none */
};

/* The link to a server that shows this. `address` is what its option `secure` says, and counts where what is
 * shown has none; `host` may be NULL, as may `machine`, the machine's name. KS_OK; KS_INVALID, and `why`
 * holds a sentence. */
enum ks_result ks_public_link_make(const struct ks_host_key_shown *shown, const char *address,
                                   const char *host, const char *machine, struct ks_public_link *made,
                                   char why[static KS_HOST_KEY_WHY_SIZE]);

#endif
