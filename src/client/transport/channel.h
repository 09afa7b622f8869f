/* channel.h — a connection to a server: bytes out, frames in, and a limit on how long nothing may move.
 *
 * While it sends, a channel also takes in what arrives, into a bounded buffer: so a server whose answers back
 * up cannot block a sender for ever, and an early refusal is seen in the middle of a large upload. After a
 * failure the channel is broken: nothing more can be sent, but what had arrived can still be received.
 *
 * There are servers that pad answers to blocks, and want requests padded (wire/blocks.h). A channel drops the
 * padding before a header wherever it comes, and pads what ks_channel_send_end ends from the first padding on
 * that it sees; nobody else need know. One thread at a time.
 */
#ifndef KS_CLIENT_TRANSPORT_CHANNEL_H
#define KS_CLIENT_TRANSPORT_CHANNEL_H

#include "client/transport/carrier.h"
#include "wire/frame.h"

#include <kesher/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ks_channel;

/* Connects. KESHER_OK with *channel for ks_channel_close; errors as ks_dial, and KESHER_NO_MEMORY. */
enum kesher_status ks_channel_open(const char *address, uint32_t connect_ms, uint32_t progress_ms,
                                   struct ks_channel **channel, struct kesher_error *error);

/* A channel over a connected, non-blocking socket, which it owns from now on (also when this fails).
 * `address` is for sentences and is copied. KESHER_OK or KESHER_NO_MEMORY. */
enum kesher_status ks_channel_adopt(int fd, const char *address, uint32_t progress_ms,
                                    struct ks_channel **channel, struct kesher_error *error);

/* The same over a carrier. Over TLS answers are not padded, and no padding is taken. */
enum kesher_status ks_channel_over(struct ks_carrier *carrier, const char *address, uint32_t progress_ms,
                                   struct ks_channel **channel, struct kesher_error *error);

void ks_channel_close(struct ks_channel *channel); /* NULL is allowed */

/* Frees the channel, and its carrier is the caller's to free: for what speaks no frames any more. What has
 * arrived and was not taken is lost: see ks_channel_take_exactly. */
struct ks_carrier *ks_channel_give_up(struct ks_channel *channel);

/* The TLS that it goes over; NULL for none. The channel's. */
struct ks_tls *ks_channel_tls(struct ks_channel *channel);

/* True after any failure of the calls below, and once the server has closed the connection and that was seen.
 */
bool ks_channel_is_broken(const struct ks_channel *channel);

/* True once the server has closed the connection in good order, and all that it sent was taken. */
bool ks_channel_has_ended(const struct ks_channel *channel);

/* From now on `progress_ms` is how long nothing may move. */
void ks_channel_limit(struct ks_channel *channel, uint32_t progress_ms);

/* The descriptor, to be polled. The channel's. */
int ks_channel_descriptor(const struct ks_channel *channel);

/* Sends all of `bytes`, in one send(2) when the socket takes them. KESHER_OK; KESHER_CONNECTION;
 * KESHER_TIMEOUT; KESHER_PROTOCOL when the server sends more unasked than the channel holds while it takes
 * nothing. */
enum kesher_status ks_channel_send(struct ks_channel *channel, const void *bytes, size_t size,
                                   struct kesher_error *error);

/* The same for the last bytes of a request that has `request_size` bytes in all, with its padding behind it
 * when the server pads: together in one segment if they fit. */
enum kesher_status ks_channel_send_end(struct ks_channel *channel, const void *bytes, size_t size,
                                       uint64_t request_size, struct kesher_error *error);

/* Waits up to `wait_ms` for a whole response header and copies it without taking it; with 0 it looks only at
 * what has arrived. False when there is none, for whatever reason. */
bool ks_channel_peek(struct ks_channel *channel, uint32_t wait_ms, struct ks_response_header *header);

/* Takes a response header. KESHER_OK; KESHER_CONNECTION when the connection ended before all of it had
 * arrived; KESHER_TIMEOUT; KESHER_PROTOCOL when something stands inside the padding before it. */
enum kesher_status ks_channel_receive_header(struct ks_channel *channel, struct ks_response_header *header,
                                             struct kesher_error *error);

/* Takes exactly `size` bytes of a payload; errors as ks_channel_receive_header. */
enum kesher_status ks_channel_receive(struct ks_channel *channel, void *bytes, size_t size,
                                      struct kesher_error *error);

/* Takes what there is of a payload, at least one byte and at most `capacity`, which is not 0: without a copy
 * where nothing has arrived yet. Errors as ks_channel_receive_header. */
enum kesher_status ks_channel_receive_some(struct ks_channel *channel, void *bytes, size_t capacity,
                                           size_t *size, struct kesher_error *error);

/* While it is on, what nobody has asked for stays in the socket. So when the program dies, or closes the
 * channel, before it has asked for all that came, the system resets the connection, and the server knows that
 * not all was taken (protocol.md §1.3). */
void ks_channel_take_exactly(struct ks_channel *channel, bool exactly);

/* Waits for the next byte and copies it without taking it; not over TLS. Errors as ks_channel_receive_header.
 */
enum kesher_status ks_channel_look(struct ks_channel *channel, uint8_t *byte, struct kesher_error *error);

/* Takes exactly `size` bytes and drops them. */
enum kesher_status ks_channel_skip(struct ks_channel *channel, uint64_t size, struct kesher_error *error);

/* Fills `error` and makes the channel broken: the server sent what the protocol does not allow. */
enum kesher_status ks_channel_fail_protocol(struct ks_channel *channel, struct kesher_error *error,
                                            const char *what);

#endif
