/* registering.h — making an account at a secure server, for `register` and `join`. Main thread. */
#ifndef KS_CLI_COMMANDS_REGISTERING_H
#define KS_CLI_COMMANDS_REGISTERING_H

#include "cli/commands/context.h"

struct ks_registering {
    const char *link;       /* of the server; may have an invitation in it */
    const char *name;       /* for an adoption: that of the identity */
    const char *invitation; /* beside the link; NULL for none */
    bool adopt;
};

/* Registers, or adopts, and tells what came of it. */
enum ks_exit ks_registering_run(const struct ks_context *context, const struct ks_registering *registering);

/* A secret that was given as an argument, or, as "-", is the first line of the standard input: into `text`,
 * to be wiped. `what` is for sentences. False after printing why not. */
bool ks_registering_secret(const char *given, const char *what, char *text, size_t capacity);

#endif
