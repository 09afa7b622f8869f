/* blocks.h — frames that are padded with zeros to a multiple of 1024 bytes, as one family of peers sends them
 * and waits for them (protocol.md, "Blocks"). Both directions: requests at the server, answers at the client.
 *
 * Nothing announces it. It shows in the zeros behind a frame, where the header of the next one would begin;
 * that may begin with zeros, too. Pure functions on bytes and counts; any thread.
 */
#ifndef KS_WIRE_BLOCKS_H
#define KS_WIRE_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KS_BLOCK_SIZE = 1024,
    KS_BLOCKS_QUIET_MS = 200, /* after so long without a byte, KS_BLOCKS_EXACT is padding */
};

/* The frames that come from one peer; starts as zeros. */
struct ks_blocks {
    uint16_t size;    /* of the last frame so far, modulo a block */
    uint16_t padding; /* bytes of recognised padding that are still to come */
    bool on;          /* padding was recognised: the peer is of this family */
};

/* A block of zeros, to be sent. */
extern const uint8_t ks_blocks_zeros[KS_BLOCK_SIZE];

/* How many zeros fill `size` bytes up to a multiple of a block: 0 to 1023. */
static inline size_t ks_blocks_rest(uint64_t size)
{
    return (size_t)(-size % KS_BLOCK_SIZE);
}

/* How many of the bytes are zeros, up to the first that is none. */
size_t ks_blocks_count_zeros(const uint8_t *bytes, size_t size);

/* A frame has begun with a header of `size` bytes; `size` bytes more of it have come. */
void ks_blocks_begin(struct ks_blocks *blocks, size_t size);
void ks_blocks_add(struct ks_blocks *blocks, size_t size);

/* What stands behind a complete frame. */
enum ks_blocks_verdict {
    KS_BLOCKS_FRAME,     /* the next frame */
    KS_BLOCKS_PADDING,   /* padding; ks_blocks_recognise */
    KS_BLOCKS_UNDECIDED, /* either: more bytes will tell */
    KS_BLOCKS_EXACT,     /* either: padding if nothing follows */
};

/* Judges the first `size` bytes behind a frame, of which the first `zeros` are zeros; more than `header_size`
 * of them change nothing. `header_size`: so many zeros cannot be a header. */
enum ks_blocks_verdict ks_blocks_judge(const struct ks_blocks *blocks, size_t header_size, size_t zeros,
                                       size_t size);

/* The padding behind the last frame is there, and `taken` bytes of it were taken. */
void ks_blocks_recognise(struct ks_blocks *blocks, size_t taken);

/* Takes padding from the front of `bytes` and returns how much; *broken when a byte other than zero stands
 * inside it. */
size_t ks_blocks_take(struct ks_blocks *blocks, const uint8_t *bytes, size_t size, bool *broken);

#endif
