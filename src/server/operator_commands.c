/* operator_commands.c — see operator_commands.h. */
#include "server/operator_commands.h"

static const struct ks_operator_command commands[] = {
    {"user", "list", KS_CONTROL_USERS, false, false, NULL, "every user, in the order of registration"},
    {"user", "show", KS_CONTROL_USER, true, false, NULL,
     "one user, with its public id and the fingerprint of its key"},
    {"user", "reset-key", KS_CONTROL_RESET_KEY, true, false, "key reset",
     "forget the user's keys: the next public key that it sends is stored"},
    {"user", "remove", KS_CONTROL_REMOVE, true, true, "removed",
     "remove the user, its files and what waits for it; its name is free"},
    {"check", "", KS_CONTROL_CHECK, false, false, NULL,
     "look at all that is stored: what is wrong, and what that means"},
    {"group", "list", KS_CONTROL_GROUPS, false, false, NULL, "the groups of the chat, on a running server"},
};

static const struct ks_option_row option_rows[] = {
    {.name = "data",
     .value = "DIR",
     .help = "where everything is kept (default: $STATE_DIRECTORY, else ./kesher-data)"},
    {.name = "config", .value = "FILE", .help = "read options from FILE, as the server does"},
    {.name = "json", .help = "a JSON object to a line"},
    {.name = "yes", .help = "remove without asking; needed where stdin is no terminal"},
    {.name = "repair",
     .help = "check: put aside what is damaged, so that the rest is served; deletes nothing"},
    {.name = "help", .help = "print this"},
};

size_t ks_operator_command_count(void)
{
    return sizeof commands / sizeof commands[0];
}

const struct ks_operator_command *ks_operator_command_at(size_t index)
{
    return &commands[index];
}

size_t ks_operator_option_count(void)
{
    return sizeof option_rows / sizeof option_rows[0];
}

struct ks_option_row ks_operator_option_row(size_t index)
{
    return option_rows[index];
}
