/* file_selection.h — the files of an account that the operands of a command mean. Main thread. */
#ifndef KS_CLI_FILES_FILE_SELECTION_H
#define KS_CLI_FILES_FILE_SELECTION_H

#include "cli/commands/context.h"
#include "cli/files/file_patterns.h"

#include <stddef.h>
#include <stdint.h>

enum { KS_FILE_SELECTION_LIMIT = 1000000 }; /* files: whatever the server says, memory has an end */

struct ks_selected {
    char *name; /* owned */
    uint64_t size;
    bool has_size; /* else nobody has asked the server for it */
};

struct ks_file_selection {
    struct ks_selected *files;
    size_t count;
    size_t capacity;
    bool missed; /* an operand means no file, and that was told */
};

/* Names are taken as they are, whether there is such a file or not. Patterns, and with `below` all operands,
 * are what the server has of them (file_patterns.h); but a pattern that is the very name of a file means that
 * one alone. A file that two operands mean is selected once. Names come first, in their order, then what the
 * server listed, in the order of their bytes. An operand that means nothing is told on stderr. False after
 * printing what failed; then there is nothing to be freed. */
bool ks_file_selection_make(struct kesher_files *files, const char *const *operands, size_t count, bool below,
                            struct ks_file_selection *selection);
void ks_file_selection_free(struct ks_file_selection *selection);

/* Tells on stderr of each operand that has met no file. Whether there was one. */
bool ks_file_selection_tell_missing(const struct ks_file_patterns *patterns);

#endif
