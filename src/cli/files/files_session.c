/* files_session.c — see files_session.h. */
#include "cli/files/files_session.h"

#include "base/text.h"
#include "cli/terminal/output.h"

#include <string.h>

static bool is_secure(const char *address)
{
    char shown[KESHER_ADDRESS_SIZE];
    if (ks_context_is_secure(address))
        return true;
    ks_output_failed(KESHER_INVALID,
                     "a classic server takes files with 'put' and gives none back, and %s is one",
                     ks_text_escape(address, strlen(address), shown, sizeof shown));
    return false;
}

struct kesher_files *ks_files_session_open(const struct ks_context *context,
                                           const struct kesher_observer *observer)
{
    char address[KESHER_ADDRESS_SIZE];
    struct kesher_files *files = NULL;
    struct kesher_error error;
    struct kesher_options options = context->limits;
    options.observer = *observer;
    if (!ks_context_any_server(context, false, address) || !is_secure(address) ||
        !ks_context_secrets_are_kept(context))
        return NULL;
    if (kesher_files_open(context->home, address, &options, &files, &error) == KESHER_OK)
        return files;
    ks_output_failure(&error);
    return NULL;
}

struct kesher_files *ks_files_session_ask(const struct ks_context *context)
{
    const struct kesher_observer observer = {.notice = ks_progress_notice};
    return ks_files_session_open(context, &observer);
}
