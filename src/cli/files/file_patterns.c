/* file_patterns.c — see file_patterns.h. */
#include "cli/files/file_patterns.h"

#include <kesher/files.h>

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char wildcards[] = "*?[\\";

enum { PATTERN_SIZE = 4096 }; /* what is longer means nothing */

bool ks_file_patterns_open(const char *const *operands, size_t count, bool below,
                           struct ks_file_patterns *patterns)
{
    *patterns = (struct ks_file_patterns){
        .operands = operands, .count = count, .below = below, .met = calloc(count + 1, sizeof(bool))};
    if (patterns->met == NULL)
        return false;
    patterns->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return true;
}

void ks_file_patterns_close(struct ks_file_patterns *patterns)
{
    if (patterns->utf8 != (locale_t)0)
        freelocale(patterns->utf8);
    patterns->utf8 = (locale_t)0;
    free(patterns->met);
    patterns->met = NULL;
}

bool ks_file_patterns_has_wildcard(const char *operand)
{
    return strpbrk(operand, wildcards) != NULL;
}

/* How much of an operand counts: not the slashes at its end. */
static size_t counted(const char *operand)
{
    size_t size = strlen(operand);
    while (size > 1 && operand[size - 1] == '/')
        size--;
    return size;
}

/* Whether the name is `size` bytes of `text`, or begins with them and a slash. */
static bool is_named(const char *name, const char *text, size_t size, bool below)
{
    return strncmp(name, text, size) == 0 && (name[size] == '\0' || (below && name[size] == '/'));
}

static bool matches_whole(const struct ks_file_patterns *patterns, const char *pattern, const char *name)
{
    locale_t before = (locale_t)0;
    if (patterns->utf8 != (locale_t)0)
        before = uselocale(patterns->utf8);
    bool matches = fnmatch(pattern, name, FNM_PATHNAME) == 0;
    if (before != (locale_t)0)
        (void)uselocale(before);
    return matches;
}

static bool matches_directory(const struct ks_file_patterns *patterns, const char *pattern, const char *name)
{
    char directory[KESHER_FILE_NAME_SIZE];
    for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        size_t size = (size_t)(slash - name);
        if (size >= sizeof directory)
            return false;
        memcpy(directory, name, size);
        directory[size] = '\0';
        if (matches_whole(patterns, pattern, directory))
            return true;
    }
    return false;
}

static bool means(const struct ks_file_patterns *patterns, const char *operand, const char *name)
{
    char pattern[PATTERN_SIZE];
    size_t size = counted(operand);
    if (is_named(name, operand, size, patterns->below))
        return true;
    if (!ks_file_patterns_has_wildcard(operand) || size >= sizeof pattern)
        return false;
    memcpy(pattern, operand, size);
    pattern[size] = '\0';
    return matches_whole(patterns, pattern, name) ||
           (patterns->below && matches_directory(patterns, pattern, name));
}

bool ks_file_patterns_mean(struct ks_file_patterns *patterns, const char *name)
{
    bool any = false;
    for (size_t i = 0; i < patterns->count; i++) {
        if (!means(patterns, patterns->operands[i], name))
            continue;
        patterns->met[i] = true;
        any = true;
    }
    return any;
}

/* What every name begins with that the operand can mean. */
static size_t literal_size(const char *operand)
{
    size_t size = strcspn(operand, wildcards);
    return size < counted(operand) ? size : counted(operand);
}

void ks_file_patterns_prefix(const struct ks_file_patterns *patterns, char *prefix, size_t capacity)
{
    prefix[0] = '\0';
    if (patterns->count > 0)
        (void)snprintf(prefix, capacity, "%.*s", (int)literal_size(patterns->operands[0]),
                       patterns->operands[0]);
    for (size_t i = 1; i < patterns->count; i++) {
        const char *operand = patterns->operands[i];
        size_t literal = literal_size(operand);
        size_t same = 0;
        while (same < literal && prefix[same] != '\0' && prefix[same] == operand[same])
            same++;
        prefix[same] = '\0';
    }
}
