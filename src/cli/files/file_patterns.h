/* file_patterns.h — which files of an account the operands of a command mean: names, and patterns as
 * fnmatch(3) reads them, whose wildcards match no '/'. Pure; one thread.
 */
#ifndef KS_CLI_FILES_FILE_PATTERNS_H
#define KS_CLI_FILES_FILE_PATTERNS_H

#include <locale.h>
#include <stdbool.h>
#include <stddef.h>

struct ks_file_patterns {
    const char *const *operands; /* the caller's */
    size_t count;
    bool below;    /* what means "a/b" means all that begins with "a/b/", too */
    bool *met;     /* one for each operand: it has meant a name */
    locale_t utf8; /* in which '?' is a character; (locale_t)0 where there is none */
};

/* False without memory; then there is nothing to be closed. */
bool ks_file_patterns_open(const char *const *operands, size_t count, bool below,
                           struct ks_file_patterns *patterns);
void ks_file_patterns_close(struct ks_file_patterns *patterns);

/* Whether an operand has characters in it that can stand for others. */
bool ks_file_patterns_has_wildcard(const char *operand);

/* Whether one of the operands means this name; all that do have met one from then on. A slash at an operand's
 * end changes nothing. */
bool ks_file_patterns_mean(struct ks_file_patterns *patterns, const char *name);

/* With what all names begin that one of the operands can mean, cut to `capacity`; "" without operands. */
void ks_file_patterns_prefix(const struct ks_file_patterns *patterns, char *prefix, size_t capacity);

#endif
