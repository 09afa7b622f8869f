/* host_key_shown.h — what a server shows on its secure port, kept in `tls/shown` for commands that tell
 * people about it: they may not be allowed to read the operator's files, do not see systemd's credentials,
 * and cannot know a port that the system chose. It may be as old as the last start or reload.
 *
 * One JSON object. Blocking; main thread, or a command's.
 */
#ifndef KS_SERVER_HOST_KEY_SHOWN_H
#define KS_SERVER_HOST_KEY_SHOWN_H

#include "base/address.h"
#include "server/host_key.h"

struct ks_host_key_shown {
    uint8_t fingerprint[KS_TLS_FINGERPRINT_SIZE];
    bool is_self_signed;
    bool is_given;                   /* in the operator's files: not that of key.pem */
    char name[KS_ADDRESS_HOST_SIZE]; /* of the certificate; "" when it names nobody */
    char address[300];               /* "host:port" of the listener; "" when that is not known */
};

/* Of an identity that was read; the address is "". */
void ks_host_key_shown_of(const struct ks_tls_identity *identity, bool is_given,
                          struct ks_host_key_shown *shown);

/* KS_OK; else `why` holds a sentence: KS_NOT_FOUND, KS_INVALID, and what ks_host_key_read answers of a
 * directory. */
enum ks_result ks_host_key_shown_read(const struct ks_host_key_place *place, struct ks_host_key_shown *shown,
                                      char why[static KS_HOST_KEY_WHY_SIZE]);

/* Keeps it; makes the directory where there is none. KS_OK; KS_REFUSED, KS_NO_SPACE, KS_NO_MEMORY, KS_IO, and
 * `why` holds a sentence. */
enum ks_result ks_host_key_shown_write(const struct ks_host_key_place *place,
                                       const struct ks_host_key_shown *shown,
                                       char why[static KS_HOST_KEY_WHY_SIZE]);

#endif
