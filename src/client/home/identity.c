/* identity.c — see <kesher/identity.h> and identity.h. */
#include "client/home/identity.h"

#include "base/text.h"
#include "client/failure.h"
#include "client/home/home_files.h"
#include "client/home/identity_text.h"
#include "crypto/digest.h"
#include "crypto/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROOM_SIZE = 32 * 1024 };

static const char me_info[] = "me.info";
static const char my_info[] = "my.info";
static const char priv_key[] = "priv.key";

void kesher_identity_free(struct kesher_identity *identity)
{
    if (identity == NULL)
        return;
    ks_private_key_free(identity->key);
    ks_secret_wipe(identity, sizeof *identity);
    free(identity);
}

const char *kesher_identity_name(const struct kesher_identity *identity)
{
    return identity->name;
}

bool kesher_identity_exists(const struct kesher_home *home)
{
    return ks_home_files_exists(home, me_info) || ks_home_files_exists(home, my_info);
}

static enum kesher_status fail_file(const struct kesher_home *home, const char *name, const char *what,
                                    struct kesher_error *error)
{
    char shown[300];
    ks_text_escape(home->path, strlen(home->path), shown, sizeof shown);
    return ks_failure(error, KESHER_INVALID, "%s in '%s' %s; restore it, or move it away and register anew",
                      name, shown, what);
}

/* Reads the three lines of me.info or my.info. */
static enum kesher_status read_info(const struct kesher_home *home, const char *name,
                                    struct ks_identity_text *text, struct kesher_error *error)
{
    struct ks_buffer bytes = ks_buffer_empty(KS_IDENTITY_TEXT_LIMIT);
    enum kesher_status status = ks_home_files_read(home, name, &bytes, error);
    if (status == KESHER_OK && ks_identity_text_parse(bytes.bytes, bytes.size, text) != KS_OK)
        status = fail_file(home, name, "does not hold a name and an id", error);
    ks_buffer_wipe(&bytes);
    return status;
}

static enum kesher_status read_key(const struct kesher_home *home, struct ks_private_key **key,
                                   struct kesher_error *error)
{
    struct ks_buffer bytes = ks_buffer_empty(KS_IDENTITY_TEXT_LIMIT);
    enum kesher_status status = ks_home_files_read(home, priv_key, &bytes, error);
    if (status == KESHER_OK) {
        enum ks_result result = ks_identity_text_parse_key(bytes.bytes, bytes.size, key);
        if (result == KS_NO_MEMORY)
            status = ks_failure_no_memory(error);
        else if (result != KS_OK)
            status = fail_file(home, priv_key, "is no RSA private key of 1024 bits", error);
    }
    ks_buffer_wipe(&bytes);
    return status;
}

/* The key of an identity whose info file has none: priv.key, else that of my.info. */
static enum kesher_status find_key(const struct kesher_home *home, struct ks_private_key **key,
                                   struct kesher_error *error)
{
    enum kesher_status status = read_key(home, key, error);
    if (status != KESHER_NOT_FOUND)
        return status;
    struct ks_identity_text other = {.key = NULL};
    status = read_info(home, my_info, &other, NULL);
    *key = other.key;
    ks_secret_wipe(&other, sizeof other);
    if (status == KESHER_OK && *key != NULL)
        return KESHER_OK;
    return fail_file(home, me_info, "has no private key, and neither have priv.key and my.info", error);
}

static enum kesher_status identity_new(const struct ks_identity_text *text, struct kesher_identity **identity,
                                       struct kesher_error *error)
{
    struct kesher_identity *created = calloc(1, sizeof *created);
    if (created == NULL)
        return ks_failure_no_memory(error);
    memcpy(created->name, text->name, sizeof created->name);
    created->id = text->id;
    created->key = text->key;
    *identity = created;
    return KESHER_OK;
}

enum kesher_status kesher_identity_load(const struct kesher_home *home, struct kesher_identity **identity,
                                        struct kesher_error *error)
{
    char shown[300];
    struct ks_identity_text text = {.key = NULL};
    enum kesher_status status = read_info(home, me_info, &text, error);
    if (status == KESHER_NOT_FOUND)
        status = read_info(home, my_info, &text, error);
    if (status == KESHER_NOT_FOUND) {
        ks_text_escape(home->path, strlen(home->path), shown, sizeof shown);
        if (!kesher_home_exists(home))
            return ks_failure(error, KESHER_NOT_FOUND,
                              "there is no home '%s'; look at the path, or register a name, which makes it",
                              shown);
        return ks_failure(error, KESHER_NOT_FOUND, "there is no identity in '%s'; register a name first",
                          shown);
    }
    if (status == KESHER_OK && text.key == NULL)
        status = find_key(home, &text.key, error);
    if (status == KESHER_OK)
        status = identity_new(&text, identity, error);
    if (status != KESHER_OK)
        ks_private_key_free(text.key);
    ks_secret_wipe(&text, sizeof text);
    return status;
}

/* Writes `text` to `name` if it came out well, and wipes it in any case. */
static enum kesher_status write_text(const struct kesher_home *home, const char *name,
                                     enum ks_result formatted, struct ks_buffer *text,
                                     struct kesher_error *error)
{
    enum kesher_status status =
        formatted == KS_OK ? ks_home_files_write(home, name, text, error)
                           : ks_failure_from_result(error, formatted, "cannot write the private key");
    ks_buffer_wipe(text);
    return status;
}

static enum kesher_status save_key(const struct kesher_home *home, const struct ks_private_key *key,
                                   struct kesher_error *error)
{
    struct ks_buffer text = ks_buffer_empty(KS_IDENTITY_TEXT_LIMIT);
    enum ks_result formatted = ks_identity_text_format_key(key, &text);
    return write_text(home, priv_key, formatted, &text, error);
}

enum kesher_status ks_identity_save(const struct kesher_home *home, const struct kesher_identity *identity,
                                    struct kesher_error *error)
{
    enum kesher_status status = save_key(home, identity->key, error);
    if (status != KESHER_OK)
        return status;
    struct ks_buffer text = ks_buffer_empty(KS_IDENTITY_TEXT_LIMIT);
    enum ks_result formatted = ks_identity_text_format(identity->name, &identity->id, identity->key, &text);
    return write_text(home, me_info, formatted, &text, error);
}

static enum kesher_status generate_key(const struct kesher_home *home, struct ks_private_key **key,
                                       struct kesher_error *error)
{
    enum ks_result result = ks_private_key_generate(key);
    if (result != KS_OK)
        return ks_failure_from_result(error, result, "cannot generate a key pair");
    return save_key(home, *key, error);
}

enum kesher_status ks_identity_check_name(const char *name, struct kesher_error *error)
{
    if (ks_text_is_new_user_name(name, strlen(name)))
        return KESHER_OK;
    return ks_failure(error, KESHER_INVALID,
                      "this is no user name; it needs 1 to 254 printable ASCII characters, the first and the "
                      "last no blank");
}

void ks_identity_rename(struct kesher_identity *identity, const char *name)
{
    memset(identity->name, 0, sizeof identity->name);
    memcpy(identity->name, name, strlen(name));
    ks_secret_wipe(&identity->id, sizeof identity->id);
}

enum kesher_status ks_identity_prepare(const struct kesher_home *home, const char *name,
                                       struct kesher_identity **identity, struct kesher_error *error)
{
    struct ks_identity_text text = {.key = NULL};
    enum kesher_status status = ks_identity_check_name(name, error);
    if (status != KESHER_OK)
        return status;
    memcpy(text.name, name, strlen(name));
    status = read_key(home, &text.key, error);
    if (status == KESHER_NOT_FOUND)
        status = generate_key(home, &text.key, error);
    if (status == KESHER_OK)
        status = identity_new(&text, identity, error);
    if (status != KESHER_OK)
        ks_private_key_free(text.key);
    return status;
}

enum kesher_status ks_identity_try_room(const struct kesher_home *home, struct kesher_error *error)
{
    static const char name[] = "me.info.new";
    static const uint8_t zeros[ROOM_SIZE];
    const struct ks_buffer bytes = {.bytes = (uint8_t *)zeros, .size = sizeof zeros};
    enum kesher_status status = ks_home_files_write(home, name, &bytes, error);
    if (status == KESHER_OK && unlinkat(home->directory_fd, name, 0) != 0)
        return ks_home_files_failure(home, errno, "remove", name, error);
    return status;
}

enum kesher_status ks_identity_keep_old(const struct kesher_home *home, struct kesher_error *error)
{
    enum kesher_status status = ks_home_files_keep_old(home, me_info, error);
    if (status == KESHER_OK)
        status = ks_home_files_keep_old(home, my_info, error);
    if (status == KESHER_OK)
        status = ks_home_files_keep_old(home, priv_key, error);
    return status;
}

enum kesher_status ks_identity_retire(const struct kesher_home *home, struct kesher_error *error)
{
    static const char *const names[] = {me_info, my_info, priv_key}; /* the key is needed by the others */
    if (!kesher_home_exists(home))
        return KESHER_OK;
    enum kesher_status status = ks_identity_keep_old(home, error);
    if (status != KESHER_OK)
        return status;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (unlinkat(home->directory_fd, names[i], 0) != 0 && errno != ENOENT)
            return ks_home_files_failure(home, errno, "remove", names[i], error);
    return fsync(home->directory_fd) == 0 ? KESHER_OK
                                          : ks_home_files_failure(home, errno, "sync", "the files", error);
}

enum kesher_status ks_identity_public_key(const struct kesher_identity *identity,
                                          uint8_t public_key[static KS_PUBLIC_KEY_SIZE],
                                          struct kesher_error *error)
{
    if (ks_private_key_public(identity->key, public_key) == KS_OK)
        return KESHER_OK;
    return ks_failure(
        error, KESHER_CRYPTO,
        "the public half of this key pair does not fit the protocol (160 bytes: RSA-1024 with a "
        "small exponent); register with another key");
}

enum kesher_status ks_identity_fingerprint_of(const uint8_t public_key[static KS_PUBLIC_KEY_SIZE],
                                              char fingerprint[static KESHER_FINGERPRINT_SIZE],
                                              struct kesher_error *error)
{
    uint8_t digest[KS_SHA256_SIZE];
    if (ks_sha256(public_key, KS_PUBLIC_KEY_SIZE, digest) != KS_OK)
        return ks_failure(error, KESHER_CRYPTO, "cannot compute the fingerprint of the key");
    for (size_t i = 0; i < sizeof digest; i += 2) {
        ks_text_to_hex(digest + i, 2, fingerprint + i / 2 * 5);
        fingerprint[i / 2 * 5 + 4] = i + 2 < sizeof digest ? ' ' : '\0';
    }
    return KESHER_OK;
}

enum kesher_status kesher_identity_fingerprint(const struct kesher_identity *identity,
                                               char fingerprint[KESHER_FINGERPRINT_SIZE],
                                               struct kesher_error *error)
{
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    enum kesher_status status = ks_identity_public_key(identity, public_key, error);
    return status == KESHER_OK ? ks_identity_fingerprint_of(public_key, fingerprint, error) : status;
}
