/* file_selection.c — see file_selection.h. */
#include "cli/files/file_selection.h"

#include "cli/commands/same_names.h"
#include "cli/terminal/output.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN_SIZE = 300, FEWEST_FILES = 64 };

bool ks_file_selection_tell_missing(const struct ks_file_patterns *patterns)
{
    char shown[SHOWN_SIZE];
    bool missing = false;
    for (size_t i = 0; i < patterns->count; i++) {
        if (patterns->met[i])
            continue;
        ks_output_failed(KESHER_NOT_FOUND, "there is no file '%s' at the server",
                         ks_shown_path(patterns->operands[i], false, shown, sizeof shown));
        missing = true;
    }
    return missing;
}

static bool out_of_memory(void)
{
    ks_output_failed(KESHER_NO_MEMORY, "out of memory; close other programs and try again");
    return false;
}

/* False without memory. */
static bool add(struct ks_file_selection *selection, struct ks_selected file)
{
    if (selection->count == selection->capacity) {
        size_t capacity = selection->capacity == 0 ? FEWEST_FILES : 2 * selection->capacity;
        struct ks_selected *files = reallocarray(selection->files, capacity, sizeof *files);
        if (files == NULL)
            return false;
        selection->files = files;
        selection->capacity = capacity;
    }
    file.name = strdup(file.name);
    if (file.name == NULL)
        return false;
    selection->files[selection->count++] = file;
    return true;
}

/* ---- what the server lists ---- */

struct listed_selection {
    struct ks_file_selection *selection;
    struct ks_file_patterns patterns;
    bool failed; /* no memory */
    bool too_many;
};

static bool take_listed(void *context, const struct kesher_file *file)
{
    struct listed_selection *listing = context;
    if (!ks_file_patterns_mean(&listing->patterns, file->name))
        return true;
    listing->too_many = listing->selection->count >= KS_FILE_SELECTION_LIMIT;
    if (listing->too_many)
        return false;
    listing->failed = !add(
        listing->selection,
        (struct ks_selected){.name = (char *)(uintptr_t)file->name, .size = file->size, .has_size = true});
    return !listing->failed;
}

static bool list(struct kesher_files *files, struct listed_selection *listing)
{
    char prefix[KESHER_FILE_NAME_SIZE];
    struct kesher_error error;
    ks_file_patterns_prefix(&listing->patterns, prefix, sizeof prefix);
    if (kesher_files_list(files, prefix, take_listed, listing, &error) != KESHER_OK) {
        ks_output_failure(&error);
        return false;
    }
    if (listing->failed)
        return out_of_memory();
    if (listing->too_many)
        ks_output_failed(KESHER_INVALID, "more than %d files are meant; name fewer at once",
                         KS_FILE_SELECTION_LIMIT);
    else
        listing->selection->missed = ks_file_selection_tell_missing(&listing->patterns);
    return !listing->too_many;
}

/* ---- names as they are ---- */

static bool take_first(void *context, const struct kesher_file *file)
{
    memcpy(context, file->name, sizeof file->name);
    return false;
}

/* Whether a pattern is a file's name: 'a[1].txt' would not match itself, and mean another one. */
static bool is_a_name(struct kesher_files *files, const char *operand, bool *is_name)
{
    char first[KESHER_FILE_NAME_SIZE] = "";
    struct kesher_error error;
    if (kesher_file_name_check(operand, NULL) != KESHER_OK) {
        *is_name = false;
        return true;
    }
    if (kesher_files_list(files, operand, take_first, first, &error) != KESHER_OK) {
        ks_output_failure(&error);
        return false;
    }
    *is_name = strcmp(first, operand) == 0;
    return true;
}

/* Sorts the operands into the selection, and into `patterns`. */
static bool sort_operands(struct kesher_files *files, struct ks_file_selection *selection,
                          const char *const *operands, size_t count, bool below, const char **patterns,
                          size_t *pattern_count)
{
    for (size_t i = 0; i < count; i++) {
        bool as_it_is = !below;
        if (ks_file_patterns_has_wildcard(operands[i]) && !is_a_name(files, operands[i], &as_it_is))
            return false;
        if (!as_it_is)
            patterns[(*pattern_count)++] = operands[i];
        else if (!add(selection, (struct ks_selected){.name = (char *)(uintptr_t)operands[i]}))
            return out_of_memory();
    }
    return true;
}

/* ---- once each ---- */

static bool drop_repeated(struct ks_file_selection *selection)
{
    struct ks_named *names = calloc(selection->count + 1, sizeof *names);
    if (names == NULL)
        return out_of_memory();
    for (size_t i = 0; i < selection->count; i++)
        names[i] = (struct ks_named){.name = selection->files[i].name, .index = i};
    ks_same_names_sort(names, selection->count);
    for (size_t i = selection->count; i-- > 1;) {
        struct ks_selected *repeated = &selection->files[names[i].index];
        if (strcmp(names[i - 1].name, names[i].name) != 0)
            continue;
        free(repeated->name);
        repeated->name = NULL;
    }
    free(names);
    size_t kept = 0;
    for (size_t i = 0; i < selection->count; i++)
        if (selection->files[i].name != NULL)
            selection->files[kept++] = selection->files[i];
    selection->count = kept;
    return true;
}

/* ---- all of it ---- */

static bool list_patterns(struct kesher_files *files, struct ks_file_selection *selection,
                          const char *const *patterns, size_t count, bool below)
{
    struct listed_selection listing = {.selection = selection};
    if (count == 0)
        return true;
    if (!ks_file_patterns_open(patterns, count, below, &listing.patterns))
        return out_of_memory();
    bool listed = list(files, &listing);
    ks_file_patterns_close(&listing.patterns);
    return listed;
}

bool ks_file_selection_make(struct kesher_files *files, const char *const *operands, size_t count, bool below,
                            struct ks_file_selection *selection)
{
    size_t pattern_count = 0;
    *selection = (struct ks_file_selection){.files = NULL};
    const char **patterns = calloc(count + 1, sizeof *patterns);
    if (patterns == NULL)
        return out_of_memory();
    bool made = sort_operands(files, selection, operands, count, below, patterns, &pattern_count) &&
                list_patterns(files, selection, patterns, pattern_count, below) && drop_repeated(selection);
    free(patterns);
    if (!made)
        ks_file_selection_free(selection);
    return made;
}

void ks_file_selection_free(struct ks_file_selection *selection)
{
    for (size_t i = 0; i < selection->count; i++)
        free(selection->files[i].name);
    free(selection->files);
    *selection = (struct ks_file_selection){.files = NULL};
}
