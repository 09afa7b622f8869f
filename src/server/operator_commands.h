/* operator_commands.h — the table of what operators can say: for running it, for help, manual pages and
 * completions. Pure; any thread.
 */
#ifndef KS_SERVER_OPERATOR_COMMANDS_H
#define KS_SERVER_OPERATOR_COMMANDS_H

#include "wire/control_codec.h"

#include <stdbool.h>
#include <stddef.h>

enum ks_operator_kind {
    KS_OPERATOR_ASKS, /* a server, or the store: `request` */
    KS_OPERATOR_ADDRESS,
    KS_OPERATOR_INVITE,
    KS_OPERATOR_KEY_NEXT,
    KS_OPERATOR_KEY_USE,
};

struct ks_operator_command {
    const char *noun;
    const char *verb; /* "" where the noun says it all */
    enum ks_operator_kind kind;
    enum ks_control_verb request; /* of one that asks */
    unsigned options;             /* bits of enum ks_server_options_use that it takes */
    bool takes_name;
    bool asks_first;  /* it cannot be undone */
    const char *done; /* what is said then; NULL where the answer says it all */
    const char *next; /* what follows from it, behind that; may be NULL */
    const char *help;
};

size_t ks_operator_command_count(void);
const struct ks_operator_command *ks_operator_command_at(size_t index); /* index < count */

#endif
