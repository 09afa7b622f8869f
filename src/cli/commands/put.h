/* put.h — sending a list of paths, for `put` and `transfer`. Main thread. */
#ifndef KS_CLI_COMMANDS_PUT_H
#define KS_CLI_COMMANDS_PUT_H

#include "cli/commands/context.h"

struct ks_put {
    const char *const *paths; /* "-" is the standard input */
    size_t path_count;
    const char *as; /* the name to send under, or NULL for the base name; only with one path */
    bool course;    /* repeats after error answers, and says so in the words of the course's batch client */
    const char *register_as; /* the user to register first, or NULL when the home holds an identity */
};

/* The name that the server is told. Points into `path`, or is `as`. */
const char *ks_put_name(const struct ks_put *put, const char *path);

/* Whether every file can be kept beside the others, before anything is sent. KS_EXIT_DONE; KS_EXIT_USAGE
 * after printing which two would be one, or which name no server keeps; KS_EXIT_FAILED without memory. */
enum ks_exit ks_put_check_names(const struct ks_put *put);

/* Sends the files to the server at `address` and tells what became of each, in the order of the paths.
 * KS_EXIT_DONE when all were confirmed. */
enum ks_exit ks_put_files(struct ks_context *context, const char *address, const struct ks_put *put);

#endif
