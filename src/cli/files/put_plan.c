/* put_plan.c — see put_plan.h. */
#include "cli/files/put_plan.h"

#include "base/text.h"
#include "cli/commands/same_names.h"
#include "cli/commands/spool.h"
#include "cli/files/file_names.h"
#include "cli/terminal/output.h"

#include <errno.h>
#include <fts.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHOWN_SIZE = 300, FEWEST_ENTRIES = 64 };

static const char *show(const char *path, char shown[static SHOWN_SIZE])
{
    return ks_text_escape(path, strlen(path), shown, SHOWN_SIZE);
}

/* ---- entries ---- */

static bool make_room(struct ks_put_plan *plan)
{
    if (plan->count < plan->capacity)
        return true;
    size_t capacity = plan->capacity == 0 ? FEWEST_ENTRIES : 2 * plan->capacity;
    struct ks_planned_put *entries = reallocarray(plan->entries, capacity, sizeof *entries);
    if (entries == NULL)
        return false;
    plan->entries = entries;
    plan->capacity = capacity;
    return true;
}

/* `begin`, a slash where both have something, and `rest`. NULL without memory. */
static char *join(const char *begin, size_t begin_size, const char *rest)
{
    size_t rest_size = strlen(rest);
    size_t slash = begin_size > 0 && rest_size > 0 ? 1 : 0;
    char *joined = malloc(begin_size + slash + rest_size + 1);
    if (joined == NULL)
        return NULL;
    memcpy(joined, begin, begin_size);
    memcpy(joined + begin_size, "/", slash);
    memcpy(joined + begin_size + slash, rest, rest_size + 1);
    return joined;
}

static void free_entry(struct ks_planned_put *entry)
{
    if (entry->fd >= 0)
        close(entry->fd);
    free(entry->path);
    free(entry->name);
    free(entry->error);
}

/* Adds a file at `path`, which the server is to call `name`; takes `name` away, NULL included. NULL without
 * memory. */
static struct ks_planned_put *add(struct ks_put_plan *plan, const char *path, char *name)
{
    struct ks_planned_put entry = {.path = strdup(path), .name = name, .fd = -1};
    if (entry.path == NULL || name == NULL || !make_room(plan)) {
        free_entry(&entry);
        return NULL;
    }
    plan->entries[plan->count] = entry;
    return &plan->entries[plan->count++];
}

/* The entry cannot be sent. False without memory. */
static bool refuse(struct ks_planned_put *entry, const struct kesher_error *error)
{
    entry->error = malloc(sizeof *error);
    if (entry->error != NULL)
        *entry->error = *error;
    return entry->error != NULL;
}

static bool refuse_to_send(struct ks_planned_put *entry, const char *why)
{
    char shown[SHOWN_SIZE];
    struct kesher_error error = {.status = KESHER_FILE};
    (void)snprintf(error.sentence, sizeof error.sentence, "cannot send '%s': %s", show(entry->path, shown),
                   why);
    return refuse(entry, &error);
}

/* A name that no server can have is told in its turn. */
static bool take_file(struct ks_put_plan *plan, struct ks_planned_put *entry, uint64_t size)
{
    struct kesher_error error;
    if (kesher_file_name_check(entry->name, &error) != KESHER_OK)
        return refuse(entry, &error);
    entry->size = size;
    plan->total += size;
    return true;
}

/* ---- directories ---- */

static int by_name(const FTSENT **left, const FTSENT **right)
{
    return strcmp((*left)->fts_name, (*right)->fts_name);
}

static void tell_left_out(const struct ks_cli_options *options, const FTSENT *found)
{
    char shown[SHOWN_SIZE];
    if (!options->quiet)
        ks_output_notice("'%s' is %s, and was left out", show(found->fts_path, shown),
                         found->fts_info == FTS_SL || found->fts_info == FTS_SLNONE ? "a symbolic link"
                                                                                    : "no regular file");
}

/* A directory that is walked. */
struct tree {
    struct ks_put_plan *plan;
    const struct ks_cli_options *options;
    const char *name; /* with which the names of its files begin */
    size_t name_size;
    size_t path_size; /* of the operand */
};

/* What was found below the directory, with its name behind that of the directory. NULL without memory. */
static struct ks_planned_put *add_found(const struct tree *tree, const FTSENT *found)
{
    const char *rest = found->fts_path + tree->path_size;
    struct ks_planned_put *entry =
        add(tree->plan, found->fts_path, join(tree->name, tree->name_size, rest + strspn(rest, "/")));
    if (entry != NULL)
        entry->was_found = true;
    return entry;
}

/* False without memory. */
static bool take_found(const struct tree *tree, const FTSENT *found)
{
    char reason[128];
    struct ks_planned_put *entry = NULL;
    switch (found->fts_info) {
    case FTS_D:
    case FTS_DP:
        return true;
    case FTS_F:
        entry = add_found(tree, found);
        return entry != NULL && take_file(tree->plan, entry, (uint64_t)found->fts_statp->st_size);
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        entry = add_found(tree, found);
        return entry != NULL && refuse_to_send(entry, strerror_r(found->fts_errno, reason, sizeof reason));
    default:
        tell_left_out(tree->options, found);
        return true;
    }
}

/* False with errno. */
static bool walk(const struct tree *tree, char *path)
{
    char *const roots[] = {path, NULL};
    FTS *walking = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
    if (walking == NULL)
        return false;
    FTSENT *found = NULL;
    bool goes_on = true;
    while (goes_on && (errno = 0, found = fts_read(walking)) != NULL)
        goes_on = take_found(tree, found);
    int failure = goes_on ? errno : ENOMEM;
    (void)fts_close(walking);
    errno = failure;
    return failure == 0;
}

static struct tree tree_of(struct ks_put_plan *plan, const struct ks_cli_options *options, const char *path)
{
    struct tree tree = {.plan = plan, .options = options, .path_size = strlen(path)};
    tree.name = ks_file_names_of_tree(path, &tree.name_size);
    if (options->as == NULL)
        return tree;
    tree.name = options->as;
    tree.name_size = strlen(options->as);
    while (tree.name_size > 0 && tree.name[tree.name_size - 1] == '/')
        tree.name_size--;
    return tree;
}

static bool take_tree(struct ks_put_plan *plan, const struct ks_cli_options *options, const char *path)
{
    size_t before = plan->count;
    char shown[SHOWN_SIZE];
    char *changeable = strdup(path);
    const struct tree tree = tree_of(plan, options, path);
    bool walked = changeable != NULL && walk(&tree, changeable);
    free(changeable);
    if (walked && plan->count == before && !options->quiet)
        ks_output_notice("there is no file in '%s'", show(path, shown));
    return walked;
}

/* ---- operands ---- */

static bool take_stdin(struct ks_put_plan *plan, const struct ks_cli_options *options)
{
    struct ks_planned_put *entry = add(plan, "-", strdup(options->as));
    uint64_t size = 0;
    if (entry == NULL || !take_file(plan, entry, 0) || entry->error != NULL)
        return entry != NULL;
    entry->fd = ks_spool(STDIN_FILENO, INT64_MAX, &size);
    if (entry->fd >= 0)
        return take_file(plan, entry, size);
    const struct kesher_error told = {.status = KESHER_FILE}; /* it has printed why not */
    return refuse(entry, &told);
}

static bool take_operand(struct ks_put_plan *plan, const struct ks_cli_options *options, const char *path)
{
    struct stat status;
    if (strcmp(path, "-") == 0)
        return take_stdin(plan, options);
    bool is_there = stat(path, &status) == 0;
    bool is_directory = is_there && S_ISDIR(status.st_mode);
    if (is_directory && options->recursive)
        return take_tree(plan, options, path);
    const char *name = options->as != NULL ? options->as : ks_file_names_last_part(path);
    struct ks_planned_put *entry = add(plan, path, strdup(name));
    if (entry == NULL)
        return false;
    if (is_directory)
        return refuse_to_send(entry, "it is a directory; --recursive sends all that is in it");
    if (!is_there || !S_ISREG(status.st_mode))
        return true; /* why it cannot be opened is told when its turn comes */
    return take_file(plan, entry, (uint64_t)status.st_size);
}

/* ---- two of one name ---- */

static enum ks_exit tell_both(const struct ks_planned_put *first, const struct ks_planned_put *second)
{
    char one[SHOWN_SIZE];
    char other[SHOWN_SIZE];
    char name[SHOWN_SIZE];
    if (strcmp(first->path, second->path) == 0)
        ks_output_usage("'%s' is there twice; name it once", show(first->path, one));
    else
        ks_output_usage("'%s' and '%s' would both be '%s' at the server; send one of them by itself, with "
                        "another name after --as",
                        show(first->path, one), show(second->path, other), show(first->name, name));
    return KS_EXIT_USAGE;
}

/* KS_EXIT_DONE when all names differ. */
static enum ks_exit check_names(const struct ks_put_plan *plan)
{
    const struct ks_named *first = NULL;
    const struct ks_named *second = NULL;
    enum ks_exit status = KS_EXIT_DONE;
    size_t count = 0;
    struct ks_named *names = calloc(plan->count > 0 ? plan->count : 1, sizeof *names);
    if (names == NULL)
        return KS_EXIT_FAILED;
    for (size_t i = 0; i < plan->count; i++)
        if (plan->entries[i].error == NULL)
            names[count++] = (struct ks_named){.name = plan->entries[i].name, .index = i};
    if (ks_same_names_find(names, count, &first, &second))
        status = tell_both(&plan->entries[first->index], &plan->entries[second->index]);
    free(names);
    return status;
}

enum ks_exit ks_put_plan_make(const struct ks_cli_options *options, struct ks_put_plan *plan)
{
    char reason[128];
    bool made = true;
    *plan = (struct ks_put_plan){.entries = NULL};
    for (size_t i = 0; made && i < options->operand_count; i++)
        made = take_operand(plan, options, options->operands[i]);
    enum ks_exit status = made ? check_names(plan) : KS_EXIT_FAILED;
    if (status == KS_EXIT_FAILED)
        ks_output_failed(errno == ENOMEM ? KESHER_NO_MEMORY : KESHER_FILE,
                         "cannot look for what is to be sent: %s", strerror_r(errno, reason, sizeof reason));
    if (status != KS_EXIT_DONE)
        ks_put_plan_free(plan);
    return status;
}

void ks_put_plan_free(struct ks_put_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        free_entry(&plan->entries[i]);
    free(plan->entries);
    *plan = (struct ks_put_plan){.entries = NULL};
}
