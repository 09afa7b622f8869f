/* confirmed_names.c — see confirmed_names.h. Nothing is synced: a note that a power cut takes is only
 * missing. */
#include "client/home/confirmed_names.h"

#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/secret.h"
#include "wire/drop_codec.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { KEPT_DIGEST_SIZE = 16, NOTE_NAME_SIZE = 2 * KEPT_DIGEST_SIZE + 1 };

static bool name_note(const struct ks_client_id *id, const char *name, char note[static NOTE_NAME_SIZE])
{
    const char *kept = NULL;
    size_t kept_size = 0;
    uint8_t text[KS_CLIENT_ID_SIZE + KS_TEXT_FIELD_SIZE];
    uint8_t digest[KS_SHA256_SIZE];
    if (ks_kept_name(name, strlen(name), &kept, &kept_size) != KS_OK || kept_size > KS_TEXT_FIELD_SIZE)
        return false;
    memcpy(text, id->bytes, KS_CLIENT_ID_SIZE);
    memcpy(text + KS_CLIENT_ID_SIZE, kept, kept_size);
    enum ks_result result = ks_sha256(text, KS_CLIENT_ID_SIZE + kept_size, digest);
    ks_secret_wipe(text, sizeof text);
    if (result == KS_OK)
        ks_text_to_hex(digest, KEPT_DIGEST_SIZE, note);
    return result == KS_OK;
}

bool ks_confirmed_names_add(struct ks_confirmed_names *names, const struct kesher_home *home,
                            const struct ks_client_id *id, const char *name)
{
    char note[NOTE_NAME_SIZE];
    if (!name_note(id, name, note))
        return false;
    if (names->directory == NULL &&
        ks_home_files_directory(home, "put", &names->directory, NULL) != KESHER_OK)
        return false;
    int fd = openat(names->directory->directory_fd, note, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST;
    close(fd);
    return false;
}

void ks_confirmed_names_close(struct ks_confirmed_names *names)
{
    kesher_home_close(names->directory);
    names->directory = NULL;
}
