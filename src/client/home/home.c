/* home.c — see <kesher/home.h>; who may read a home, and whose server it has, is in home_modes.c and
 * home_server.c. */
#include "client/home/home_files.h"

#include "base/address.h"
#include "client/failure.h"
#include "client/lines.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SMALL_FILE_LIMIT = 64 * 1024 };

enum kesher_status kesher_home_open(const char *directory, struct kesher_home **home,
                                    struct kesher_error *error)
{
    if (directory[0] == '\0')
        return ks_failure(error, KESHER_INVALID, "the home directory has an empty name; give another");
    struct kesher_home *created = calloc(1, sizeof *created);
    char *path = strdup(directory);
    enum kesher_status status = KESHER_OK;
    if (created == NULL || path == NULL) {
        status = ks_failure_no_memory(error);
        goto failed;
    }
    created->path = path;
    status = ks_home_files_open(created, error);
    if (status != KESHER_OK)
        goto failed;
    *home = created;
    return KESHER_OK;

failed:
    free(path);
    free(created);
    return status;
}

void kesher_home_close(struct kesher_home *home)
{
    if (home == NULL)
        return;
    if (home->directory_fd >= 0)
        close(home->directory_fd);
    free(home->path);
    free(home);
}

bool kesher_home_exists(const struct kesher_home *home)
{
    return home->directory_fd >= 0;
}

const char *kesher_home_path(const struct kesher_home *home)
{
    return home->path;
}

static bool copy_line(struct ks_lines *lines, char *text, size_t capacity)
{
    const char *line = NULL;
    size_t size = 0;
    if (!ks_lines_next(lines, &line, &size) || size >= capacity)
        return false;
    memcpy(text, line, size);
    text[size] = '\0';
    return true;
}

enum kesher_status kesher_home_transfer(const struct kesher_home *home, struct kesher_transfer *transfer,
                                        struct kesher_error *error)
{
    struct ks_buffer bytes = ks_buffer_empty(SMALL_FILE_LIMIT);
    enum kesher_status status = ks_home_files_read(home, "transfer.info", &bytes, error);
    if (status == KESHER_OK) {
        struct ks_lines lines = {.text = (const char *)bytes.bytes, .size = bytes.size};
        struct ks_address parsed;
        if (!copy_line(&lines, transfer->address, sizeof transfer->address) ||
            ks_address_parse(transfer->address, strlen(transfer->address), &parsed) != KS_OK ||
            !copy_line(&lines, transfer->name, sizeof transfer->name) ||
            !copy_line(&lines, transfer->path, sizeof transfer->path))
            status = ks_home_files_fail_content(
                home, "transfer.info", "three lines: address:port, user name, path of the file", error);
        else
            ks_address_format(&parsed, transfer->address, sizeof transfer->address);
    }
    ks_buffer_free(&bytes);
    return status;
}
