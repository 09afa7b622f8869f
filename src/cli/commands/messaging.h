/* messaging.h — what the commands of messages begin with. Main thread. */
#ifndef KS_CLI_COMMANDS_MESSAGING_H
#define KS_CLI_COMMANDS_MESSAGING_H

#include "cli/commands/context.h"
#include "cli/terminal/progress.h"

/* Draws `progress` (NULL: none), and prints notices on stderr only where somebody looks on: a script gets the
 * one line of an error. */
struct kesher_observer ks_messaging_observer(struct ks_progress *progress);

/* The messenger of the home's identity at the server, for kesher_messenger_close; NULL after printing why
 * not. `what` is what only classic servers have, for a sentence; NULL for what every server has. `options` is
 * NULL for notices and the default limits. Symmetric keys are kept in the home; received
 * files go to --save-to, or where the library puts them. */
struct kesher_messenger *ks_messaging_open(const struct ks_context *context, const char *what,
                                           const struct kesher_options *options);

/* Behind what the command is for: makes sure that the server has the public key of this home. Says so when it
 * has another one; that it cannot be asked now is no failure. */
void ks_messaging_publish_key(struct kesher_messenger *messenger);

/* Makes the directory after --save-to where it does not exist. True also without --save-to; false after
 * printing why files cannot be saved there. */
bool ks_messaging_prepare_directory(const struct ks_context *context);

#endif
