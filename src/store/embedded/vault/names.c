/* names.c — see names.h. */
#include "store/embedded/vault/names.h"

#include "base/text.h"
#include "crypto/digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    DIGEST_DIGITS = 16,
    MARK_SIZE = 1 + DIGEST_DIGITS,
    ID_DIGITS = 2 * KS_CLIENT_ID_SIZE,
    PUT_ID_DIGITS = 2 * KS_PUT_ID_SIZE,
    NUMBER_DIGITS = 16,
    FILES_SIZE = sizeof "files/" - 1,
};

static const char put_mark[] = "put-";
static const char removed_mark[] = "\\removed-";

static bool are_digits(const char *text, size_t count)
{
    return strnlen(text, count) == count && strspn(text, "0123456789abcdef") >= count;
}

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
    return strlen(name) == ID_DIGITS && are_digits(name, ID_DIGITS) &&
           ks_text_from_hex(name, ID_DIGITS, bytes->bytes, sizeof bytes->bytes);
}

static void replace(char *text, char byte, char by)
{
    for (char *found = strchr(text, byte); found != NULL; found = strchr(found, byte))
        *found = by;
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
    replace(path + KS_NAMES_DIRECTORY_SIZE, '/', '\\');
    return KS_OK;
}

/* What has no '/' may be older than the rules for own files, which leave out nothing that it could have. */
bool ks_names_read_stored(const char *stored, char kept[static KS_TEXT_FIELD_SIZE])
{
    size_t size = strlen(stored);
    if (size > KS_NAMES_STORED_LIMIT)
        return false;
    memcpy(kept, stored, size + 1);
    replace(kept, '\\', '/');
    return ks_file_name_is_valid(kept, size);
}

/* ---- in staging/ ---- */

void ks_names_put(const struct ks_alias_key *aliases, const struct ks_client_id *id,
                  const uint8_t put_id[static KS_PUT_ID_SIZE], char name[static KS_NAMES_PUT_SIZE])
{
    char directory[KS_NAMES_DIRECTORY_SIZE];
    char hex[PUT_ID_DIGITS + 1];
    ks_names_directory(aliases, id, directory);
    ks_text_to_hex(put_id, KS_PUT_ID_SIZE, hex);
    snprintf(name, KS_NAMES_PUT_SIZE, "%s%s-%s", put_mark, directory + FILES_SIZE, hex);
}

bool ks_names_is_put(const char *name)
{
    const char *alias = name + sizeof put_mark - 1;
    return strncmp(name, put_mark, sizeof put_mark - 1) == 0 && are_digits(alias, ID_DIGITS) &&
           alias[ID_DIGITS] == '-' && are_digits(alias + ID_DIGITS + 1, PUT_ID_DIGITS) &&
           alias[ID_DIGITS + 1 + PUT_ID_DIGITS] == '\0';
}

bool ks_names_read_put(const struct ks_alias_key *aliases, const char *name, struct ks_client_id *id,
                       uint8_t put_id[static KS_PUT_ID_SIZE])
{
    const char *alias = name + sizeof put_mark - 1;
    if (!ks_names_is_put(name) || !ks_text_from_hex(alias, ID_DIGITS, id->bytes, sizeof id->bytes) ||
        !ks_text_from_hex(alias + ID_DIGITS + 1, PUT_ID_DIGITS, put_id, KS_PUT_ID_SIZE))
        return false;
    ks_alias_to_id(aliases, id->bytes, id->bytes);
    return true;
}

/* ---- what is being removed ---- */

void ks_names_removed(const char *path, uint64_t number, char removed[static KS_NAMES_REMOVED_SIZE])
{
    snprintf(removed, KS_NAMES_REMOVED_SIZE, "%.*s/%s%016" PRIx64 "-%s", KS_NAMES_DIRECTORY_SIZE - 1, path,
             removed_mark, number, path + KS_NAMES_DIRECTORY_SIZE);
}

const char *ks_names_read_removed(const char *name)
{
    const char *number = name + sizeof removed_mark - 1;
    char kept[KS_TEXT_FIELD_SIZE];
    if (strncmp(name, removed_mark, sizeof removed_mark - 1) != 0 || !are_digits(number, NUMBER_DIGITS) ||
        number[NUMBER_DIGITS] != '-' || !ks_names_read_stored(number + NUMBER_DIGITS + 1, kept))
        return NULL;
    return number + NUMBER_DIGITS + 1;
}
