/* commands.h — the commands of kesher: one table for running them, for help, manual pages and completions.
 * Pure.
 */
#ifndef KS_CLI_COMMANDS_H
#define KS_CLI_COMMANDS_H

#include "cli/commands/context.h"

struct ks_command {
    const char *name;
    const char *arguments; /* for the usage line */
    const char *help;      /* one line */
    const char *details;   /* more, for its own --help; may be empty */
    unsigned groups;       /* of options that it takes */
    size_t operands_at_least;
    size_t operands_at_most;
    enum ks_exit (*run)(struct ks_context *context);
};

/* The command of that name, or NULL. */
const struct ks_command *ks_commands_find(const char *name);

size_t ks_commands_count(void);
const struct ks_command *ks_commands_at(size_t index); /* index < ks_commands_count() */

#endif
