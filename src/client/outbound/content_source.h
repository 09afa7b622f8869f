/* content_source.h — a file as the content of a 1028, or of a 603 with a text or a file: read, summed and
 * encrypted in one pass, piece by piece. One thread at a time, which need not be the one that opened it.
 */
#ifndef KS_CLIENT_OUTBOUND_CONTENT_SOURCE_H
#define KS_CLIENT_OUTBOUND_CONTENT_SOURCE_H

#include "crypto/checksum.h"
#include "crypto/content.h"

#include <stddef.h>
#include <stdint.h>

struct ks_content_source {
    int fd; /* the caller's */
    uint64_t offset;
    uint64_t plain_left;
    uint64_t content_left; /* what is still to come out, padding included */
    struct ks_cksum cksum; /* of the plaintext so far; messages have no use for it */
    struct ks_content_cipher *cipher;
    int error_number; /* after KS_IO */
};

/* Starts at the file's first byte. KS_OK, and ks_content_source_close is due; KS_NO_MEMORY; KS_CRYPTO. */
enum ks_result ks_content_source_open(struct ks_content_source *source, int fd, uint64_t size,
                                      const uint8_t key[static 16]);
void ks_content_source_close(struct ks_content_source *source); /* wipes; a zeroed one is allowed */

/* The next bytes of the content: *size is `capacity` (a multiple of 16) or, at the end, what is left; 0 after
 * the end. KS_OK; KS_MORE when the file has become shorter than its size; KS_IO (source->error_number);
 * KS_CRYPTO. */
enum ks_result ks_content_source_read(struct ks_content_source *source, uint8_t *bytes, size_t capacity,
                                      size_t *size);

#endif
