/* put_plan.h — what a `put` at a secure server is to send: its operands, and with --recursive all that is in
 * directories, each with its name at the server. Main thread.
 */
#ifndef KS_CLI_FILES_PUT_PLAN_H
#define KS_CLI_FILES_PUT_PLAN_H

#include "cli/commands/context.h"

#include <stddef.h>
#include <stdint.h>

struct ks_planned_put {
    char *path;                 /* to be opened; owned */
    char *name;                 /* at the server; owned */
    uint64_t size;              /* when it was looked at; for progress */
    int fd;                     /* of the standard input, spooled; else -1 */
    bool was_found;             /* in a directory: what it names must not be a link */
    struct kesher_error *error; /* why it cannot be sent, or NULL; owned. It has been told with a sentence of
                                 * no characters */
};

struct ks_put_plan {
    struct ks_planned_put *entries;
    size_t count;
    size_t capacity;
    uint64_t total; /* bytes of all that can be sent */
};

/* Looks at everything that the options name, and spools the standard input where they do. What is left out of
 * directories is said on stderr. KS_EXIT_DONE with a plan, to be freed; KS_EXIT_USAGE when two files would
 * have one name, KS_EXIT_FAILED without memory: both were said, and there is nothing to be freed. */
enum ks_exit ks_put_plan_make(const struct ks_cli_options *options, struct ks_put_plan *plan);
void ks_put_plan_free(struct ks_put_plan *plan);

#endif
