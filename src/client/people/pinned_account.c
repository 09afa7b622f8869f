/* pinned_account.c — see pinned_account.h. */
#include "client/people/pinned_account.h"

#include "client/home/account_text.h"
#include "client/lines.h"
#include "crypto/base64.h"

#include <string.h>

static const char first_line[] = "kesher pinned account 1";

/* ---- reading ---- */

struct pin_reader {
    struct ks_pinned_account *account;
    bool has_key;
};

static bool take_name(struct pin_reader *reader, const char *value, size_t size)
{
    char *name = reader->account->name;
    if (name[0] != '\0' || !ks_account_text_is_name(value, size))
        return false;
    memcpy(name, value, size);
    return true;
}

static bool take_bytes(bool *has, const char *value, size_t size, uint8_t key[static KS_ED25519_PUBLIC_SIZE])
{
    struct ks_buffer decoded = ks_buffer_empty(KS_ED25519_PUBLIC_SIZE);
    const bool taken =
        !*has && ks_base64_decode(value, size, &decoded) == KS_OK && decoded.size == KS_ED25519_PUBLIC_SIZE;
    if (taken)
        memcpy(key, decoded.bytes, KS_ED25519_PUBLIC_SIZE);
    *has = *has || taken;
    ks_buffer_free(&decoded);
    return taken;
}

static bool take_key(struct pin_reader *reader, const char *value, size_t size)
{
    return take_bytes(&reader->has_key, value, size, reader->account->key);
}

static bool take_offered(struct pin_reader *reader, const char *value, size_t size)
{
    return take_bytes(&reader->account->has_offered, value, size, reader->account->offered);
}

static bool take_verified(struct pin_reader *reader, const char *value, size_t size)
{
    const bool taken = !reader->account->is_verified && size == 3 && memcmp(value, "yes", 3) == 0;
    reader->account->is_verified = reader->account->is_verified || taken;
    return taken;
}

static bool take_line(void *context, const char *line, size_t size)
{
    struct pin_reader *reader = context;
    static const struct {
        const char *word;
        bool (*take)(struct pin_reader *reader, const char *value, size_t size);
    } words[] = {
        {"name ", take_name}, {"key ", take_key}, {"verified ", take_verified}, {"offered ", take_offered}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const size_t word_size = strlen(words[i].word);
        if (size >= word_size && memcmp(line, words[i].word, word_size) == 0)
            return words[i].take(reader, line + word_size, size - word_size);
    }
    return false;
}

enum ks_result ks_pinned_account_parse(const uint8_t *bytes, size_t size, struct ks_pinned_account *account)
{
    struct pin_reader reader = {.account = account};
    memset(account, 0, sizeof *account);
    bool is_sound = ks_lines_take_all(bytes, size, first_line, take_line, &reader) &&
                    account->name[0] != '\0' && reader.has_key;
    return is_sound ? KS_OK : KS_INVALID;
}

/* ---- writing ---- */

static enum ks_result put_line(struct ks_buffer *text, const char *word, const char *value)
{
    enum ks_result result = ks_buffer_append(text, word, strlen(word));
    if (result == KS_OK)
        result = ks_buffer_append(text, value, strlen(value));
    return result == KS_OK ? ks_buffer_append(text, "\n", 1) : result;
}

static enum ks_result put_key(struct ks_buffer *text, const char *word,
                              const uint8_t key[static KS_ED25519_PUBLIC_SIZE])
{
    enum ks_result result = ks_buffer_append(text, word, strlen(word));
    if (result == KS_OK)
        result = ks_base64_encode(key, KS_ED25519_PUBLIC_SIZE, text);
    return result == KS_OK ? ks_buffer_append(text, "\n", 1) : result;
}

enum ks_result ks_pinned_account_format(const struct ks_pinned_account *account, struct ks_buffer *text)
{
    if (!ks_account_text_is_name(account->name, strlen(account->name)))
        return KS_INVALID;
    enum ks_result result = put_line(text, first_line, "");
    if (result == KS_OK)
        result = put_line(text, "name ", account->name);
    if (result == KS_OK)
        result = put_key(text, "key ", account->key);
    if (result == KS_OK && account->is_verified)
        result = put_line(text, "verified ", "yes");
    if (result == KS_OK && account->has_offered)
        result = put_key(text, "offered ", account->offered);
    return result == KS_OK ? put_line(text, "end", "") : result;
}
