/* sealing.h — TLS below a link: what is written is encrypted into a queue for the kernel, what arrives is
 * decrypted. A client's side, without resumption. One owner; on its loop's thread.
 */
#ifndef KS_BENCH_LOAD_SEALING_H
#define KS_BENCH_LOAD_SEALING_H

#include "base/result.h"
#include "crypto/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* As much more than what is fed may come out: of a record whose beginning had been fed before. */
    KS_SEALING_EXCESS = KS_TLS_RECORD_SIZE,
};

/* Private but for reading `tls` and `is_done`. */
struct ks_sealing {
    struct ks_tls *tls;
    bool is_done;   /* the handshake: plaintext can be written and read */
    bool is_lost;   /* for want of memory */
    uint8_t *bytes; /* for the kernel */
    size_t start;
    size_t size;
    size_t capacity;
};

/* Takes a reference to the context. KS_OK with *sealing for ks_sealing_free; KS_NO_MEMORY. */
enum ks_result ks_sealing_new(struct ks_tls_context *context, struct ks_sealing **sealing);
void ks_sealing_free(struct ks_sealing *sealing); /* sends nothing; NULL is allowed */

/* Begins the handshake, or goes on with it: with `size` bytes that have come, which live until
 * ks_sealing_open has taken them. KS_OK when it is done: what is left of the bytes is there to be opened;
 * KS_MORE; else it failed, and what the peer is to be told of that is queued. */
enum ks_result ks_sealing_shake_hands(struct ks_sealing *sealing, const uint8_t *bytes, size_t size);

/* Gives the sealing `size` bytes that have come, after the handshake. */
void ks_sealing_feed(struct ks_sealing *sealing, const uint8_t *bytes, size_t size);

/* Opens all that was fed: *got bytes of plaintext, for which there is room with KS_SEALING_EXCESS more than
 * was fed. KS_MORE: more may come; KS_CLOSED: the peer has said all; else it is broken. *got counts in any
 * case. */
enum ks_result ks_sealing_open(struct ks_sealing *sealing, uint8_t *bytes, size_t capacity, size_t *got);

/* Encrypts `size` bytes, at least one, after the handshake. KS_OK; else the connection is of no use. */
enum ks_result ks_sealing_seal(struct ks_sealing *sealing, const uint8_t *bytes, size_t size);

/* Queues a close_notify. The same results. */
enum ks_result ks_sealing_end(struct ks_sealing *sealing);

/* What is queued for the kernel; *size bytes. */
const uint8_t *ks_sealing_queued(const struct ks_sealing *sealing, size_t *size);

/* The kernel has taken so many of them. */
void ks_sealing_sent(struct ks_sealing *sealing, size_t size);

#endif
