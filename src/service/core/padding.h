/* padding.h — a session whose peer pads requests with zeros, and waits for answers that are padded likewise
 * (wire/blocks.h). Only on the classic port: where peers sign in nothing is guessed. Called by frames.c,
 * exchange.c and session.c; private to them.
 *
 * Padding is no request: it has no time limit, keeps nobody from being idle, and cancels no deferred answer.
 * Everything runs on the connection's loop.
 */
#ifndef KS_SERVICE_CORE_PADDING_H
#define KS_SERVICE_CORE_PADDING_H

#include "wire/blocks.h"

struct ks_session;

/* Part of a session; starts as zeros. */
struct ks_padding {
    struct ks_blocks requests;
    uint16_t answer; /* bytes of the last answer, as far as it has left, modulo a block */
};

/* ---- requests ---- */

/* Takes padding off the front of the input, *taken bytes of it; it may have been collected as the beginning
 * of a header before. False when a request stands there, or more bytes are needed to tell. *is_broken tells
 * of a byte other than zero inside the padding. */
bool ks_padding_take(struct ks_session *session, const uint8_t *bytes, size_t size, size_t *taken,
                     bool *is_broken);

/* Whether the input goes on, or may go on, with padding. */
bool ks_padding_is_possible(const struct ks_session *session, const uint8_t *bytes, size_t size);

/* Whether what was collected of a header is exactly as many zeros as padding would have here: it is padding
 * if nothing follows for KS_BLOCKS_QUIET_MS, or ever. */
bool ks_padding_needs_silence(const struct ks_session *session);

/* Nothing followed. */
void ks_padding_had_silence(struct ks_session *session);

/* Something but padding has told that the peer is of this family. */
void ks_padding_is_the_custom(struct ks_session *session);

/* ---- answers ---- */

/* The next answer begins to leave; `size` bytes of it have left; that was all of it, and its padding leaves
 * if the peer wants it. */
void ks_padding_answer_begins(struct ks_session *session);
void ks_padding_answer_adds(struct ks_session *session, size_t size);
void ks_padding_answer_ends(struct ks_session *session);

#endif
