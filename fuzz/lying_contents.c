/* lying_contents.c — the keys that fit, and what is encrypted under them: see lying_server.h. */
#include "crypto/content.h"
#include "crypto/random.h"
#include "crypto/rsa.h"
#include "lying_server_internal.h"

#include <string.h>

enum {
    KEYS = 4,
    ODD_KEYS = 3, /* of 0, 15 and 17 bytes */
    OWN_KEYS = 8, /* that the client makes, one after the other */
    MESSAGES = 256,
};

static struct {
    uint8_t keys[KEYS + ODD_KEYS][KS_RSA_ENCRYPTED_SIZE];
    unsigned keys_used; /* a bit for each */
    unsigned own_keys_made;
    bool is_doubtful; /* bytes of an answer were changed, or moved: nothing is certain any more */
    uint8_t plains[LYING_PLAIN_LIMIT];
    size_t plains_size;
    struct {
        bool is_there;
        bool is_certain;
        size_t begin;
        size_t size;
    } sent[MESSAGES];
} contents;

static void repeat_key_byte(unsigned index, void *bytes, size_t size)
{
    memset(bytes, (int)(0x30 + index), size);
}

static void key_of(unsigned index, uint8_t key[static KS_CONTENT_KEY_SIZE])
{
    repeat_key_byte(index, key, KS_CONTENT_KEY_SIZE);
}

/* The index behind the others' of the client's own key with that number. */
static unsigned own_key(unsigned number)
{
    return KEYS + number % OWN_KEYS;
}

/* The name that the linker gives it. */
const struct ks_random *wrapped_random(void) __asm__("__wrap_ks_random_system");

static enum ks_result fill_with_own_key(const struct ks_random *random, void *bytes, size_t size)
{
    (void)random;
    repeat_key_byte(own_key(contents.own_keys_made++), bytes, size);
    return KS_OK;
}

/* One key in 256 seems to fit a content by chance: so what the client makes is known, and the same for the
 * same input. */
const struct ks_random *wrapped_random(void)
{
    static const struct ks_random own = {.fill = fill_with_own_key};
    return &own;
}

void lying_contents_meet(const uint8_t public_key[static KS_PUBLIC_KEY_SIZE])
{
    static const size_t odd_sizes[ODD_KEYS] = {0, 15, 17};
    struct ks_public_key *key = NULL;
    uint8_t plain[17];
    lying_server_require(ks_public_key_parse(public_key, &key) == KS_OK);
    for (unsigned i = 0; i < KEYS + ODD_KEYS; i++) {
        size_t size = i < KEYS ? KS_CONTENT_KEY_SIZE : odd_sizes[i - KEYS];
        memset(plain, 'o', sizeof plain);
        if (i < KEYS)
            key_of(i, plain);
        lying_server_require(ks_public_key_encrypt(key, plain, size, contents.keys[i]) == KS_OK);
    }
    ks_public_key_free(key);
}

void lying_contents_begin(void)
{
    contents.plains_size = 0;
    contents.keys_used = 0;
    contents.own_keys_made = 0;
    contents.is_doubtful = false;
    memset(contents.sent, 0, sizeof contents.sent);
}

size_t lying_contents_key(uint8_t choice, uint8_t *content)
{
    unsigned index = choice % (KEYS + ODD_KEYS);
    memcpy(content, contents.keys[index], KS_RSA_ENCRYPTED_SIZE);
    if (index < KEYS)
        contents.keys_used |= 1U << index;
    if (choice >= 240)
        lying_server_take(content, KS_RSA_ENCRYPTED_SIZE);
    else if (choice >= 200)
        lying_server_damage(content, KS_RSA_ENCRYPTED_SIZE);
    if (choice >= 160 && choice < 180)
        return choice % 3 == 0 ? KS_RSA_ENCRYPTED_SIZE + 1U : choice; /* less or more than one */
    return KS_RSA_ENCRYPTED_SIZE;
}

/* Of up to LYING_PLAIN_LIMIT bytes: the input's own, or many of one, with characters that a buffer's end may
 * cut.
 */
static size_t make_plain(uint8_t *plain)
{
    static const char character[] = "\xf0\x9f\x98\x80";
    uint8_t kind = lying_server_byte();
    size_t size = kind < 128 ? kind : lying_server_number() % (LYING_PLAIN_LIMIT - 16);
    if (kind < 128)
        lying_server_take(plain, size);
    else
        for (size_t i = 0; i < size; i++)
            plain[i] = kind < 192 ? (uint8_t)character[(i + kind) % 4] : kind;
    return size;
}

static size_t seal(unsigned key_index, bool is_padded, uint8_t *plain, size_t size, uint8_t *content)
{
    struct ks_content_cipher *cipher = NULL;
    uint8_t key[KS_CONTENT_KEY_SIZE];
    size_t sealed = 0;
    key_of(key_index, key);
    lying_server_require(ks_content_encryptor_new(key, &cipher) == KS_OK);
    if (is_padded) {
        lying_server_require(ks_content_encrypt_last(cipher, plain, size, content, &sealed) == KS_OK);
    } else { /* whatever ends the plain text is the padding */
        sealed = (size + 15) / 16 * 16;
        memset(plain + size, 1, sealed - size);
        lying_server_require(ks_content_cipher_blocks(cipher, plain, content, sealed) == KS_OK);
    }
    ks_content_cipher_free(cipher);
    return sealed;
}

void lying_contents_remember(uint8_t id, const uint8_t *plain, size_t size, bool is_whole)
{
    bool fits = size <= sizeof contents.plains - contents.plains_size;
    bool is_first = !contents.sent[id].is_there;
    contents.sent[id].is_there = true;
    contents.sent[id].is_certain = is_first && is_whole && fits;
    if (!contents.sent[id].is_certain)
        return;
    contents.sent[id].begin = contents.plains_size;
    contents.sent[id].size = size;
    memcpy(contents.plains + contents.plains_size, plain, size);
    contents.plains_size += size;
}

void lying_contents_doubt(void)
{
    contents.is_doubtful = true;
}

bool lying_contents_sent(uint32_t message_id, const uint8_t **plain, size_t *size)
{
    bool has_one_key = (contents.keys_used & (contents.keys_used - 1)) == 0;
    if (contents.is_doubtful || message_id >= MESSAGES || !contents.sent[message_id].is_certain ||
        !has_one_key)
        return false;
    *plain = contents.plains + contents.sent[message_id].begin;
    *size = contents.sent[message_id].size;
    return true;
}

static bool fits_under(unsigned key_index, const uint8_t *content, size_t size)
{
    struct ks_content_cipher *cipher = NULL;
    uint8_t key[KS_CONTENT_KEY_SIZE];
    uint8_t plain[2 * KS_CONTENT_BLOCK_SIZE];
    size_t end = size < sizeof plain ? size : sizeof plain;
    key_of(key_index, key);
    lying_server_require(ks_content_decryptor_new(key, &cipher) == KS_OK);
    lying_server_require(ks_content_cipher_blocks(cipher, content + size - end, plain, end) == KS_OK);
    ks_content_cipher_free(cipher);
    return ks_content_padding_size(plain, end) > 0;
}

static bool fits_own_key(const uint8_t *content, size_t size)
{
    for (unsigned i = 0; i < OWN_KEYS; i++)
        if (fits_under(own_key(i), content, size))
            return true;
    return false;
}

/* Changes the begin of the plain text until its padding is right under another key, too. */
static size_t seal_for_two(unsigned key_index, uint8_t *plain, size_t *size, uint8_t *content)
{
    size_t sealed = 0;
    if (*size < 2)
        *size = 2;
    for (unsigned tries = 0; tries < 1000; tries++) {
        plain[0] = (uint8_t)(tries % 128);
        plain[1] = (uint8_t)(tries / 128);
        sealed = seal(key_index, true, plain, *size, content);
        if (fits_under((key_index + 1) % KEYS, content, sealed))
            break;
    }
    return sealed;
}

size_t lying_contents_text(uint8_t id, uint8_t *content)
{
    static uint8_t plain[LYING_PLAIN_LIMIT + 16];
    uint8_t how = lying_server_byte();
    size_t size = make_plain(plain);
    bool is_padded = how < 192;
    unsigned key_index = how % KEYS;
    bool is_for_two = how >= 88 && how < 96 && size < 256;
    size_t sealed = is_for_two ? seal_for_two(key_index, plain, &size, content)
                               : seal(key_index, is_padded, plain, size, content);
    bool is_whole = how < 96 && !fits_own_key(content, sealed);
    contents.keys_used |= 1U << key_index;
    lying_contents_remember(id, plain, size, is_whole);
    if (how >= 96 && how < 128)
        lying_server_damage(content, sealed);
    if (how >= 128 && how < 160)
        sealed -= lying_server_byte() % (sealed + 1);
    if (how >= 160 && how < 192)
        content[sealed++] = how;
    return sealed;
}
