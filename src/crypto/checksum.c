/* checksum.c — see checksum.h. ISA-L's crc32_ieee has the polynomial and the bit order of cksum, and
 * complements at both ends; undoing that gives the bare step. */
#include "crypto/checksum.h"

#include <isa-l/crc.h>

#define CKSUM_POLYNOMIAL UINT32_C(0x04C11DB7)

void ks_cksum_add(struct ks_cksum *cksum, const uint8_t *bytes, size_t size)
{
    cksum->remainder = ~crc32_ieee(~cksum->remainder, bytes, size);
    cksum->length += size;
}

static uint32_t portable_step(uint32_t remainder, uint8_t byte)
{
    remainder ^= (uint32_t)byte << 24;
    for (int bit = 0; bit < 8; bit++)
        remainder =
            (remainder & UINT32_C(0x80000000)) != 0 ? remainder << 1 ^ CKSUM_POLYNOMIAL : remainder << 1;
    return remainder;
}

void ks_cksum_add_portable(struct ks_cksum *cksum, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        cksum->remainder = portable_step(cksum->remainder, bytes[i]);
    cksum->length += size;
}

uint32_t ks_cksum_value(const struct ks_cksum *cksum)
{
    uint32_t remainder = cksum->remainder;
    for (uint64_t length = cksum->length; length > 0; length >>= 8)
        remainder = portable_step(remainder, (uint8_t)length);
    return ~remainder;
}

uint32_t ks_crc32(const uint8_t *bytes, size_t size)
{
    return ks_crc32_add(0, bytes, size);
}

uint32_t ks_crc32_add(uint32_t crc, const uint8_t *bytes, size_t size)
{
    return crc32_gzip_refl(crc, bytes, size);
}
