/* checksum.h — the two checksums against damage by accident: that of the POSIX `cksum` command, which goes
 * over the wire, and the CRC-32 of Ethernet, which goes to the disk. Plain values and pure functions: copy
 * them, keep them on the stack; any thread.
 */
#ifndef KS_CRYPTO_CHECKSUM_H
#define KS_CRYPTO_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* ---- cksum (protocol.md §1.2, POSIX.1-2017 cksum) ----
 *
 * Polynomial 0x04C11DB7, not reflected, start 0; then the length, least significant byte first, without
 * leading zeros; complemented. `printf hello | cksum` is 3287646509. */

struct ks_cksum {
    uint32_t remainder;
    uint64_t length;
};

static inline struct ks_cksum ks_cksum_start(void)
{
    return (struct ks_cksum){.remainder = 0, .length = 0};
}

/* Adds bytes; any split gives the same value. */
void ks_cksum_add(struct ks_cksum *cksum, const uint8_t *bytes, size_t size);

/* The value for all that was added. Leaves `cksum` as it is. */
uint32_t ks_cksum_value(const struct ks_cksum *cksum);

/* The same function without vector instructions, to test the fast one against. */
void ks_cksum_add_portable(struct ks_cksum *cksum, const uint8_t *bytes, size_t size);

/* ---- CRC-32 (ISO-HDLC, as Ethernet, gzip and others have it) ----
 *
 * Polynomial 0x04C11DB7, reflected, complemented at both ends. Of "123456789" it is 0xCBF43926. */

uint32_t ks_crc32(const uint8_t *bytes, size_t size);

/* Of what `crc` is the value of, and these bytes behind it; of nothing the value is 0. */
uint32_t ks_crc32_add(uint32_t crc, const uint8_t *bytes, size_t size);

#endif
