/* cksum.h — the checksum of the POSIX `cksum` command (protocol.md §1.2, POSIX.1-2017 cksum).
 *
 * Polynomial 0x04C11DB7, not reflected, start 0; then the length, least significant byte first, without
 * leading zeros; complemented. `printf hello | cksum` is 3287646509. A plain value: copy it, keep it on the
 * stack; any thread.
 */
#ifndef KS_CRYPTO_CKSUM_H
#define KS_CRYPTO_CKSUM_H

#include <stddef.h>
#include <stdint.h>

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

#endif
