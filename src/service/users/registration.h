/* registration.h — how users come to be, and to their keys: 1025, 600, 1026 and 1027 (protocol.md §1.1).
 * Private to src/service.
 *
 * Rules of the binary port (core/rules.h): each answers its exchange once, in the call or later. On the
 * connection's loop; RSA runs on the pool.
 */
#ifndef KS_SERVICE_USERS_REGISTRATION_H
#define KS_SERVICE_USERS_REGISTRATION_H

#include "service/core/exchange.h"

/* 1025 and 600: a new user, by a name alone, or with a public key for messages. */
void ks_registration_drop(struct ks_exchange *exchange, const uint8_t *fixed);
void ks_registration_messages(struct ks_exchange *exchange, const uint8_t *fixed);

/* 1026 and 1027: a new AES key for contents, under the public key in the request, which is kept, or under the
 * one that is kept. */
void ks_registration_public_key(struct ks_exchange *exchange, const uint8_t *fixed);
void ks_registration_reconnect(struct ks_exchange *exchange, const uint8_t *fixed);

#endif
