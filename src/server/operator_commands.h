/* operator_commands.h — the tables of what operators can say: commands, and the options of all of them. For
 * running them, for help, manual pages and completions. Pure; any thread.
 */
#ifndef KS_SERVER_OPERATOR_COMMANDS_H
#define KS_SERVER_OPERATOR_COMMANDS_H

#include "server/options.h"
#include "wire/control.h"

struct ks_operator_command {
    const char *noun;
    const char *verb; /* "" where the noun says it all */
    enum ks_control_verb request;
    bool takes_name;
    bool asks_first;  /* it cannot be undone */
    const char *done; /* what is said then; NULL where the answer says it all */
    const char *help;
};

size_t ks_operator_command_count(void);
const struct ks_operator_command *ks_operator_command_at(size_t index); /* index < count */

/* Of the row, name, value and help are set. */
size_t ks_operator_option_count(void);
struct ks_option_row ks_operator_option_row(size_t index); /* index < count */

#endif
