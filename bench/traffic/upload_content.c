/* upload_content.c — see upload_content.h.
 *
 * What is not kept has two buffers: one of plaintext, made once, of which every piece changes the beginning,
 * and one of what is lent. The chaining of CBC makes all that follows differ. Making each plaintext anew cost
 * the generator a seventh of its time. One buffer to lend is enough: a piece that was sent has been copied by
 * the kernel, and while the next one is made, the server is busy with what the kernel holds.
 */
#include "bench/traffic/upload_content.h"

#include "base/bytes.h"
#include "crypto/checksum.h"
#include "crypto/content.h"
#include "crypto/secret.h"

#include <stdlib.h>

struct ks_upload_content {
    uint8_t key[16];
    bool kept;
    uint64_t file_size;
    uint64_t left; /* of the file, to be encrypted */
    bool ended;    /* the last piece is out */
    uint64_t state;
    struct ks_cksum cksum;
    struct ks_content_cipher *cipher;
    size_t kept_size; /* of a kept content, encrypted */
    size_t block;
    uint8_t *plain;   /* block bytes; in `buffer` itself when kept, else behind it */
    uint8_t buffer[]; /* block + KS_CONTENT_BLOCK_SIZE bytes, encrypted */
};

/* Steele, Lea, Flood: SplitMix. */
static uint64_t next_number(struct ks_upload_content *content)
{
    content->state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t mixed = content->state;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ mixed >> 31;
}

/* `size` is a multiple of 8. */
static void fill(struct ks_upload_content *content, size_t size)
{
    for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
        uint64_t number = next_number(content);
        memcpy(content->plain + i, &number, sizeof number);
    }
}

static enum ks_result begin(struct ks_upload_content *content)
{
    ks_content_cipher_free(content->cipher);
    content->cipher = NULL;
    content->left = content->file_size;
    content->ended = false;
    content->cksum = ks_cksum_start();
    return ks_content_encryptor_new(content->key, &content->cipher);
}

/* Encrypts the next piece into the buffer. */
static enum ks_result make(struct ks_upload_content *content, size_t *size)
{
    bool is_last = content->left < content->block;
    size_t plain = is_last ? (size_t)content->left : content->block;
    fill(content, sizeof content->state);
    ks_cksum_add(&content->cksum, content->plain, plain);
    content->left -= plain;
    content->ended = is_last;
    *size = plain;
    return is_last ? ks_content_encrypt_last(content->cipher, content->plain, plain, content->buffer, size)
                   : ks_content_cipher_blocks(content->cipher, content->plain, content->buffer, plain);
}

enum ks_result ks_upload_content_new(uint64_t size, const uint8_t key[static 16], uint64_t seed, bool kept,
                                     size_t block, struct ks_upload_content **content)
{
    enum ks_result result = KS_OK;
    if (kept)
        block = ((size_t)size / KS_CONTENT_BLOCK_SIZE + 1) * KS_CONTENT_BLOCK_SIZE;
    size_t buffer = block + KS_CONTENT_BLOCK_SIZE;
    struct ks_upload_content *made = calloc(1, sizeof *made + buffer + (kept ? 0 : block));
    if (made == NULL)
        return KS_NO_MEMORY;
    made->plain = kept ? made->buffer : made->buffer + buffer;
    memcpy(made->key, key, sizeof made->key);
    made->kept = kept;
    made->file_size = size;
    made->block = block;
    made->state = seed;
    fill(made, block);
    if (kept)
        result = begin(made);
    if (kept && result == KS_OK)
        result = make(made, &made->kept_size);
    if (result == KS_OK)
        *content = made;
    else
        ks_upload_content_free(made);
    return result;
}

void ks_upload_content_free(struct ks_upload_content *content)
{
    if (content == NULL)
        return;
    ks_content_cipher_free(content->cipher);
    ks_secret_wipe(content->key, sizeof content->key);
    free(content);
}

enum ks_result ks_upload_content_begin(struct ks_upload_content *content)
{
    if (!content->kept)
        return begin(content);
    content->ended = false;
    return KS_OK;
}

enum ks_result ks_upload_content_next(struct ks_upload_content *content, const uint8_t **bytes, size_t *size)
{
    *bytes = content->buffer;
    *size = 0;
    if (content->ended)
        return KS_OK;
    if (!content->kept)
        return make(content, size);
    content->ended = true;
    *size = content->kept_size;
    return KS_OK;
}

uint32_t ks_upload_content_cksum(const struct ks_upload_content *content)
{
    return ks_cksum_value(&content->cksum);
}
