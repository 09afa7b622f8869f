/* blocks.c — see blocks.h. */
#include "wire/blocks.h"

const uint8_t ks_blocks_zeros[KS_BLOCK_SIZE];

size_t ks_blocks_count_zeros(const uint8_t *bytes, size_t size)
{
    size_t zeros = 0;
    while (zeros < size && bytes[zeros] == 0)
        zeros++;
    return zeros;
}

void ks_blocks_begin(struct ks_blocks *blocks, size_t size)
{
    blocks->size = (uint16_t)(size % KS_BLOCK_SIZE);
}

void ks_blocks_add(struct ks_blocks *blocks, size_t size)
{
    blocks->size = (uint16_t)((blocks->size + size) % KS_BLOCK_SIZE);
}

enum ks_blocks_verdict ks_blocks_judge(const struct ks_blocks *blocks, size_t header_size, size_t zeros,
                                       size_t size)
{
    size_t rest = ks_blocks_rest(blocks->size);
    if (rest == 0 || (size > 0 && zeros == 0))
        return KS_BLOCKS_FRAME;
    if (zeros > 0 && blocks->on)
        return KS_BLOCKS_PADDING;
    if (zeros >= header_size && rest >= header_size)
        return KS_BLOCKS_PADDING;
    if (zeros < size || size > rest)
        return KS_BLOCKS_FRAME;
    return size == rest ? KS_BLOCKS_EXACT : KS_BLOCKS_UNDECIDED;
}

void ks_blocks_recognise(struct ks_blocks *blocks, size_t taken)
{
    blocks->on = true;
    blocks->padding = (uint16_t)(ks_blocks_rest(blocks->size) - taken);
    blocks->size = 0;
}

size_t ks_blocks_take(struct ks_blocks *blocks, const uint8_t *bytes, size_t size, bool *broken)
{
    size_t limit = size < blocks->padding ? size : blocks->padding;
    size_t zeros = ks_blocks_count_zeros(bytes, limit);
    blocks->padding = (uint16_t)(blocks->padding - zeros);
    *broken = zeros < limit;
    return zeros;
}
