/* messaging.c — see messaging.h. */
#include "cli/commands/messaging.h"

#include "base/file.h"
#include "base/text.h"
#include "cli/terminal/output.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Makes sure that `path` is a directory that can be written to. 0, or the errno of what is in the way. */
static int prepare_path(char *path)
{
    struct stat status = {.st_mode = 0};
    if (!ks_file_make_directories(path) || stat(path, &status) != 0)
        return errno;
    if (!S_ISDIR(status.st_mode))
        return ENOTDIR;
    return access(path, W_OK | X_OK) == 0 ? 0 : errno;
}

bool ks_messaging_prepare_directory(const struct ks_context *context)
{
    const char *directory = context->options->save_to;
    char path[KESHER_PATH_SIZE];
    char shown[300];
    char reason[128];
    int failure = ENAMETOOLONG;
    if (directory == NULL)
        return true;
    size_t size = strlen(directory);
    if (size < sizeof path) {
        memcpy(path, directory, size + 1);
        failure = prepare_path(path);
    }
    if (failure == 0)
        return true;
    ks_text_escape(directory, size, shown, sizeof shown);
    ks_output_failed(KESHER_FILE, "cannot save files in '%s': %s; give another directory with --save-to",
                     shown, strerror_r(failure, reason, sizeof reason));
    return false;
}

static void observe_progress(void *context, uint64_t sent, uint64_t size)
{
    (void)size;
    ks_progress_update(context, sent);
}

struct kesher_observer ks_messaging_observer(struct ks_progress *progress)
{
    return (struct kesher_observer){
        .context = progress,
        .notice = isatty(STDERR_FILENO) == 1 ? ks_progress_notice : NULL,
        .progress = progress != NULL ? observe_progress : NULL,
    };
}

struct kesher_messenger *ks_messaging_open(const struct ks_context *context, const char *what,
                                           const struct kesher_options *options)
{
    char address[KESHER_ADDRESS_SIZE];
    struct kesher_error error;
    struct kesher_messenger *messenger = NULL;
    struct kesher_options given = context->limits;
    const struct kesher_messenger_settings settings = {.file_directory = context->options->save_to};
    given.observer = ks_messaging_observer(NULL);
    if (options != NULL)
        given = *options;
    bool found = what != NULL ? ks_context_server(context, what, address)
                              : ks_context_any_server(context, false, address);
    if (!found || !ks_context_secrets_are_kept(context))
        return NULL;
    if (ks_context_is_secure(address))
        given.observer.notice = ks_progress_notice; /* what became of trust is told to scripts, too */
    if (kesher_messenger_open(context->home, address, &settings, &given, &messenger, &error) == KESHER_OK)
        return messenger;
    ks_output_failure(&error);
    return NULL;
}

void ks_messaging_publish_key(struct kesher_messenger *messenger)
{
    struct kesher_error error;
    if (kesher_messenger_publish_key(messenger, NULL, &error) == KESHER_CHANGED)
        ks_output_failure(&error);
}
