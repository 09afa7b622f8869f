/* upload_content.h — what mode `upload` sends: pseudo-random bytes, encrypted as an honest client does it, in
 * pieces, in constant memory. Small contents can be kept: encrypted once, sent any number of times. One
 * owner.
 */
#ifndef KS_BENCH_TRAFFIC_UPLOAD_CONTENT_H
#define KS_BENCH_TRAFFIC_UPLOAD_CONTENT_H

#include "base/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ks_upload_content;

/* Contents of files of `size` bytes, under `key`. With `kept`, all are the same one, which is in memory
 * whole; else each is another, made `block` bytes (a multiple of 16) at a time, in two such buffers. `seed`
 * is what tells it from others. KS_OK with *content for ks_upload_content_free; KS_NO_MEMORY; KS_CRYPTO. */
enum ks_result ks_upload_content_new(uint64_t size, const uint8_t key[static 16], uint64_t seed, bool kept,
                                     size_t block, struct ks_upload_content **content);
void ks_upload_content_free(struct ks_upload_content *content); /* wipes; NULL is allowed */

/* Begins a content. KS_OK; KS_NO_MEMORY; KS_CRYPTO. */
enum ks_result ks_upload_content_begin(struct ks_upload_content *content);

/* Its next piece, which stays until the next call: KS_OK with *bytes and *size, which is 0 after the last;
 * KS_CRYPTO. */
enum ks_result ks_upload_content_next(struct ks_upload_content *content, const uint8_t **bytes, size_t *size);

/* The checksum of what was encrypted; after the last piece. */
uint32_t ks_upload_content_cksum(const struct ks_upload_content *content);

#endif
