/* login.h — getting an identity known to the server, and a key for contents: 1025, 1026, 1027 and 600
 * (protocol.md §1.1). One thread at a time.
 */
#ifndef KS_CLIENT_LOGIN_H
#define KS_CLIENT_LOGIN_H

#include "client/session.h"

/* Registers the session's prepared identity and saves it. KESHER_OK; errors as kesher_register. */
enum kesher_status ks_login_register(struct ks_session *session, struct kesher_error *error);

/* The same with 600 only, for servers that know only messages: no key for contents comes of it. */
enum kesher_status ks_login_register_messages(struct ks_session *session, struct kesher_error *error);

/* Makes sure that the session has a channel and a key that was taken on it: 1027; after a 2106 1026; when
 * that is refused too, the old files are kept under other names and the name is registered anew with the same
 * key pair. Connects again after losses, but does not repeat the very first attempt to connect. KESHER_OK;
 * KESHER_REFUSED; KESHER_CONNECTION; KESHER_TIMEOUT; KESHER_PROTOCOL; KESHER_CRYPTO when the key that comes
 * cannot be decrypted; KESHER_FILE; KESHER_NO_MEMORY. */
enum kesher_status ks_login_ensure(struct ks_session *session, struct kesher_error *error);

#endif
