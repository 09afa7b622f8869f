/* host_key.c — see host_key.h. */
#include "server/host_key.h"

#include "server/host_key_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- where it is ---- */

/* Names of systemd's credentials, as the unit has them. */
#define CREDENTIAL_CERTIFICATE "certificate"
#define CREDENTIAL_PRIVATE_KEY "private-key"

static enum ks_result join(char path[static PATH_MAX], const char *directory, const char *name,
                           char why[static KS_HOST_KEY_WHY_SIZE])
{
    int size = snprintf(path, PATH_MAX, "%s%s%s", directory, directory[0] != '\0' ? "/" : "", name);
    if (size >= 0 && size < PATH_MAX)
        return KS_OK;
    (void)snprintf(why, KS_HOST_KEY_WHY_SIZE, "the path of %.64s is too long", name);
    return KS_TOO_LARGE;
}

enum ks_result ks_host_key_find(const char *data, const char *certificate, const char *private_key,
                                struct ks_host_key_place *place, char why[static KS_HOST_KEY_WHY_SIZE])
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the main thread alone
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    *place = (struct ks_host_key_place){.is_given = certificate != NULL && private_key != NULL};
    enum ks_result result = data != NULL ? join(place->directory, data, "tls", why) : KS_OK;
    if (result != KS_OK)
        return result;
    if (place->is_given) {
        result = join(place->certificate, "", certificate, why);
        return result == KS_OK ? join(place->private_key, "", private_key, why) : result;
    }
    if (credentials == NULL || credentials[0] == '\0')
        return KS_OK;
    result = join(place->certificate, credentials, CREDENTIAL_CERTIFICATE, why);
    if (result == KS_OK)
        result = join(place->private_key, credentials, CREDENTIAL_PRIVATE_KEY, why);
    /* One of them alone is a mistake, which reading tells. */
    place->is_given =
        result == KS_OK && (access(place->certificate, F_OK) == 0 || access(place->private_key, F_OK) == 0);
    return result;
}

/* ---- the operator's ---- */

static enum ks_result read_given(const struct ks_host_key_place *place, struct ks_tls_identity **identity,
                                 char why[static KS_HOST_KEY_WHY_SIZE])
{
    char reason[KS_TLS_WHY_SIZE] = "";
    struct ks_buffer certificates = ks_buffer_empty(KS_HOST_KEY_FILE_LIMIT);
    struct ks_buffer key = ks_buffer_empty(KS_HOST_KEY_FILE_LIMIT);
    enum ks_result result =
        ks_host_key_file_read(AT_FDCWD, "", place->certificate, KS_HOST_KEY_RULE_PUBLIC, &certificates, why);
    if (result == KS_OK)
        result = ks_host_key_file_read(AT_FDCWD, "", place->private_key, KS_HOST_KEY_RULE_GIVEN, &key, why);
    if (result == KS_OK) {
        result = ks_tls_identity_parse((const char *)certificates.bytes, certificates.size,
                                       (const char *)key.bytes, key.size, identity, reason);
        if (result != KS_OK)
            (void)snprintf(why, KS_HOST_KEY_WHY_SIZE, "%s and %s: %s", place->certificate, place->private_key,
                           reason[0] != '\0' ? reason : ks_result_text(result));
    }
    ks_buffer_free(&certificates);
    ks_buffer_wipe(&key);
    return result;
}

/* ---- our own ---- */

static enum ks_result refuse_lost(const struct ks_host_key_place *place, const char *left,
                                  char why[static KS_HOST_KEY_WHY_SIZE])
{
    (void)snprintf(why, KS_HOST_KEY_WHY_SIZE,
                   "%s has no " KS_HOST_KEY_FILE
                   ", though %s is there: bring it back from a backup; or remove "
                   "the directory, and a new key is made, which clients that know the old one refuse",
                   place->directory, left);
    return KS_REFUSED;
}

/* KS_NOT_FOUND only where no key was ever made. */
static enum ks_result read_own(const struct ks_host_key_place *place, int fd,
                               struct ks_tls_identity **identity, char why[static KS_HOST_KEY_WHY_SIZE])
{
    static const char *const traces[] = {KS_HOST_KEY_CERTIFICATE, KS_HOST_KEY_PREVIOUS, KS_HOST_KEY_NEXT};
    enum ks_result result = ks_host_key_file_read_identity(place, fd, KS_HOST_KEY_FILE, identity, why);
    for (size_t i = 0; i < sizeof traces / sizeof traces[0] && result == KS_NOT_FOUND; i++)
        if (ks_host_key_directory_has(fd, traces[i]))
            return refuse_lost(place, traces[i], why);
    return result;
}

static enum ks_result make_own(const struct ks_host_key_place *place, int fd,
                               struct ks_tls_identity **identity, char why[static KS_HOST_KEY_WHY_SIZE])
{
    struct ks_tls_identity *created = NULL;
    enum ks_result result = ks_tls_identity_generate(&created);
    if (result != KS_OK) {
        (void)snprintf(why, KS_HOST_KEY_WHY_SIZE, "cannot make a host key: %s", ks_result_text(result));
        return result;
    }
    result = ks_host_key_file_write_identity(place, fd, KS_HOST_KEY_FILE, created, true, why);
    if (result == KS_OK)
        *identity = created;
    else
        ks_tls_identity_free(created);
    return result;
}

enum ks_result ks_host_key_read(const struct ks_host_key_place *place, struct ks_tls_identity **identity,
                                char why[static KS_HOST_KEY_WHY_SIZE])
{
    int fd = -1;
    if (place->is_given)
        return read_given(place, identity, why);
    enum ks_result result = ks_host_key_directory_open(place, false, &fd, why);
    if (result != KS_OK)
        return result;
    result = read_own(place, fd, identity, why);
    close(fd);
    return result;
}

enum ks_result ks_host_key_open(const struct ks_host_key_place *place, struct ks_tls_identity **identity,
                                bool *made, char why[static KS_HOST_KEY_WHY_SIZE])
{
    int fd = -1;
    struct ks_tls_identity *opened = NULL;
    *made = false;
    if (place->is_given)
        return read_given(place, identity, why);
    enum ks_result result = ks_host_key_directory_open(place, true, &fd, why);
    if (result != KS_OK)
        return result;
    ks_host_key_directory_tidy(fd);
    result = read_own(place, fd, &opened, why);
    *made = result == KS_NOT_FOUND;
    if (*made)
        result = make_own(place, fd, &opened, why);
    /* Behind the key: where it is, a key was, whatever became of the start that made it. */
    if (result == KS_OK)
        ks_host_key_file_copy_certificate(place, fd, opened);
    close(fd);
    if (result == KS_OK)
        *identity = opened;
    else
        ks_tls_identity_free(opened);
    return result;
}

/* ---- the key that follows ---- */

/* Whose key it is to be is the operator's business then. */
static enum ks_result refuse_given(const struct ks_host_key_place *place,
                                   char why[static KS_HOST_KEY_WHY_SIZE])
{
    (void)snprintf(
        why, KS_HOST_KEY_WHY_SIZE,
        "the key is not kesherd's own, but that of %s: put another one there, with its certificate, "
        "and reload the server; clients that trust the key, not an authority, refuse the new one",
        place->private_key);
    return KS_REFUSED;
}

enum ks_result ks_host_key_next(const struct ks_host_key_place *place,
                                uint8_t fingerprint[static KS_TLS_FINGERPRINT_SIZE],
                                char why[static KS_HOST_KEY_WHY_SIZE])
{
    int fd = -1;
    struct ks_tls_identity *next = NULL;
    if (place->is_given)
        return KS_NOT_FOUND;
    enum ks_result result = ks_host_key_directory_open(place, false, &fd, why);
    if (result != KS_OK)
        return result;
    result = ks_host_key_file_read_identity(place, fd, KS_HOST_KEY_NEXT, &next, why);
    close(fd);
    if (result == KS_OK)
        ks_tls_identity_fingerprint(next, fingerprint);
    ks_tls_identity_free(next);
    return result;
}

/* The key itself must be there: a successor alone would be taken for a trace of a lost one. */
static enum ks_result read_or_make_next(const struct ks_host_key_place *place, int fd, bool *made,
                                        struct ks_tls_identity **next, char why[static KS_HOST_KEY_WHY_SIZE])
{
    struct ks_tls_identity *key = NULL;
    enum ks_result result = read_own(place, fd, &key, why);
    ks_tls_identity_free(key);
    if (result == KS_OK)
        result = ks_host_key_file_read_identity(place, fd, KS_HOST_KEY_NEXT, next, why);
    else
        return result;
    if (result != KS_NOT_FOUND)
        return result;
    result = ks_tls_identity_generate(next);
    if (result != KS_OK) {
        (void)snprintf(why, KS_HOST_KEY_WHY_SIZE, "cannot make a host key: %s", ks_result_text(result));
        return result;
    }
    *made = true;
    return ks_host_key_file_write_identity(place, fd, KS_HOST_KEY_NEXT, *next, true, why);
}

enum ks_result ks_host_key_prepare_next(const struct ks_host_key_place *place, bool *made,
                                        uint8_t fingerprint[static KS_TLS_FINGERPRINT_SIZE],
                                        char why[static KS_HOST_KEY_WHY_SIZE])
{
    int fd = -1;
    struct ks_tls_identity *next = NULL;
    *made = false;
    if (place->is_given)
        return refuse_given(place, why);
    enum ks_result result = ks_host_key_directory_open(place, false, &fd, why);
    if (result != KS_OK)
        return result;
    result = read_or_make_next(place, fd, made, &next, why);
    close(fd);
    if (result == KS_OK)
        ks_tls_identity_fingerprint(next, fingerprint);
    ks_tls_identity_free(next);
    return result;
}

/* First the old key gets its second name, then one rename makes the new one count. */
static enum ks_result switch_keys(const struct ks_host_key_place *place, int fd,
                                  const struct ks_tls_identity *key, const struct ks_tls_identity *next,
                                  char why[static KS_HOST_KEY_WHY_SIZE])
{
    enum ks_result result = ks_host_key_file_write_identity(place, fd, KS_HOST_KEY_PREVIOUS, key, true, why);
    if (result != KS_OK)
        return result;
    if (renameat(fd, KS_HOST_KEY_NEXT, fd, KS_HOST_KEY_FILE) != 0)
        return ks_host_key_fail(why, "rename", place->directory, KS_HOST_KEY_NEXT);
    if (fsync(fd) != 0)
        return ks_host_key_fail(why, "write", "", place->directory);
    ks_host_key_file_copy_certificate(place, fd, next);
    return KS_OK;
}

static enum ks_result missing_next(const struct ks_host_key_place *place,
                                   char why[static KS_HOST_KEY_WHY_SIZE])
{
    (void)snprintf(
        why, KS_HOST_KEY_WHY_SIZE,
        "no key is prepared in %s: kesherd key next does that, and clients learn it before it is used",
        place->directory);
    return KS_NOT_FOUND;
}

enum ks_result ks_host_key_use_next(const struct ks_host_key_place *place,
                                    uint8_t fingerprint[static KS_TLS_FINGERPRINT_SIZE],
                                    char why[static KS_HOST_KEY_WHY_SIZE])
{
    int fd = -1;
    struct ks_tls_identity *key = NULL;
    struct ks_tls_identity *next = NULL;
    if (place->is_given)
        return refuse_given(place, why);
    enum ks_result result = ks_host_key_directory_open(place, false, &fd, why);
    if (result != KS_OK)
        return result;
    result = read_own(place, fd, &key, why);
    if (result == KS_OK) {
        result = ks_host_key_file_read_identity(place, fd, KS_HOST_KEY_NEXT, &next, why);
        if (result == KS_NOT_FOUND)
            result = missing_next(place, why);
    }
    if (result == KS_OK)
        result = switch_keys(place, fd, key, next, why);
    close(fd);
    if (result == KS_OK)
        ks_tls_identity_fingerprint(next, fingerprint);
    ks_tls_identity_free(key);
    ks_tls_identity_free(next);
    return result;
}
