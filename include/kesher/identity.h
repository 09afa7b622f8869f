/* identity.h — who a user is: a name, the id that the server issued, an RSA key pair.
 *
 * Part of the public interface of libkesher; include <kesher/kesher.h>.
 *
 * The id and the private key are secrets: they stay inside the opaque type and in the home's files (mode
 * 0600), and are wiped when it is freed. Used by one thread at a time.
 */
#ifndef KESHER_IDENTITY_H
#define KESHER_IDENTITY_H

#include <kesher/home.h>
#include <kesher/options.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { KESHER_FINGERPRINT_SIZE = 80 }; /* 64 hex digits in 16 groups, and a NUL */

struct kesher_identity;

/* Reads the identity of a home: me.info, else my.info; its private key from me.info, else priv.key, else line
 * 3 of my.info. KESHER_OK with *identity for kesher_identity_free; KESHER_NOT_FOUND when there is none;
 * KESHER_INVALID when a file makes no sense; KESHER_FILE; KESHER_NO_MEMORY. */
KESHER_API enum kesher_status kesher_identity_load(const struct kesher_home *home,
                                                   struct kesher_identity **identity,
                                                   struct kesher_error *error);
KESHER_API void kesher_identity_free(struct kesher_identity *identity); /* wipes; NULL is allowed */

/* True when the home holds a me.info or a my.info, readable or not. */
KESHER_API bool kesher_identity_exists(const struct kesher_home *home);

/* The user's name. Owned by the identity. */
KESHER_API const char *kesher_identity_name(const struct kesher_identity *identity);

/* SHA-256 of the public key (SubjectPublicKeyInfo) as hex in groups of four digits.
 * KESHER_OK; KESHER_CRYPTO for a foreign key pair whose public half does not fit the protocol. */
KESHER_API enum kesher_status kesher_identity_fingerprint(const struct kesher_identity *identity,
                                                          char fingerprint[KESHER_FINGERPRINT_SIZE],
                                                          struct kesher_error *error);

/* Registers `name` with the server at `address` and writes me.info and priv.key, and the address to
 * server.info (see kesher_home_server); the key is on disk before the server hears of the name, and the home
 * is made when there is a connection. A priv.key that is already there is used. Speaks 1025 and 1026; a
 * server that knows only messages gets 600 instead. `options` may be NULL. KESHER_OK with *identity for
 * kesher_identity_free; KESHER_EXISTS when the home has an identity; KESHER_INVALID for a name that is none;
 * KESHER_REFUSED when the server said no; KESHER_CONNECTION; KESHER_TIMEOUT; KESHER_PROTOCOL;
 * KESHER_FILE; KESHER_CRYPTO; KESHER_NO_MEMORY. */
KESHER_API enum kesher_status kesher_register(struct kesher_home *home, const char *address, const char *name,
                                              const struct kesher_options *options,
                                              struct kesher_identity **identity, struct kesher_error *error);

/* Registers `name` anew, with the key pair of the home's identity, at a server that does not know this any
 * more. The old files are kept under other names (me.info.old.1 and so on). KESHER_OK with *identity for
 * kesher_identity_free; KESHER_NOT_FOUND when the home has none; KESHER_EXISTS when the server knows it, and
 * nothing was registered (a public key that was missing there was sent, and an id that stood in the home with
 * its bytes reversed was put right); KESHER_INVALID also for another server than the home's, unless
 * options->moved; other errors as kesher_register. */
KESHER_API enum kesher_status kesher_register_again(const struct kesher_home *home, const char *address,
                                                    const char *name, const struct kesher_options *options,
                                                    struct kesher_identity **identity,
                                                    struct kesher_error *error);

#ifdef __cplusplus
}
#endif

#endif
