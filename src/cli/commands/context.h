/* context.h — what every command of kesher starts from: the options, the home, the server's address.
 *
 * Made by main for each command, freed by main. Main thread.
 */
#ifndef KS_CLI_COMMANDS_CONTEXT_H
#define KS_CLI_COMMANDS_CONTEXT_H

#include "cli/commands/cli_options.h"

#include <kesher/kesher.h>

/* Exit status of every command. */
enum ks_exit { KS_EXIT_DONE = 0, KS_EXIT_FAILED = 1, KS_EXIT_USAGE = 2 };

struct ks_context {
    const struct ks_cli_options *options;
    struct kesher_home *home;
    struct kesher_options limits; /* what the options say of times; an observer is the command's to add */
    bool pipeline;                /* --pipeline, or "pipeline = yes" in kesher.conf */
};

/* Opens the home (--home, else $KESHER_HOME, else $XDG_CONFIG_HOME/kesher, else ~/.config/kesher) and reads
 * its kesher.conf. False after printing why not. */
bool ks_context_open(struct ks_context *context, const struct ks_cli_options *options);
void ks_context_close(struct ks_context *context);

/* The server to speak to: --server, else what the home says. False after printing why not. */
bool ks_context_server(const struct ks_context *context, char address[KESHER_ADDRESS_SIZE]);

/* The server to speak to for another service: --server, else the host of what the home says, with `port`. */
bool ks_context_service(const struct ks_context *context, uint16_t port, char address[KESHER_ADDRESS_SIZE]);

/* Refuses a home whose secrets others can read or change, as ssh does. False after printing what to type. */
bool ks_context_secrets_are_kept(const struct ks_context *context);

/* For what the course's other clients share a home with, and make readable for all: warns of it, and goes on.
 */
void ks_context_warn_of_secrets(const struct ks_context *context);

/* A variable of the environment; NULL when it is not there or empty. */
const char *ks_context_variable(const char *name);

/* The commands of this folder, one file per family. */
enum ks_exit ks_command_register(struct ks_context *context);
enum ks_exit ks_command_put(struct ks_context *context);
enum ks_exit ks_command_transfer(struct ks_context *context);
enum ks_exit ks_command_users(struct ks_context *context);
enum ks_exit ks_command_key(struct ks_context *context);
enum ks_exit ks_command_request_key(struct ks_context *context);
enum ks_exit ks_command_share_key(struct ks_context *context);
enum ks_exit ks_command_send(struct ks_context *context);
enum ks_exit ks_command_inbox(struct ks_context *context);
enum ks_exit ks_command_ask(struct ks_context *context);

#endif
