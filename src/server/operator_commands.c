/* operator_commands.c — see operator_commands.h. */
#include "server/operator_commands.h"

#include "server/server_options.h"

enum { ALL = KS_SERVER_OPTIONS_OPERATOR, LINK = ALL | KS_SERVER_OPTIONS_LINK };

static const struct ks_operator_command commands[] = {
    {"user", "list", KS_OPERATOR_ASKS, KS_CONTROL_USERS, ALL, false, false, NULL, NULL,
     "every user, in the order of registration"},
    {"user", "show", KS_OPERATOR_ASKS, KS_CONTROL_USER, ALL, true, false, NULL, NULL,
     "one user, with its public id and the fingerprint of its key"},
    {"user", "reset-key", KS_OPERATOR_ASKS, KS_CONTROL_RESET_KEY, ALL, true, false, "key reset",
     "the next kesher put, transfer, inbox or send of this user gives the server the key of its home",
     "forget the user's keys: the next public key that it sends is stored"},
    {"user", "remove", KS_OPERATOR_ASKS, KS_CONTROL_REMOVE, ALL | KS_SERVER_OPTIONS_REMOVE, true, true,
     "removed", NULL, "remove the user, its files and what waits for it; its name is free"},
    {"check", "", KS_OPERATOR_ASKS, KS_CONTROL_CHECK, ALL | KS_SERVER_OPTIONS_CHECK, false, false, NULL, NULL,
     "look at all that is stored: what is wrong, and what that means"},
    {"group", "list", KS_OPERATOR_ASKS, KS_CONTROL_GROUPS, ALL, false, false, NULL, NULL,
     "the groups of the chat, on a running server"},
    {"address", "", KS_OPERATOR_ADDRESS, KS_CONTROL_USERS, LINK | KS_SERVER_OPTIONS_ADDRESS, false, false,
     NULL, NULL, "the link to hand out: where the secure port is, and how clients know it"},
    {"invite", "", KS_OPERATOR_INVITE, KS_CONTROL_INVITE, LINK | KS_SERVER_OPTIONS_INVITE, false, false, NULL,
     NULL, "a link with an invitation to register; a secret"},
    {"key", "next", KS_OPERATOR_KEY_NEXT, KS_CONTROL_USERS, ALL, false, false, NULL, NULL,
     "prepare the next host key, which clients learn before it is used"},
    {"key", "use", KS_OPERATOR_KEY_USE, KS_CONTROL_USERS, ALL, false, false, NULL, NULL,
     "make the next host key the host key"},
};

size_t ks_operator_command_count(void)
{
    return sizeof commands / sizeof commands[0];
}

const struct ks_operator_command *ks_operator_command_at(size_t index)
{
    return &commands[index];
}
