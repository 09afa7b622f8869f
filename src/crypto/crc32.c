/* crc32.c — see crc32.h. */
#include "crypto/crc32.h"

#include <isa-l/crc.h>

uint32_t ks_crc32(const uint8_t *bytes, size_t size)
{
    return crc32_gzip_refl(0, bytes, size);
}
