/* host_key.h — who the server is on its secure port: a key that it makes for itself, or what its operator
 * gives it.
 *
 * Its own lies in `tls/` of the data directory, which is its owner's alone, as are the keys in it:
 *
 *   key.pem          the key and behind it its certificate: one file, so that one rename changes both
 *   certificate.pem  a copy of the certificate, for people and their tools; kesherd does not read it
 *   next.pem         the key that is to follow, as key.pem
 *   previous.pem     the key that was followed, likewise
 *   shown            what clients are shown (server/host_key_shown.h)
 *
 * A key is on the disk before anybody is told of it. Where a key was, no new one is made: clients have pinned
 * it, and accept no other. All functions block on the disk; main thread, or a command's. A server and
 * commands may use a directory at the same time.
 */
#ifndef KS_SERVER_HOST_KEY_H
#define KS_SERVER_HOST_KEY_H

#include "crypto/tls_identity.h"

#include <limits.h>

enum { KS_HOST_KEY_WHY_SIZE = 2 * PATH_MAX + 512 };

/* Where the key is. */
struct ks_host_key_place {
    char directory[PATH_MAX]; /* `tls` in the data directory */
    bool is_given;            /* by the operator, in the files below */
    char certificate[PATH_MAX];
    char private_key[PATH_MAX];
};

/* The place for a data directory (NULL: none, and nothing but given files can be read) and two files, or
 * none: NULL. Without them systemd's credentials `certificate` and `private-key` are taken if there is either
 * in $CREDENTIALS_DIRECTORY. KS_OK; KS_TOO_LARGE, and `why` holds a sentence. */
enum ks_result ks_host_key_find(const char *data, const char *certificate, const char *private_key,
                                struct ks_host_key_place *place, char why[static KS_HOST_KEY_WHY_SIZE]);

/* Reads it. KS_OK with *identity for ks_tls_identity_free; else `why` holds a sentence: KS_NOT_FOUND when
 * none was ever made, or a given file is not there; KS_REFUSED when others can read the key, when it is
 * somebody else's, or when only key.pem is missing; KS_INVALID for what is no key and certificate; KS_IO,
 * KS_CRYPTO, KS_NO_MEMORY. */
enum ks_result ks_host_key_read(const struct ks_host_key_place *place, struct ks_tls_identity **identity,
                                char why[static KS_HOST_KEY_WHY_SIZE]);

/* The same for a server: at its first start the key is made, which *made tells, and is durable when this
 * returns; certificate.pem is brought up to date if that can be done. KS_NO_SPACE, too. */
enum ks_result ks_host_key_open(const struct ks_host_key_place *place, struct ks_tls_identity **identity,
                                bool *made, char why[static KS_HOST_KEY_WHY_SIZE]);

/* ---- the key that follows ---- */

/* Its fingerprint. KS_OK; KS_NOT_FOUND when none is prepared, also where the operator gives the files; the
 * others of ks_host_key_read. */
enum ks_result ks_host_key_next(const struct ks_host_key_place *place,
                                uint8_t fingerprint[static KS_TLS_FINGERPRINT_SIZE],
                                char why[static KS_HOST_KEY_WHY_SIZE]);

/* Prepares one if there is none, which *made tells; durable with KS_OK. KS_REFUSED, too, where the operator
 * gives the files. */
enum ks_result ks_host_key_prepare_next(const struct ks_host_key_place *place, bool *made,
                                        uint8_t fingerprint[static KS_TLS_FINGERPRINT_SIZE],
                                        char why[static KS_HOST_KEY_WHY_SIZE]);

/* Makes it the key; what was the key is kept as previous.pem. In one step: whatever happens, there is one
 * key or the other. KS_OK, durable, with the fingerprint; KS_NOT_FOUND when none is prepared; the others of
 * ks_host_key_prepare_next. */
enum ks_result ks_host_key_use_next(const struct ks_host_key_place *place,
                                    uint8_t fingerprint[static KS_TLS_FINGERPRINT_SIZE],
                                    char why[static KS_HOST_KEY_WHY_SIZE]);

#endif
