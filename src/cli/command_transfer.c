/* command_transfer.c — `kesher transfer`: the batch mode of the classic clients, all from transfer.info. Main
 * thread. */
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/put.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool register_first(const struct ks_context *context, const struct kesher_transfer *transfer,
                           const char *address)
{
    struct kesher_error error;
    struct kesher_identity *identity = NULL;
    const struct kesher_options options = {.observer.notice = ks_progress_notice};
    if (kesher_register(context->home, address, transfer->name, &options, &identity, &error) != KESHER_OK) {
        ks_output_failure(&error);
        return false;
    }
    kesher_identity_free(identity);
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
    const char *address = context->options->server != NULL ? context->options->server : transfer.address;
    const char *path = transfer.path;
    int length = snprintf(in_home, sizeof in_home, "%s/%s", kesher_home_path(context->home), path);
    if (path[0] != '/' && access(path, F_OK) != 0 && length > 0 && (size_t)length < sizeof in_home &&
        access(in_home, F_OK) == 0)
        path = in_home;
    if (!kesher_identity_exists(context->home) && !register_first(context, &transfer, address))
        return KS_EXIT_FAILED;
    const struct ks_put put = {.paths = &path, .path_count = 1};
    return ks_put_files(context, address, &put);
}
