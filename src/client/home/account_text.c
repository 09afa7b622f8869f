/* account_text.c — see account_text.h. */
#include "client/home/account_text.h"

#include "base/text.h"
#include "client/lines.h"
#include "crypto/base64.h"
#include "crypto/secret.h"

#include <string.h>

static const char first_line[] = "kesher account key 1";

bool ks_account_text_is_name(const char *name, size_t size)
{
    const uint8_t *bytes = (const uint8_t *)name;
    bool blank = true;
    if (size < 1 || size >= KS_TEXT_FIELD_SIZE)
        return false;
    for (size_t at = 0; at < size;) {
        const size_t length = ks_text_utf8_length(bytes + at, size - at);
        if (length == 0 || !ks_text_is_harmless(bytes + at, length) ||
            ks_text_is_direction_mark(bytes + at, length))
            return false;
        blank = blank && bytes[at] == ' ';
        at += length;
    }
    return !blank;
}

/* ---- reading ---- */

/* What was seen already, beside what the structure says. */
struct account_reader {
    struct ks_account_text *account;
    bool has_key;
    bool has_secret;
};

static bool take_name(struct account_reader *reader, const char *value, size_t size)
{
    char *name = reader->account->name;
    if (name[0] != '\0' || !ks_account_text_is_name(value, size))
        return false;
    memcpy(name, value, size);
    return true;
}

static bool take_public_id(struct account_reader *reader, const char *value, size_t size)
{
    struct ks_account_text *account = reader->account;
    if (account->has_public_id)
        return false;
    account->has_public_id = ks_text_from_hex(value, size, account->public_id, sizeof account->public_id);
    return account->has_public_id;
}

/* Exactly 32 bytes. */
static bool take_32(bool *has, const char *value, size_t size, uint8_t bytes[static 32])
{
    struct ks_buffer decoded = ks_buffer_empty(32);
    const bool taken = !*has && ks_base64_decode(value, size, &decoded) == KS_OK && decoded.size == 32;
    if (taken)
        memcpy(bytes, decoded.bytes, 32);
    *has = *has || taken;
    ks_buffer_wipe(&decoded);
    return taken;
}

static bool take_key(struct account_reader *reader, const char *value, size_t size)
{
    return take_32(&reader->has_key, value, size, reader->account->key);
}

static bool take_secret(struct account_reader *reader, const char *value, size_t size)
{
    return take_32(&reader->has_secret, value, size, reader->account->secret);
}

static bool take_text(char text[static KS_ACCOUNT_LINE_SIZE], const char *value, size_t size)
{
    if (text[0] != '\0' || size < 1 || size >= KS_ACCOUNT_LINE_SIZE)
        return false;
    memcpy(text, value, size);
    return true;
}

static bool take_wrapped(struct account_reader *reader, const char *value, size_t size)
{
    return take_text(reader->account->wrapped, value, size);
}

static bool take_sealed(struct account_reader *reader, const char *value, size_t size)
{
    return take_text(reader->account->sealed, value, size);
}

static bool take_line(void *context, const char *line, size_t size)
{
    struct account_reader *reader = context;
    static const struct {
        const char *word;
        bool (*take)(struct account_reader *reader, const char *value, size_t size);
    } words[] = {{"name ", take_name},     {"public-id ", take_public_id}, {"key ", take_key},
                 {"secret ", take_secret}, {"home-key ", take_wrapped},    {"sealed ", take_sealed}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const size_t word_size = strlen(words[i].word);
        if (size >= word_size && memcmp(line, words[i].word, word_size) == 0)
            return words[i].take(reader, line + word_size, size - word_size);
    }
    return false;
}

/* Whether all belongs together. */
static bool is_whole(const struct account_reader *reader)
{
    const struct ks_account_text *account = reader->account;
    const bool has_wrapped = account->wrapped[0] != '\0';
    return reader->has_key && has_wrapped == (account->sealed[0] != '\0') &&
           has_wrapped != reader->has_secret && account->has_public_id == (account->name[0] != '\0');
}

enum ks_result ks_account_text_parse(const uint8_t *bytes, size_t size, struct ks_account_text *account)
{
    struct account_reader reader = {.account = account};
    memset(account, 0, sizeof *account);
    if (!ks_lines_take_all(bytes, size, first_line, take_line, &reader))
        return KS_INVALID;
    account->is_sealed = !reader.has_secret;
    return is_whole(&reader) ? KS_OK : KS_INVALID;
}

/* ---- writing ---- */

static enum ks_result put(struct ks_buffer *text, const char *part)
{
    return ks_buffer_append(text, part, strlen(part));
}

static enum ks_result put_line(struct ks_buffer *text, const char *word, const char *value)
{
    enum ks_result result = put(text, word);
    if (result == KS_OK)
        result = put(text, value);
    return result == KS_OK ? put(text, "\n") : result;
}

static enum ks_result put_32(struct ks_buffer *text, const char *word, const uint8_t bytes[static 32])
{
    enum ks_result result = put(text, word);
    if (result == KS_OK)
        result = ks_base64_encode(bytes, 32, text);
    return result == KS_OK ? put(text, "\n") : result;
}

static enum ks_result put_public_id(struct ks_buffer *text, const uint8_t id[static KS_CLIENT_ID_SIZE])
{
    char hex[2 * KS_CLIENT_ID_SIZE + 1];
    ks_text_to_hex(id, KS_CLIENT_ID_SIZE, hex);
    return put_line(text, "public-id ", hex);
}

enum ks_result ks_account_text_format(const struct ks_account_text *account, struct ks_buffer *text)
{
    /* All at once: a buffer that grew would leave a part of the secret in freed memory. */
    enum ks_result result = ks_buffer_reserve(text, KS_ACCOUNT_TEXT_LIMIT);
    if (result == KS_OK)
        result = put_line(text, first_line, "");
    if (result == KS_OK && account->has_public_id)
        result = put_line(text, "name ", account->name);
    if (result == KS_OK && account->has_public_id)
        result = put_public_id(text, account->public_id);
    if (result == KS_OK)
        result = put_32(text, "key ", account->key);
    if (result == KS_OK && !account->is_sealed)
        result = put_32(text, "secret ", account->secret);
    if (result == KS_OK && account->is_sealed)
        result = put_line(text, "home-key ", account->wrapped);
    if (result == KS_OK && account->is_sealed)
        result = put_line(text, "sealed ", account->sealed);
    return result == KS_OK ? put_line(text, "end", "") : result;
}
