/* crc32.h — the CRC-32 of Ethernet, gzip and others (ISO-HDLC: polynomial 0x04C11DB7, reflected, complemented
 * at both ends), against damage by accident. Of "123456789" it is 0xCBF43926. Pure; any thread.
 */
#ifndef KS_CRYPTO_CRC32_H
#define KS_CRYPTO_CRC32_H

#include <stddef.h>
#include <stdint.h>

uint32_t ks_crc32(const uint8_t *bytes, size_t size);

/* Of what `crc` is the value of, and these bytes behind it; of nothing the value is 0. */
uint32_t ks_crc32_add(uint32_t crc, const uint8_t *bytes, size_t size);

#endif
