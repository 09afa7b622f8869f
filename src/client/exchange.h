/* exchange.h — one request of the message service and the judgement of its answer (protocol.md §1.3). One
 * thread at a time.
 */
#ifndef KS_CLIENT_EXCHANGE_H
#define KS_CLIENT_EXCHANGE_H

#include "client/session.h"

/* Makes sure that there is a channel on which nothing is unread, and runs `once` over it; after a loss
 * connects again and repeats, up to the limit of the options. The first attempt to connect at all is not
 * repeated, and nothing is when `once` (which may be told by its context) returned something else than a
 * loss. A channel that broke the protocol is dropped. Errors as ks_session_connect, with KESHER_CONNECTION
 * also where the server's name does not resolve, and of `once`. */
enum kesher_status ks_exchange_repeat(struct ks_session *session,
                                      enum kesher_status (*once)(struct ks_session *session, void *context,
                                                                 struct kesher_error *error),
                                      void *context, struct kesher_error *error);

/* The same without repeats, except of a connection that had gone since it was last used. */
enum kesher_status ks_exchange_connect(struct ks_session *session, struct kesher_error *error);

/* What an answer with `code` amounts to when `expected` was hoped for: KESHER_OK; KESHER_REFUSED for 9000;
 * KESHER_PROTOCOL, and the channel is broken, for everything else. */
enum kesher_status ks_exchange_judge(struct ks_session *session, uint16_t code, uint16_t expected,
                                     const char *doing, struct kesher_error *error);

/* Sends a request without a payload and takes the header of its answer, whose payload is still to be
 * received; that of a 9000 is dropped. Errors as ks_exchange_judge and of the channel. */
enum kesher_status ks_exchange_begin(struct ks_session *session, enum ks_request_code code, uint16_t expected,
                                     const char *doing, uint32_t *payload_size, struct kesher_error *error);

#endif
