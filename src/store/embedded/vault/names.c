/* names.c — see names.h. */
#include "store/embedded/vault/names.h"

#include "base/text.h"
#include "crypto/digest.h"

#include <stdio.h>
#include <string.h>

enum { DIGEST_DIGITS = 16, MARK_SIZE = 1 + DIGEST_DIGITS };

static bool ends_like_a_cut_name(const char *kept, size_t size)
{
    if (size < MARK_SIZE || kept[size - MARK_SIZE] != '~')
        return false;
    for (size_t i = size - DIGEST_DIGITS; i < size; i++)
        if (strchr("0123456789abcdef", kept[i]) == NULL)
            return false;
    return true;
}

void ks_names_message(const uint8_t number[static KS_NAMES_MESSAGE_NUMBER_SIZE],
                      char path[static KS_NAMES_MESSAGE_SIZE])
{
    memcpy(path, "messages/", sizeof "messages/");
    ks_text_to_hex(number, KS_NAMES_MESSAGE_NUMBER_SIZE, path + sizeof "messages/" - 1);
}

bool ks_names_is_message(const char *name)
{
    enum { DIGITS = 2 * KS_NAMES_MESSAGE_NUMBER_SIZE };
    return strlen(name) == DIGITS && strspn(name, "0123456789abcdef") == DIGITS;
}

void ks_names_old_directory(const struct ks_client_id *id, char path[static KS_NAMES_DIRECTORY_SIZE])
{
    memcpy(path, "files/", sizeof "files/");
    ks_text_to_hex(id->bytes, sizeof id->bytes, path + sizeof "files/" - 1);
}

void ks_names_directory(const struct ks_alias_key *aliases, const struct ks_client_id *id,
                        char path[static KS_NAMES_DIRECTORY_SIZE])
{
    struct ks_client_id alias;
    ks_alias_of_id(aliases, id->bytes, alias.bytes);
    ks_names_old_directory(&alias, path);
}

bool ks_names_read_directory(const char *name, struct ks_client_id *bytes)
{
    enum { DIGITS = 2 * KS_CLIENT_ID_SIZE };
    return strlen(name) == DIGITS && strspn(name, "0123456789abcdef") == DIGITS &&
           ks_text_from_hex(name, DIGITS, bytes->bytes, sizeof bytes->bytes);
}

enum ks_result ks_names_path(const struct ks_alias_key *aliases, const struct ks_client_id *id,
                             const char *kept, size_t kept_size, char path[static KS_NAMES_PATH_SIZE])
{
    char directory[KS_NAMES_DIRECTORY_SIZE];
    char mark[MARK_SIZE + 1] = "";
    size_t cut = kept_size;
    ks_names_directory(aliases, id, directory);
    if (kept_size > KS_NAMES_STORED_LIMIT || ends_like_a_cut_name(kept, kept_size)) {
        uint8_t digest[KS_SHA256_SIZE];
        enum ks_result result = ks_sha256(kept, kept_size, digest);
        if (result != KS_OK)
            return result;
        mark[0] = '~';
        ks_text_to_hex(digest, DIGEST_DIGITS / 2, mark + 1);
        cut = ks_text_cut((const uint8_t *)kept, kept_size, KS_NAMES_STORED_LIMIT - MARK_SIZE);
    }
    snprintf(path, KS_NAMES_PATH_SIZE, "%s/%.*s%s", directory, (int)cut, kept, mark);
    return KS_OK;
}
