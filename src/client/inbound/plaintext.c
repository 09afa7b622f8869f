/* plaintext.c — see plaintext.h. */
#include "client/inbound/plaintext.h"

#include "base/text.h"
#include "crypto/secret.h"

#include <string.h>

enum {
    FITTING_LIMIT = 8,                 /* keys that are compared by what they make of the text */
    UTF8_LOOK_LIMIT = 4 * 1024 * 1024, /* of a text, per key */
};

/* ---- the padding ---- */

/* The last block under `key`: CBC needs only the block before it. */
static enum ks_result decrypt_end(const uint8_t *end, size_t end_size, const struct ks_symmetric_key *key,
                                  uint8_t plain[static 2 * KS_CONTENT_BLOCK_SIZE])
{
    struct ks_content_cipher *cipher = NULL;
    enum ks_result result = ks_content_decryptor_new(key->bytes, &cipher);
    if (result == KS_OK)
        result = ks_content_cipher_blocks(cipher, end, plain, end_size);
    ks_content_cipher_free(cipher);
    return result;
}

struct fitting {
    struct ks_symmetric_key keys[FITTING_LIMIT];
    size_t paddings[FITTING_LIMIT];
    size_t count;
};

/* The longest padding first; of the same length, in the order of their coming. */
static void add_fitting(struct fitting *fitting, const struct ks_symmetric_key *key, size_t padding)
{
    size_t at = fitting->count++;
    for (; at > 0 && fitting->paddings[at - 1] < padding; at--) {
        fitting->keys[at] = fitting->keys[at - 1];
        fitting->paddings[at] = fitting->paddings[at - 1];
    }
    fitting->keys[at] = *key;
    fitting->paddings[at] = padding;
}

/* The first keys of the ring whose padding is right. */
static enum ks_result find_fitting(const struct ks_entry *entry, const struct ks_key_ring *ring,
                                   struct fitting *fitting)
{
    uint8_t end[2 * KS_CONTENT_BLOCK_SIZE];
    uint8_t plain[2 * KS_CONTENT_BLOCK_SIZE];
    uint64_t content_size = entry->fixed.content_size;
    size_t end_size = content_size < sizeof end ? (size_t)content_size : sizeof end;
    const struct ks_symmetric_key *key = NULL;
    enum ks_result result = ks_message_file_read(entry->fd, end, end_size,
                                                 ks_entry_content_offset(entry) + content_size - end_size);
    for (size_t i = 0; result == KS_OK && fitting->count < FITTING_LIMIT; i++) {
        key = ks_key_ring_candidate(ring, i);
        if (key == NULL)
            break;
        result = decrypt_end(end, end_size, key, plain);
        size_t padding = ks_content_padding_size(plain, end_size);
        if (result == KS_OK && padding > 0)
            add_fitting(fitting, key, padding);
    }
    ks_secret_wipe(plain, sizeof plain);
    return result;
}

/* ---- what the text looks like ---- */

/* True when `bytes` are UTF-8, but for a character that the end cuts. *rest is the size of that. */
static bool is_utf8(const uint8_t *bytes, size_t size, size_t *rest)
{
    enum { LONGEST_CHARACTER = 4 };
    size_t done = 0;
    while (done < size) {
        size_t length = ks_text_utf8_length(bytes + done, size - done);
        if (length == 0)
            break;
        done += length;
    }
    *rest = size - done;
    return *rest < LONGEST_CHARACTER;
}

/* *looks_so: the text under `key` is UTF-8, as far as UTF8_LOOK_LIMIT. */
static enum ks_result look(const struct ks_entry *entry, const struct ks_symmetric_key *key,
                           uint64_t plain_size, struct ks_plaintext *plaintext, bool *looks_so)
{
    uint8_t bytes[4096];
    size_t rest = 0;
    size_t size = 1;
    *looks_so = true;
    enum ks_result result = ks_plaintext_open(plaintext, entry, key, plain_size);
    for (uint64_t looked = 0; result == KS_OK && *looks_so && size > 0 && looked < UTF8_LOOK_LIMIT;
         looked += size) {
        result = ks_plaintext_read(plaintext, bytes + rest, sizeof bytes - rest, &size);
        if (result != KS_OK)
            break;
        size_t have = rest + size;
        /* At the end of the text nothing may be left over. */
        *looks_so = is_utf8(bytes, have, &rest) && (size > 0 || rest == 0);
        memmove(bytes, bytes + have - rest, *looks_so ? rest : 0);
    }
    ks_plaintext_close(plaintext);
    ks_secret_wipe(bytes, sizeof bytes);
    return result;
}

static enum ks_result prefer_utf8(const struct ks_entry *entry, const struct fitting *fitting, size_t *chosen)
{
    struct ks_plaintext plaintext = {.cipher = NULL};
    enum ks_result result = KS_OK;
    for (size_t i = 0; i < fitting->count && result == KS_OK; i++) {
        bool looks_so = false;
        result = look(entry, &fitting->keys[i], entry->fixed.content_size - fitting->paddings[i], &plaintext,
                      &looks_so);
        if (result == KS_OK && looks_so) {
            *chosen = i;
            break;
        }
    }
    return result;
}

enum ks_result ks_plaintext_choose(const struct ks_entry *entry, const struct ks_key_ring *ring, bool is_text,
                                   struct ks_symmetric_key *key, uint64_t *plain_size)
{
    struct fitting fitting = {.count = 0};
    size_t chosen = 0;
    if (!ks_plaintext_is_possible(entry))
        return KS_NOT_FOUND;
    enum ks_result result = find_fitting(entry, ring, &fitting);
    if (result == KS_OK && fitting.count == 0)
        result = KS_NOT_FOUND;
    if (result == KS_OK && is_text && fitting.count > 1)
        result = prefer_utf8(entry, &fitting, &chosen);
    if (result == KS_OK) {
        *key = fitting.keys[chosen];
        *plain_size = entry->fixed.content_size - fitting.paddings[chosen];
    }
    ks_secret_wipe(&fitting, sizeof fitting);
    return result;
}

/* ---- the stream ---- */

enum ks_result ks_plaintext_open(struct ks_plaintext *plaintext, const struct ks_entry *entry,
                                 const struct ks_symmetric_key *key, uint64_t plain_size)
{
    plaintext->fd = entry->fd;
    plaintext->offset = ks_entry_content_offset(entry);
    plaintext->left = plain_size;
    plaintext->begin = 0;
    plaintext->end = 0;
    plaintext->cipher = NULL;
    return ks_content_decryptor_new(key->bytes, &plaintext->cipher);
}

void ks_plaintext_close(struct ks_plaintext *plaintext)
{
    ks_content_cipher_free(plaintext->cipher);
    ks_secret_wipe(plaintext, sizeof *plaintext);
}

/* Decrypts the next blocks; the padding stays outside. */
static enum ks_result fill(struct ks_plaintext *plaintext)
{
    uint64_t blocks = (plaintext->left + KS_CONTENT_BLOCK_SIZE - 1) / KS_CONTENT_BLOCK_SIZE;
    uint64_t wanted = blocks * KS_CONTENT_BLOCK_SIZE;
    size_t size = wanted < sizeof plaintext->buffer ? (size_t)wanted : sizeof plaintext->buffer;
    enum ks_result result = ks_message_file_read(plaintext->fd, plaintext->buffer, size, plaintext->offset);
    if (result == KS_OK)
        result = ks_content_cipher_blocks(plaintext->cipher, plaintext->buffer, plaintext->buffer, size);
    if (result != KS_OK)
        return result;
    plaintext->offset += size;
    plaintext->begin = 0;
    plaintext->end = plaintext->left < size ? (size_t)plaintext->left : size;
    plaintext->left -= plaintext->end;
    return KS_OK;
}

enum ks_result ks_plaintext_read(struct ks_plaintext *plaintext, void *bytes, size_t capacity, size_t *size)
{
    *size = 0;
    if (plaintext->begin == plaintext->end && plaintext->left > 0) {
        enum ks_result result = fill(plaintext);
        if (result != KS_OK)
            return result;
    }
    size_t ready = plaintext->end - plaintext->begin;
    size_t taken = ready < capacity ? ready : capacity;
    if (taken > 0)
        memcpy(bytes, plaintext->buffer + plaintext->begin, taken);
    plaintext->begin += taken;
    *size = taken;
    return KS_OK;
}
