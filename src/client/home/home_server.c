/* home_server.c — see <kesher/home.h> and home_server.h. */
#include "client/home/home_server.h"

#include "base/text.h"
#include "client/failure.h"
#include "client/home/home_standing.h"
#include "client/lines.h"

#include <stdio.h>
#include <string.h>

enum { SMALL_FILE_LIMIT = 64 * 1024 };

static const char server_info[] = "server.info";
static const char transfer_info[] = "transfer.info";

/* The address in the first line of a file. */
static enum kesher_status address_in(const struct kesher_home *home, const char *name,
                                     struct ks_address *address, struct kesher_error *error)
{
    struct ks_buffer bytes = ks_buffer_empty(SMALL_FILE_LIMIT);
    enum kesher_status status = ks_home_files_read(home, name, &bytes, error);
    if (status == KESHER_OK) {
        struct ks_lines lines = {.text = (const char *)bytes.bytes, .size = bytes.size};
        const char *line = NULL;
        size_t size = 0;
        if (!ks_lines_next(&lines, &line, &size) || ks_address_parse(line, size, address) != KS_OK)
            status = ks_home_files_fail_content(home, name, "address:port in its first line", error);
    }
    ks_buffer_free(&bytes);
    return status;
}

/* What is written in the home, and in which file. KESHER_NOT_FOUND when nothing is. */
static enum kesher_status read_written(const struct kesher_home *home, struct ks_address *address,
                                       const char **file, struct kesher_error *error)
{
    *file = server_info;
    enum kesher_status status = address_in(home, server_info, address, error);
    if (status != KESHER_NOT_FOUND)
        return status;
    *file = transfer_info;
    return address_in(home, transfer_info, address, error);
}

static const struct ks_address default_server = {.host = KS_ADDRESS_DEFAULT_HOST,
                                                 .port = KS_ADDRESS_DEFAULT_PORT};

enum kesher_status kesher_home_server(const struct kesher_home *home, char address[KESHER_ADDRESS_SIZE],
                                      struct kesher_error *error)
{
    struct ks_address server;
    const char *file = NULL;
    enum kesher_status status = ks_home_standing_allows_classic(home, error);
    if (status != KESHER_OK)
        return status;
    status = read_written(home, &server, &file, error);
    if (status == KESHER_NOT_FOUND)
        server = default_server;
    else if (status != KESHER_OK)
        return status;
    ks_address_format(&server, address, KESHER_ADDRESS_SIZE);
    return KESHER_OK;
}

enum kesher_status kesher_home_service(const struct kesher_home *home, uint16_t port,
                                       char address[KESHER_ADDRESS_SIZE], struct kesher_error *error)
{
    struct ks_address parsed;
    enum kesher_status status = kesher_home_server(home, address, error);
    if (status != KESHER_OK)
        return status;
    if (ks_address_parse(address, strlen(address), &parsed) != KS_OK ||
        snprintf(parsed.port, sizeof parsed.port, "%u", (unsigned)port) < 0)
        return ks_failure(error, KESHER_INVALID, "the home's server has no sensible address");
    ks_address_format(&parsed, address, KESHER_ADDRESS_SIZE);
    return KESHER_OK;
}

/* ---- the same server, or another ---- */

static enum kesher_status fail_foreign(const struct ks_address *own, const char *file,
                                       const struct ks_address *other, struct kesher_error *error)
{
    char own_shown[KESHER_ADDRESS_SIZE];
    char other_shown[KESHER_ADDRESS_SIZE];
    ks_address_format(own, own_shown, sizeof own_shown);
    ks_address_format(other, other_shown, sizeof other_shown);
    return ks_failure(error, KESHER_INVALID,
                      "this home belongs to %s (its %s says so), and no other server is told its id; if the "
                      "server has moved to %s, add --moved",
                      own_shown, file, other_shown);
}

enum kesher_status ks_home_server_check(const struct kesher_home *home, const char *address, bool moved,
                                        struct ks_home_server *server, struct kesher_error *error)
{
    struct ks_address wanted;
    struct ks_address written;
    const char *file = NULL;
    *server = (struct ks_home_server){.is_own = false};
    if (ks_address_parse(address, strlen(address), &wanted) != KS_OK)
        return KESHER_OK;
    enum kesher_status status = ks_home_standing_allows_classic(home, error);
    if (status != KESHER_OK)
        return status;
    status = read_written(home, &written, &file, error);
    if (status != KESHER_OK && status != KESHER_NOT_FOUND && !(status == KESHER_INVALID && moved))
        return status;
    const struct ks_address *own = status == KESHER_OK ? &written : &default_server;
    server->is_own = status != KESHER_INVALID && ks_address_is_same(own, &wanted);
    server->is_unknown = status != KESHER_OK || !server->is_own;
    if (status != KESHER_OK || server->is_own || moved)
        return KESHER_OK;
    return fail_foreign(own, file, &wanted, error);
}

enum kesher_status ks_home_server_record(const struct kesher_home *home, const char *address,
                                         struct kesher_error *error)
{
    struct ks_address wanted;
    struct ks_address written;
    const char *file = NULL;
    char line[KESHER_ADDRESS_SIZE + 1];
    if (ks_address_parse(address, strlen(address), &wanted) != KS_OK)
        return ks_failure(error, KESHER_INVALID, "this is no server address; give it as address:port");
    if (read_written(home, &written, &file, NULL) == KESHER_OK && ks_address_is_same(&written, &wanted))
        return KESHER_OK;
    ks_address_format(&wanted, line, KESHER_ADDRESS_SIZE);
    size_t size = strlen(line);
    line[size] = '\n';
    const struct ks_buffer bytes = {.bytes = (uint8_t *)line, .size = size + 1};
    return ks_home_files_write(home, server_info, &bytes, error);
}

enum kesher_status ks_home_server_forgot(const struct ks_home_server *server, const char *shown,
                                         const char *name, struct kesher_error *error)
{
    char word[4 * KESHER_NAME_SIZE];
    ks_text_shell_word(name, word, sizeof word);
    if (server->is_own)
        return ks_failure(error, KESHER_UNKNOWN,
                          "%s does not know this home any more; to be known there again: kesher register %s "
                          "--again",
                          shown, word);
    return ks_failure(error, KESHER_UNKNOWN,
                      "%s does not know this home, and nothing was changed; if it shall become the home's "
                      "server: kesher register %s --again --moved --server %s",
                      shown, word, shown);
}
