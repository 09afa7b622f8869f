/* secure_put.h — `put` at a secure server. Main thread. */
#ifndef KS_CLI_FILES_SECURE_PUT_H
#define KS_CLI_FILES_SECURE_PUT_H

#include "cli/commands/context.h"

/* Sends what the options name to the home's secure server, and tells what became of each file, in that order.
 * KS_EXIT_DONE when all were confirmed. */
enum ks_exit ks_secure_put(struct ks_context *context);

#endif
