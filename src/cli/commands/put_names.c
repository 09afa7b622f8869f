/* put_names.c — the names under which a server keeps the files of one command: see put.h. */
#include "cli/commands/put.h"

#include "base/text.h"
#include "cli/commands/same_names.h"
#include "cli/terminal/output.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SHOWN_SIZE = 200 };

const char *ks_put_name(const struct ks_put *put, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (put->as != NULL)
        return put->as;
    return slash == NULL ? path : slash + 1;
}

static const char *show(const char *text, char shown[static SHOWN_SIZE])
{
    return ks_text_escape(text, strlen(text), shown, SHOWN_SIZE);
}

/* A path that is a directory, or nothing, is told of when its turn comes. */
static bool will_be_read(const struct ks_put *put, const char *path)
{
    struct stat status;
    return put->as != NULL || (stat(path, &status) == 0 && !S_ISDIR(status.st_mode));
}

/* False after printing which name no server keeps. */
static bool take_names(const struct ks_put *put, struct ks_named *names, size_t *count)
{
    struct kesher_error error;
    for (size_t i = 0; i < put->path_count; i++) {
        struct ks_named *named = &names[*count];
        *named = (struct ks_named){.index = i};
        if (kesher_kept_name(ks_put_name(put, put->paths[i]), &named->name, &error) == KESHER_OK) {
            ++*count;
        } else if (will_be_read(put, put->paths[i])) {
            ks_output_usage("%s; give it another name with --as", error.sentence);
            return false;
        }
    }
    return true;
}

static void tell_both(const struct ks_put *put, const struct ks_named *first, const struct ks_named *second)
{
    char one[SHOWN_SIZE];
    char other[SHOWN_SIZE];
    char kept[SHOWN_SIZE];
    show(put->paths[first->index], one);
    show(put->paths[second->index], other);
    if (strcmp(one, other) == 0)
        ks_output_usage("'%s' is there twice; name it once", one);
    else
        ks_output_usage(
            "'%s' and '%s' would both be kept as '%s', the second in place of the first; send one of "
            "them by itself, with another name after --as",
            one, other, show(first->name, kept));
}

/* False after printing which two do not. */
static bool all_differ(const struct ks_put *put, struct ks_named *names, size_t count)
{
    const struct ks_named *first = NULL;
    const struct ks_named *second = NULL;
    if (!ks_same_names_find(names, count, &first, &second))
        return true;
    tell_both(put, first, second);
    return false;
}

enum ks_exit ks_put_check_names(const struct ks_put *put)
{
    size_t count = 0;
    struct ks_named *names = calloc(put->path_count, sizeof *names);
    if (names == NULL) {
        ks_output_error("out of memory; close other programs and try again");
        return KS_EXIT_FAILED;
    }
    bool fit = take_names(put, names, &count) && all_differ(put, names, count);
    free(names);
    return fit ? KS_EXIT_DONE : KS_EXIT_USAGE;
}
