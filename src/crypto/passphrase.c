/* passphrase.c — see passphrase.h. */
#include "crypto/passphrase.h"

#include "base/text.h"
#include "crypto/base64.h"
#include "crypto/digest.h"
#include "crypto/openssl_error.h"
#include "crypto/secret.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum {
    SALT_SIZE = 16,
    NONCE_SIZE = 12,
    TAG_SIZE = 16,
    CHECK_SIZE = 8,
    CHECK_TEXT_SIZE = 2 * CHECK_SIZE,
    WRAPPED_SIZE = NONCE_SIZE + KS_HOME_KEY_SIZE + TAG_SIZE,
    BOX_LIMIT = NONCE_SIZE + KS_SEALED_SECRET_LIMIT + TAG_SIZE,
    PURPOSE_LIMIT = 128,
    LOG_N_LIMIT = 20,
    R_LIMIT = 16,
    P_LIMIT = 4,
};

static const uint64_t memory_limit = UINT64_C(3) << 29; /* 1.5 GiB */
static const char wrapped_word[] = "kesher-wrapped-1";
static const char sealed_word[] = "kesher-sealed-1";
static const char sealed_label[] = "kesher sealed at home 1"; /* with its NUL */

/* ---- scrypt ---- */

struct ks_scrypt_cost ks_scrypt_cost_usual(void)
{
    return (struct ks_scrypt_cost){.log_n = 17, .r = 8, .p = 1};
}

/* What OpenSSL allocates: B, V, and three blocks. */
static uint64_t memory_of(const struct ks_scrypt_cost *cost)
{
    return (uint64_t)128 * cost->r * ((UINT64_C(1) << cost->log_n) + cost->p + 2);
}

bool ks_scrypt_cost_is_allowed(const struct ks_scrypt_cost *cost)
{
    return cost->log_n >= 1 && cost->log_n <= LOG_N_LIMIT && cost->r >= 1 && cost->r <= R_LIMIT &&
           cost->p >= 1 && cost->p <= P_LIMIT && cost->log_n < 16 * cost->r && /* RFC 7914, section 2 */
           memory_of(cost) <= memory_limit;
}

static bool is_passphrase_size(size_t size)
{
    return size >= 1 && size <= KS_PASSPHRASE_LIMIT;
}

/* `key` is to be wiped in any case. */
static enum ks_result stretch(const void *passphrase, size_t size, const struct ks_scrypt_cost *cost,
                              const uint8_t salt[static SALT_SIZE], uint8_t key[static KS_HOME_KEY_SIZE])
{
    ERR_clear_error(); /* the errors will be this call's */
    if (EVP_PBE_scrypt(passphrase, size, salt, SALT_SIZE, UINT64_C(1) << cost->log_n, cost->r, cost->p,
                       memory_limit, key, KS_HOME_KEY_SIZE) == 1)
        return KS_OK;
    return ks_openssl_failure(KS_CRYPTO);
}

/* ---- AES-256-GCM ---- */

/* What is not secret of a box, and that it belongs to. */
struct associated {
    const void *bytes;
    size_t size;
};

/* `box` has room for size + NONCE_SIZE + TAG_SIZE. */
static enum ks_result put_in_box(const uint8_t *key, struct associated data, const void *plain, size_t size,
                                 const struct ks_random *random, uint8_t *box)
{
    int written = 0;
    int last = 0;
    uint8_t *ciphertext = box + NONCE_SIZE;
    if (ks_random_fill(random, box, NONCE_SIZE) != KS_OK)
        return KS_CRYPTO;
    ERR_clear_error();
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool done = context != NULL && EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, box) == 1 &&
                EVP_EncryptUpdate(context, NULL, &written, data.bytes, (int)data.size) == 1 &&
                EVP_EncryptUpdate(context, ciphertext, &written, plain, (int)size) == 1 &&
                EVP_EncryptFinal_ex(context, ciphertext + written, &last) == 1 &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, ciphertext + size) == 1;
    enum ks_result result = done ? KS_OK : context == NULL ? KS_NO_MEMORY : ks_openssl_failure(KS_CRYPTO);
    EVP_CIPHER_CTX_free(context);
    return result;
}

/* `plain` has room for box_size - NONCE_SIZE - TAG_SIZE, and is to be wiped in any case. KS_REFUSED when the
 * box was not made like this. */
static enum ks_result take_out_of_box(const uint8_t *key, struct associated data, const uint8_t *box,
                                      size_t box_size, uint8_t *plain)
{
    int written = 0;
    int last = 0;
    size_t size = box_size - NONCE_SIZE - TAG_SIZE;
    const uint8_t *ciphertext = box + NONCE_SIZE;
    uint8_t tag[TAG_SIZE];
    memcpy(tag, ciphertext + size, TAG_SIZE);
    ERR_clear_error();
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool begun = context != NULL && EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, box) == 1 &&
                 EVP_DecryptUpdate(context, NULL, &written, data.bytes, (int)data.size) == 1 &&
                 EVP_DecryptUpdate(context, plain, &written, ciphertext, (int)size) == 1 &&
                 EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag) == 1;
    enum ks_result result = KS_OK;
    if (!begun)
        result = context == NULL ? KS_NO_MEMORY : ks_openssl_failure(KS_CRYPTO);
    else if (EVP_DecryptFinal_ex(context, plain + written, &last) != 1)
        result = ks_openssl_failure(KS_REFUSED);
    EVP_CIPHER_CTX_free(context);
    return result;
}

/* ---- lines ---- */

static enum ks_result put_text(struct ks_buffer *line, const char *text)
{
    return ks_buffer_append(line, text, strlen(text));
}

/* Ends a line that begins at `start` of the buffer. */
static enum ks_result put_check(struct ks_buffer *line, size_t start)
{
    uint8_t digest[KS_SHA256_SIZE];
    char hex[CHECK_TEXT_SIZE + 1];
    enum ks_result result = put_text(line, " ");
    if (result == KS_OK)
        result = ks_sha256(line->bytes + start, line->size - start, digest);
    if (result != KS_OK)
        return result;
    ks_text_to_hex(digest, CHECK_SIZE, hex);
    return put_text(line, hex);
}

/* Cuts the check off, and the blank before it stays. KS_OK when it holds, else KS_INVALID; KS_CRYPTO. */
static enum ks_result take_check(const char *line, size_t *size)
{
    uint8_t digest[KS_SHA256_SIZE];
    char hex[CHECK_TEXT_SIZE + 1];
    if (*size <= CHECK_TEXT_SIZE || *size > KS_SEALED_LINE_LIMIT)
        return KS_INVALID;
    *size -= CHECK_TEXT_SIZE;
    if (ks_sha256(line, *size, digest) != KS_OK)
        return KS_CRYPTO;
    ks_text_to_hex(digest, CHECK_SIZE, hex);
    return line[*size - 1] == ' ' && memcmp(line + *size, hex, CHECK_TEXT_SIZE) == 0 ? KS_OK : KS_INVALID;
}

/* A word that a blank ends. */
struct line_word {
    const char *text;
    size_t size;
};

static bool take_word(const char **line, size_t *size, struct line_word *word)
{
    const char *blank = *size == 0 ? NULL : memchr(*line, ' ', *size);
    if (blank == NULL || blank == *line)
        return false;
    *word = (struct line_word){.text = *line, .size = (size_t)(blank - *line)};
    *size -= word->size + 1;
    *line = blank + 1;
    return true;
}

static bool take_fixed_word(const char **line, size_t *size, const char *expected)
{
    struct line_word word;
    return take_word(line, size, &word) && word.size == strlen(expected) &&
           memcmp(word.text, expected, word.size) == 0;
}

/* A number of up to three digits, without zeros before it. What is over 255 becomes 255, which no limit
 * allows. */
static bool take_number(const char **line, size_t *size, uint8_t *number)
{
    struct line_word word;
    unsigned value = 0;
    if (!take_word(line, size, &word) || word.size > 3 || word.text[0] == '0')
        return false;
    for (size_t i = 0; i < word.size; i++) {
        if (word.text[i] < '0' || word.text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(word.text[i] - '0');
    }
    *number = (uint8_t)(value > UINT8_MAX ? UINT8_MAX : value);
    return true;
}

/* A word of base64 into the empty buffer, whose limit holds. */
static enum ks_result take_bytes(const char **line, size_t *size, struct ks_buffer *bytes)
{
    struct line_word word;
    if (!take_word(line, size, &word))
        return KS_INVALID;
    enum ks_result result = ks_base64_decode(word.text, word.size, bytes);
    return result == KS_TOO_LARGE ? KS_INVALID : result;
}

/* ---- the home key under a passphrase ---- */

/* What is read of a wrapped line. */
struct wrapped {
    struct ks_scrypt_cost cost;
    struct ks_buffer salt;
    struct ks_buffer box;
    struct associated said; /* all before the box */
};

static void wrapped_free(struct wrapped *wrapped)
{
    ks_buffer_free(&wrapped->salt);
    ks_buffer_free(&wrapped->box);
}

static enum ks_result wrapped_parse(const char *line, size_t size, struct wrapped *wrapped)
{
    const char *rest = line;
    *wrapped = (struct wrapped){.salt = ks_buffer_empty(SALT_SIZE), .box = ks_buffer_empty(WRAPPED_SIZE)};
    enum ks_result result = take_check(line, &size);
    if (result != KS_OK)
        return result;
    if (!take_fixed_word(&rest, &size, wrapped_word) || !take_fixed_word(&rest, &size, "scrypt") ||
        !take_number(&rest, &size, &wrapped->cost.log_n) || !take_number(&rest, &size, &wrapped->cost.r) ||
        !take_number(&rest, &size, &wrapped->cost.p))
        return KS_INVALID;
    result = take_bytes(&rest, &size, &wrapped->salt);
    wrapped->said = (struct associated){.bytes = line, .size = (size_t)(rest - line)};
    if (result == KS_OK)
        result = take_bytes(&rest, &size, &wrapped->box);
    if (result != KS_OK)
        return result;
    if (size != 0 || wrapped->salt.size != SALT_SIZE || wrapped->box.size != WRAPPED_SIZE)
        return KS_INVALID;
    return ks_scrypt_cost_is_allowed(&wrapped->cost) ? KS_OK : KS_TOO_LARGE;
}

/* "kesher-wrapped-1 scrypt 17 8 1 SALT ": what the box belongs to. */
static enum ks_result put_said(struct ks_buffer *line, const struct ks_scrypt_cost *cost,
                               const uint8_t salt[static SALT_SIZE])
{
    char text[64];
    int size = snprintf(text, sizeof text, "%s scrypt %u %u %u ", wrapped_word, (unsigned)cost->log_n,
                        (unsigned)cost->r, (unsigned)cost->p);
    enum ks_result result = size > 0 ? put_text(line, text) : KS_INVALID;
    if (result == KS_OK)
        result = ks_base64_encode(salt, SALT_SIZE, line);
    return result == KS_OK ? put_text(line, " ") : result;
}

enum ks_result ks_home_key_wrap(const uint8_t home_key[static KS_HOME_KEY_SIZE], const void *passphrase,
                                size_t passphrase_size, const struct ks_scrypt_cost *cost,
                                const struct ks_random *random, struct ks_buffer *line)
{
    uint8_t salt[SALT_SIZE];
    uint8_t key[KS_HOME_KEY_SIZE];
    uint8_t box[WRAPPED_SIZE];
    const size_t start = line->size;
    if (!is_passphrase_size(passphrase_size) || !ks_scrypt_cost_is_allowed(cost))
        return KS_INVALID;
    if (ks_random_fill(random, salt, sizeof salt) != KS_OK)
        return KS_CRYPTO;
    enum ks_result result = put_said(line, cost, salt);
    if (result == KS_OK)
        result = stretch(passphrase, passphrase_size, cost, salt, key);
    if (result == KS_OK) {
        const struct associated said = {.bytes = line->bytes + start, .size = line->size - start};
        result = put_in_box(key, said, home_key, KS_HOME_KEY_SIZE, random, box);
    }
    if (result == KS_OK)
        result = ks_base64_encode(box, sizeof box, line);
    if (result == KS_OK)
        result = put_check(line, start);
    ks_secret_wipe(key, sizeof key);
    if (result != KS_OK)
        line->size = start;
    return result;
}

enum ks_result ks_home_key_unwrap(const char *line, size_t line_size, const void *passphrase,
                                  size_t passphrase_size, uint8_t home_key[static KS_HOME_KEY_SIZE])
{
    uint8_t key[KS_HOME_KEY_SIZE];
    struct wrapped wrapped;
    enum ks_result result = wrapped_parse(line, line_size, &wrapped);
    if (result == KS_OK && !is_passphrase_size(passphrase_size))
        result = KS_REFUSED; /* none that anything was wrapped under */
    if (result == KS_OK)
        result = stretch(passphrase, passphrase_size, &wrapped.cost, wrapped.salt.bytes, key);
    if (result == KS_OK)
        result = take_out_of_box(key, wrapped.said, wrapped.box.bytes, wrapped.box.size, home_key);
    ks_secret_wipe(key, sizeof key);
    wrapped_free(&wrapped);
    if (result != KS_OK)
        ks_secret_wipe(home_key, KS_HOME_KEY_SIZE);
    return result;
}

/* ---- secrets under the home key ---- */

/* The associated data of a sealed secret. False for a purpose that is too long. */
static bool label_of(const char *purpose, uint8_t label[static sizeof sealed_label + PURPOSE_LIMIT],
                     struct associated *data)
{
    const size_t size = strnlen(purpose, PURPOSE_LIMIT + 1);
    if (size > PURPOSE_LIMIT)
        return false;
    memcpy(label, sealed_label, sizeof sealed_label);
    memcpy(label + sizeof sealed_label, purpose, size);
    *data = (struct associated){.bytes = label, .size = sizeof sealed_label + size};
    return true;
}

static enum ks_result put_sealed(struct ks_buffer *line, const uint8_t *box, size_t box_size)
{
    const size_t start = line->size;
    enum ks_result result = put_text(line, sealed_word);
    if (result == KS_OK)
        result = put_text(line, " ");
    if (result == KS_OK)
        result = ks_base64_encode(box, box_size, line);
    if (result == KS_OK)
        result = put_check(line, start);
    if (result != KS_OK)
        line->size = start;
    return result;
}

enum ks_result ks_home_key_seal(const uint8_t home_key[static KS_HOME_KEY_SIZE], const char *purpose,
                                const void *secret, size_t secret_size, const struct ks_random *random,
                                struct ks_buffer *line)
{
    uint8_t label[sizeof sealed_label + PURPOSE_LIMIT];
    uint8_t box[BOX_LIMIT];
    struct associated data;
    if (secret_size < 1 || secret_size > KS_SEALED_SECRET_LIMIT || !label_of(purpose, label, &data))
        return KS_INVALID;
    enum ks_result result = put_in_box(home_key, data, secret, secret_size, random, box);
    return result == KS_OK ? put_sealed(line, box, NONCE_SIZE + secret_size + TAG_SIZE) : result;
}

static enum ks_result sealed_parse(const char *line, size_t size, struct ks_buffer *box)
{
    enum ks_result result = take_check(line, &size);
    if (result == KS_OK && !take_fixed_word(&line, &size, sealed_word))
        result = KS_INVALID;
    if (result == KS_OK)
        result = take_bytes(&line, &size, box);
    if (result == KS_OK && (size != 0 || box->size <= NONCE_SIZE + TAG_SIZE))
        result = KS_INVALID;
    return result;
}

enum ks_result ks_home_key_open(const uint8_t home_key[static KS_HOME_KEY_SIZE], const char *purpose,
                                const char *line, size_t line_size, struct ks_buffer *secret)
{
    uint8_t label[sizeof sealed_label + PURPOSE_LIMIT];
    struct associated data;
    struct ks_buffer box = ks_buffer_empty(BOX_LIMIT);
    if (!label_of(purpose, label, &data))
        return KS_INVALID;
    enum ks_result result = sealed_parse(line, line_size, &box);
    const size_t size = result == KS_OK ? box.size - NONCE_SIZE - TAG_SIZE : 0;
    if (result == KS_OK)
        result = ks_buffer_reserve(secret, size);
    if (result == KS_OK) {
        uint8_t *plain = secret->bytes + secret->size;
        result = take_out_of_box(home_key, data, box.bytes, box.size, plain);
        if (result == KS_OK)
            secret->size += size;
        else
            ks_secret_wipe(plain, size);
    }
    ks_buffer_free(&box);
    return result;
}
