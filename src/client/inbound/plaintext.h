/* plaintext.h — the content of a received text or file, decrypted from disk piece by piece: AES-128-CBC, IV
 * of zeros, PKCS#7 (protocol.md §1.3). One thread at a time.
 */
#ifndef KS_CLIENT_INBOUND_PLAINTEXT_H
#define KS_CLIENT_INBOUND_PLAINTEXT_H

#include "client/inbound/message_file.h"
#include "client/people/key_ring.h"
#include "crypto/content.h"

enum { KS_PLAINTEXT_BUFFER_SIZE = 16 * 1024 };

/* True for sizes that a content of whole blocks can have; nothing else can ever be decrypted. */
static inline bool ks_plaintext_is_possible(const struct ks_entry *entry)
{
    return entry->fixed.content_size > 0 && entry->fixed.content_size % KS_CONTENT_BLOCK_SIZE == 0;
}

struct ks_plaintext {
    int fd;                           /* the entry's */
    uint64_t offset;                  /* of the next ciphertext */
    uint64_t left;                    /* plaintext that was not decrypted yet */
    struct ks_content_cipher *cipher; /* NULL when nothing is open */
    size_t begin;                     /* of what is decrypted and was not taken */
    size_t end;
    uint8_t buffer[KS_PLAINTEXT_BUFFER_SIZE];
};

/* Finds the key of `ring` under which the content has a right padding. One in 256 wrong keys has it by
 * chance, so of several, for a text, one that makes it UTF-8 (so far as its beginning tells); else the one
 * with the longest padding, since chance makes one of n bytes in 256^n; else the first of
 * ks_key_ring_candidate. KS_OK with *key and *plain_size; KS_NOT_FOUND; KS_IO (errno); KS_INVALID when the
 * file has become shorter; KS_NO_MEMORY; KS_CRYPTO. */
enum ks_result ks_plaintext_choose(const struct ks_entry *entry, const struct ks_key_ring *ring, bool is_text,
                                   struct ks_symmetric_key *key, uint64_t *plain_size);

/* Starts at the first byte. KS_OK, and ks_plaintext_close is due; KS_NO_MEMORY; KS_CRYPTO. */
enum ks_result ks_plaintext_open(struct ks_plaintext *plaintext, const struct ks_entry *entry,
                                 const struct ks_symmetric_key *key, uint64_t plain_size);
void ks_plaintext_close(struct ks_plaintext *plaintext); /* wipes; a zeroed one is allowed */

/* The next bytes; *size is 0 at the end. KS_OK; KS_IO (errno); KS_INVALID; KS_CRYPTO. */
enum ks_result ks_plaintext_read(struct ks_plaintext *plaintext, void *bytes, size_t capacity, size_t *size);

#endif
