/* files_session.h — what the commands for own files begin with. Main thread. */
#ifndef KS_CLI_FILES_FILES_SESSION_H
#define KS_CLI_FILES_FILES_SESSION_H

#include "cli/commands/context.h"
#include "cli/terminal/progress.h"

/* The session of the home's account at its secure server, for kesher_files_close; NULL after printing why
 * not. `observer` is told of progress and of what is tried again. */
struct kesher_files *ks_files_session_open(const struct ks_context *context,
                                           const struct kesher_observer *observer);

/* The same without a bar: for commands that ask for something short. */
struct kesher_files *ks_files_session_ask(const struct ks_context *context);

/* The commands of this folder. */
enum ks_exit ks_command_put(struct ks_context *context);
enum ks_exit ks_command_files(struct ks_context *context);
enum ks_exit ks_command_get(struct ks_context *context);
enum ks_exit ks_command_rm(struct ks_context *context);

#endif
