/* crc32.c — see crc32.h. */
#include "crypto/crc32.h"

#include <isa-l/crc.h>

uint32_t ks_crc32(const uint8_t *bytes, size_t size)
{
    return ks_crc32_add(0, bytes, size);
}

uint32_t ks_crc32_add(uint32_t crc, const uint8_t *bytes, size_t size)
{
    return crc32_gzip_refl(crc, bytes, size);
}
