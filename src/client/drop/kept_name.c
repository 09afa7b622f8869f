/* kept_name.c — kesher_kept_name of <kesher/drop.h>: under which name a server keeps a file. */
#include "base/text.h"
#include "client/failure.h"
#include "wire/drop_codec.h"

#include <kesher/drop.h>

#include <string.h>

enum kesher_status kesher_kept_name(const char *name, const char **kept, struct kesher_error *error)
{
    char shown[300];
    size_t size = strlen(name);
    if (ks_kept_name(name, size, kept, &size) == KS_OK)
        return KESHER_OK;
    return ks_failure(
        error, KESHER_INVALID,
        "the name '%s' cannot be kept: servers keep what follows the last / or \\, and refuse an "
        "empty name, . and .., and control bytes",
        ks_text_escape(name, size, shown, sizeof shown));
}
