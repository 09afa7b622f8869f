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

/* The server to speak to, classic or secure: --server, else what the home says (kesher_home_choose_server).
 * *address is what the library wants: a link or "address:port". `adopt`: for a command that makes an account
 * of a classic identity. False after printing why not. */
bool ks_context_any_server(const struct ks_context *context, bool adopt, char address[KESHER_ADDRESS_SIZE]);

/* The classic server to speak to, for what only those have: --server, else what the home says; in a new home
 * 127.0.0.1:1357. `what`, such as "files", is for the sentence that a secure server has it later. False after
 * printing why not. */
bool ks_context_server(const struct ks_context *context, const char *what, char address[KESHER_ADDRESS_SIZE]);

/* Whether a secure server is meant: the home belongs to one, or a link was given. A new home without a link
 * means none. False after printing why the home cannot be read. */
bool ks_context_wants_secure(const struct ks_context *context, bool *secure);

/* Whether a server that was found is a secure one. */
bool ks_context_is_secure(const char *address);

/* The classic server to speak to for another service: --server, else the host of what the home says, with
 * `port`. False after printing why not. */
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
enum ks_exit ks_command_join(struct ks_context *context);
enum ks_exit ks_command_server(struct ks_context *context);
enum ks_exit ks_command_account(struct ks_context *context);
enum ks_exit ks_command_verify(struct ks_context *context);
enum ks_exit ks_command_transfer(struct ks_context *context);
enum ks_exit ks_command_users(struct ks_context *context);
enum ks_exit ks_command_key(struct ks_context *context);
enum ks_exit ks_command_request_key(struct ks_context *context);
enum ks_exit ks_command_share_key(struct ks_context *context);
enum ks_exit ks_command_send(struct ks_context *context);
enum ks_exit ks_command_inbox(struct ks_context *context);
enum ks_exit ks_command_ask(struct ks_context *context);

#endif
