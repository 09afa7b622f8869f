/* carrier.h — what brings a client's bytes to a server and back: a connected, non-blocking socket, with TLS
 * over it or without. Nothing here waits, but for ks_carrier_secure.
 *
 * Without TLS it is the socket, call by call. With TLS it holds what was encrypted and did not go out yet, at
 * most KS_CARRIER_OUTPUT_LIMIT of it: each call that moves bytes sends of that what the socket takes. So poll
 * for what ks_carrier_events says, and not when ks_carrier_has_pending: then there is something to receive
 * that no poll will tell. One thread at a time.
 */
#ifndef KS_CLIENT_TRANSPORT_CARRIER_H
#define KS_CLIENT_TRANSPORT_CARRIER_H

#include "crypto/tls.h"

#include <kesher/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { KS_CARRIER_OUTPUT_LIMIT = 128 * 1024 };

struct ks_carrier;

/* A carrier over a connected, non-blocking socket, which it owns from now on (also when this fails).
 * KESHER_OK or KESHER_NO_MEMORY. */
enum kesher_status ks_carrier_new(int fd, struct ks_carrier **carrier, struct kesher_error *error);

void ks_carrier_free(struct ks_carrier *carrier); /* closes at once; NULL is allowed */

/* Shakes hands as a client that calls the server `host`, within `limit_ms`; `shown` is for sentences. Nothing
 * but the handshake is sent. KESHER_OK; KESHER_CONNECTION; KESHER_TIMEOUT; KESHER_PROTOCOL for what does not
 * speak TLS 1.3 as we do; KESHER_CRYPTO; KESHER_NO_MEMORY. After an error it can only be freed. */
enum kesher_status ks_carrier_secure(struct ks_carrier *carrier, struct ks_tls_context *context,
                                     const char *host, const char *shown, uint32_t limit_ms,
                                     struct kesher_error *error);

/* What the handshake has found out; NULL without TLS. The carrier's. */
struct ks_tls *ks_carrier_tls(struct ks_carrier *carrier);

/* Takes bytes to be sent. How many, or -1 with errno: EAGAIN when none can be taken now, EPROTO when TLS
 * failed, what send(2) says. `more`: bytes that belong to them follow at once. */
ssize_t ks_carrier_send(struct ks_carrier *carrier, const void *bytes, size_t size, bool more);

/* Gives what has arrived. How many bytes, 0 when the server has said all; or -1 with errno: EAGAIN when
 * nothing is there, ECONNABORTED when the end came without TLS having ended: the connection was cut; EPROTO
 * when what came is not what the server sent; what recv(2) says. */
ssize_t ks_carrier_receive(struct ks_carrier *carrier, void *bytes, size_t size);

/* Without TLS: recv(2) with MSG_PEEK. With TLS: ENOTSUP; nothing of what the system has is as it was sent. */
ssize_t ks_carrier_peek(struct ks_carrier *carrier, void *bytes, size_t size);

/* We have said all: the server hears of the end, and goes on to be heard. */
void ks_carrier_end(struct ks_carrier *carrier);

/* Plaintext waits to be received, or the end. */
bool ks_carrier_has_pending(const struct ks_carrier *carrier);

/* What to poll(2) for when `wanted` (POLLIN, POLLOUT) is wanted. When it comes, call what moves bytes. */
short ks_carrier_events(const struct ks_carrier *carrier, short wanted);

/* KESHER_CONNECTION: why the connection to the server, for people `shown`, was lost, as an errno of the calls
 * above; 0 when the server has closed. `carrier` may be NULL. */
enum kesher_status ks_carrier_failure(const struct ks_carrier *carrier, int error_number, const char *shown,
                                      struct kesher_error *error);

int ks_carrier_descriptor(const struct ks_carrier *carrier); /* the carrier's */

#endif
