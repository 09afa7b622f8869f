/* command_transfer.c — `kesher transfer`: the batch mode of the classic clients, all from transfer.info. Main
 * thread. */
#include "cli/commands/put.h"
#include "cli/terminal/output.h"

#include "base/address.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Also for what is no address. */
static bool are_the_same(const char *one, const char *other)
{
    struct ks_address left;
    struct ks_address right;
    if (ks_address_parse(one, strlen(one), &left) != KS_OK ||
        ks_address_parse(other, strlen(other), &right) != KS_OK)
        return strcmp(one, other) == 0;
    return ks_address_is_same(&left, &right);
}

/* The home's server, as for every command (protocol.md, "Ports"); with --moved and no --server the one that
 * stands in transfer.info. False after printing why not. */
static bool find_server(const struct ks_context *context, const struct kesher_transfer *transfer,
                        char address[KESHER_ADDRESS_SIZE])
{
    char shown[KESHER_ADDRESS_SIZE];
    char shown_other[KESHER_ADDRESS_SIZE];
    if (context->options->moved && context->options->server == NULL) {
        memcpy(address, transfer->address, sizeof transfer->address);
        return true;
    }
    if (!ks_context_server(context, "files", address))
        return false;
    if (context->options->server == NULL && !are_the_same(address, transfer->address))
        ks_output_notice(
            "transfer.info says %s, and the home's server.info %s, which counts; if the server has "
            "moved, add --moved",
            ks_text_escape(transfer->address, strlen(transfer->address), shown_other, sizeof shown_other),
            ks_text_escape(address, strlen(address), shown, sizeof shown));
    return true;
}

enum ks_exit ks_command_transfer(struct ks_context *context)
{
    struct kesher_transfer transfer;
    struct kesher_error error;
    char in_home[2 * KESHER_PATH_SIZE];
    if (kesher_home_transfer(context->home, &transfer, &error) != KESHER_OK) {
        ks_output_failure(&error);
        return KS_EXIT_FAILED;
    }
    char address[KESHER_ADDRESS_SIZE];
    if (!find_server(context, &transfer, address))
        return KS_EXIT_FAILED;
    ks_context_warn_of_secrets(context);
    const char *path = transfer.path;
    int length = snprintf(in_home, sizeof in_home, "%s/%s", kesher_home_path(context->home), path);
    if (path[0] != '/' && access(path, F_OK) != 0 && length > 0 && (size_t)length < sizeof in_home &&
        access(in_home, F_OK) == 0)
        path = in_home;
    const struct ks_put put = {
        .paths = &path,
        .path_count = 1,
        .course = true,
        .register_as = kesher_identity_exists(context->home) ? NULL : transfer.name,
    };
    return ks_put_files(context, address, &put);
}
