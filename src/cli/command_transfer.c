/* command_transfer.c — `kesher transfer`: the batch mode of the classic clients, all from transfer.info. Main
 * thread. */
#include "cli/output.h"
#include "cli/put.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum ks_exit ks_command_transfer(struct ks_context *context)
{
    struct kesher_transfer transfer;
    struct kesher_error error;
    char in_home[2 * KESHER_PATH_SIZE];
    if (kesher_home_transfer(context->home, &transfer, &error) != KESHER_OK) {
        ks_output_failure(&error);
        return KS_EXIT_FAILED;
    }
    /* What the user has written for this command, not what the home remembers of others. */
    char address[KESHER_ADDRESS_SIZE];
    memcpy(address, transfer.address, sizeof address);
    if (context->options->server != NULL && !ks_context_server(context, address))
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
