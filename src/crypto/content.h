/* content.h — the content of a file or message on its way: AES-128-CBC, IV of zeros, PKCS#7, as a stream
 * (protocol.md §1.2, §1.3).
 *
 * One owner at a time, any thread. The destructor wipes the key.
 */
#ifndef KS_CRYPTO_CONTENT_H
#define KS_CRYPTO_CONTENT_H

#include "base/result.h"

#include <stddef.h>
#include <stdint.h>

enum { KS_CONTENT_BLOCK_SIZE = 16 };

struct ks_content_cipher;

/* A stream that encrypts or decrypts under `key`. KS_OK, KS_NO_MEMORY, KS_CRYPTO. */
enum ks_result ks_content_encryptor_new(const uint8_t key[static 16], struct ks_content_cipher **cipher);
enum ks_result ks_content_decryptor_new(const uint8_t key[static 16], struct ks_content_cipher **cipher);

/* Wipes and frees; NULL is allowed. */
void ks_content_cipher_free(struct ks_content_cipher *cipher);

/* Turns `size` bytes, a multiple of 16, from `input` to `output`; the two may be the same place.
 * KS_OK or KS_CRYPTO. */
enum ks_result ks_content_cipher_blocks(struct ks_content_cipher *cipher, const uint8_t *input,
                                        uint8_t *output, size_t size);

/* The last piece of a plaintext, of any size: pads it and encrypts; *output_size is the next multiple of 16
 * above `size`. `output` has room for size + 16. KS_OK or KS_CRYPTO. */
enum ks_result ks_content_encrypt_last(struct ks_content_cipher *cipher, const uint8_t *input, size_t size,
                                       uint8_t *output, size_t *output_size);

/* How many bytes at the end of a decrypted content are padding: 1–16, or 0 when the padding is bad, and then
 * the whole text is the content: never an answer of its own, which would be a padding oracle.
 * `size` is that of the last piece, at least 16. */
size_t ks_content_padding_size(const uint8_t *last, size_t size);

#endif
