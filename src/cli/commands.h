/* commands.h — the commands of kesher: one table for running them, for help, manual pages and completions.
 * Pure.
 */
#ifndef KS_CLI_COMMANDS_H
#define KS_CLI_COMMANDS_H

#include "cli/commands/context.h"

/* The command of that name, or NULL. */
const struct ks_command *ks_commands_find(const char *name);

size_t ks_commands_count(void);
const struct ks_command *ks_commands_at(size_t index); /* index < ks_commands_count() */

#endif
