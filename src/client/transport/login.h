/* login.h — getting an identity known to the server, and a key for contents: 1025, 1026, 1027 and 600
 * (protocol.md §1.1). One thread at a time.
 */
#ifndef KS_CLIENT_TRANSPORT_LOGIN_H
#define KS_CLIENT_TRANSPORT_LOGIN_H

#include "client/transport/client_session.h"

/* What precedes a registration: connects, makes the home where it does not exist, and gives the session an
 * identity that is not registered yet, whose key is on disk. A server that cannot be reached leaves no home
 * behind. KESHER_OK; KESHER_EXISTS when the home holds an identity; errors as ks_identity_prepare and
 * ks_client_session_connect. */
enum kesher_status ks_login_prepare(struct ks_client_session *session, struct kesher_home *home,
                                    const char *name, struct kesher_error *error);

/* Registers the session's prepared identity and saves it: 1025 and 1026, or 600 where the server knows only
 * messages. KESHER_OK; errors as kesher_register. */
enum kesher_status ks_login_register(struct ks_client_session *session, struct kesher_error *error);

/* The same with 600 only: no key for contents comes of it. */
enum kesher_status ks_login_register_messages(struct ks_client_session *session, struct kesher_error *error);

/* Registers the session's identity anew under `name`, with the same key pair; the old files are kept under
 * other names. KESHER_EXISTS when the server still knows the identity; errors as kesher_register. */
enum kesher_status ks_login_register_again(struct ks_client_session *session, const char *name,
                                           struct kesher_error *error);

/* Makes sure that the session has a channel and a key for contents: 1027; after a 2106 once more with the id
 * turned round, as one public client writes it into the home, then 1026; when that is refused too, or the
 * connection is lost over it, the name is registered anew with the same key pair, and the old files are kept
 * under other names: at the home's own server; at another one that is KESHER_UNKNOWN. KESHER_OK;
 * KESHER_REFUSED; KESHER_CONNECTION; KESHER_TIMEOUT; KESHER_PROTOCOL; KESHER_CRYPTO when the key that comes
 * cannot be decrypted; KESHER_FILE; KESHER_NO_MEMORY. */
enum kesher_status ks_login_ensure(struct ks_client_session *session, struct kesher_error *error);

/* Makes sure that the server has this identity's public key, so that others can be told it (602 about
 * oneself): sends it (1026) where there is none, as after an operator has reset it. *published: it was sent
 * now. KESHER_OK; KESHER_CHANGED when the server has another one; errors as ks_login_ensure. */
enum kesher_status ks_login_publish_key(struct ks_client_session *session, bool *published,
                                        struct kesher_error *error);

#endif
