/* sums.h — sums of what waits for its receivers, against bytes that change on disk without anybody's doing. A
 * CRC-32 (crypto/checksum.h): it finds every burst up to 32 bits, all but one in four thousand million of
 * larger damage, and costs less than a copy; against somebody who writes to the disk on purpose no sum beside
 * the content would help.
 *
 * Two kinds. The *sum of a message* is that of its row and, where that has the content, of the content: so a
 * sender or a receiver that has changed is found, too. A large content, in a file of messages/, is followed
 * by *sums of its pieces*, 4 bytes for each KS_SUMS_PIECE bytes of it, little-endian: so it can be judged
 * piece by piece while it is on its way. Files of an older kesher end with the content.
 *
 * Pure but for ks_sums_add, which allocates; a structure is used by one thread at a time.
 */
#ifndef KS_STORE_EMBEDDED_DISK_SUMS_H
#define KS_STORE_EMBEDDED_DISK_SUMS_H

#include "base/result.h"
#include "wire/frame.h"

#include <stddef.h>
#include <stdint.h>

enum { KS_SUMS_PIECE = 64 * 1024, KS_SUMS_SIZE = 4 };

/* What of a message is in its row. */
struct ks_sums_row {
    uint64_t message_id;
    const struct ks_client_id *receiver;
    const struct ks_client_id *sender;
    uint8_t type;
    uint32_t content_size;
    const void *bytes; /* the content or, when it lies in a file, its path */
    size_t size;
};

uint32_t ks_sums_of_row(const struct ks_sums_row *row);

/* How many bytes of sums follow a content. */
static inline uint64_t ks_sums_size(uint64_t content_size)
{
    return (content_size + KS_SUMS_PIECE - 1) / KS_SUMS_PIECE * KS_SUMS_SIZE;
}

/* Sums of a content that comes in chunks. Starts as zeros. */
struct ks_sums {
    uint8_t *bytes;   /* what will follow the content … */
    size_t size;      /* … as far as it is known */
    size_t capacity;  /* of `bytes` */
    uint32_t current; /* of the piece that is not whole … */
    size_t filled;    /* … and has so many bytes */
};

/* The next bytes. KS_OK, KS_NO_MEMORY. */
enum ks_result ks_sums_add(struct ks_sums *sums, const uint8_t *bytes, size_t size);

/* There are no more: completes `bytes`. KS_OK, KS_NO_MEMORY. */
enum ks_result ks_sums_end(struct ks_sums *sums);

void ks_sums_free(struct ks_sums *sums);

#endif
