/* data_directory.c — see data_directory.h. */
#include "server/data_directory.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

const struct ks_data_directory_installed ks_data_directory_installed = {
    .configuration = KESHER_SYSCONFDIR "/kesher/kesherd.conf", .data = "/var/lib/kesher"};

static const char at_hand[] = "kesher-data";

static const char *state_directory(void)
{
    const char *state = getenv("STATE_DIRECTORY"); // NOLINT(concurrency-mt-unsafe): no other thread yet
    return state != NULL && state[0] != '\0' ? state : NULL;
}

void ks_data_directory_choose(struct ks_server_options *options)
{
    if (options->data == NULL)
        options->data = state_directory();
    if (options->data == NULL)
        options->data = at_hand;
}

/* Also where we may not look: who asks is to hear of that. */
static bool may_have_data(const char *directory)
{
    char path[PATH_MAX];
    struct stat status;
    int size = snprintf(path, sizeof path, "%s/kesher.db", directory);
    return size < (int)sizeof path && (stat(path, &status) == 0 || (errno != ENOENT && errno != ENOTDIR));
}

enum ks_result ks_data_directory_find(struct ks_server_options *options,
                                      const struct ks_data_directory_installed *installed)
{
    struct ks_option_reader *reader = &options->reader;
    const char *configuration = options->config;
    if (options->data == NULL)
        options->data = state_directory();
    if (options->data == NULL && may_have_data(at_hand))
        options->data = at_hand;
    if (options->data != NULL)
        return KS_OK;
    if (configuration == NULL) {
        enum ks_result result =
            ks_option_read_file(reader, installed->configuration, KS_SERVER_OPTIONS_SETTING, &options->text);
        if (result != KS_OK && result != KS_NOT_FOUND)
            return result;
        configuration = result == KS_OK ? installed->configuration : NULL;
    }
    bool is_named = options->data != NULL;
    if (!is_named)
        options->data = installed->data;
    if (may_have_data(options->data))
        return KS_OK;
    const char *found = is_named ? ", which " : configuration != NULL ? "; " : "; there is no ";
    const char *what = is_named ? " names" : configuration != NULL ? " names no other" : "";
    (void)snprintf(reader->why, sizeof reader->why,
                   "there is no data of kesherd in ./%s, nor in %s%s%s%s; say where it is with --data DIR",
                   at_hand, options->data, found,
                   configuration != NULL ? configuration : installed->configuration, what);
    return KS_NOT_FOUND;
}
