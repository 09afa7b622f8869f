/* command_transfer.c — `kesher transfer`: the batch mode of the classic clients, all from transfer.info. Main
 * thread. */
#include "cli/output.h"
#include "cli/put.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
    if (!ks_context_server(context, address))
        return false;
    if (context->options->server == NULL && strcmp(address, transfer->address) != 0)
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
