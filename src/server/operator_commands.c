/* operator_commands.c — see operator_commands.h. */
#include "server/operator_commands.h"

#include "server/server_options.h"

enum { ALL = KS_SERVER_OPTIONS_OPERATOR };

static const struct ks_operator_command commands[] = {
    {"user", "list", KS_CONTROL_USERS, ALL, false, false, NULL, NULL,
     "every user, in the order of registration"},
    {"user", "show", KS_CONTROL_USER, ALL, true, false, NULL, NULL,
     "one user, with its public id and the fingerprint of its key"},
    {"user", "reset-key", KS_CONTROL_RESET_KEY, ALL, true, false, "key reset",
     "the next kesher put, transfer, inbox or send of this user gives the server the key of its home",
     "forget the user's keys: the next public key that it sends is stored"},
    {"user", "remove", KS_CONTROL_REMOVE, ALL | KS_SERVER_OPTIONS_REMOVE, true, true, "removed", NULL,
     "remove the user, its files and what waits for it; its name is free"},
    {"check", "", KS_CONTROL_CHECK, ALL | KS_SERVER_OPTIONS_CHECK, false, false, NULL, NULL,
     "look at all that is stored: what is wrong, and what that means"},
    {"group", "list", KS_CONTROL_GROUPS, ALL, false, false, NULL, NULL,
     "the groups of the chat, on a running server"},
};

size_t ks_operator_command_count(void)
{
    return sizeof commands / sizeof commands[0];
}

const struct ks_operator_command *ks_operator_command_at(size_t index)
{
    return &commands[index];
}
