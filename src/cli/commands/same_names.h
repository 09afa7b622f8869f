/* same_names.h — whether two of many things would have one name. Pure; any thread. */
#ifndef KS_CLI_COMMANDS_SAME_NAMES_H
#define KS_CLI_COMMANDS_SAME_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct ks_named {
    const char *name;
    size_t index; /* of the thing, in the order in which they were given */
};

/* Sorts by name, and where these are the same by index. */
void ks_same_names_sort(struct ks_named *names, size_t count);

/* Sorts, and looks for two with one name. Of several pairs it is the one that is complete first: *second
 * completes it, and *first stands before it. False when all differ. */
bool ks_same_names_find(struct ks_named *names, size_t count, const struct ks_named **first,
                        const struct ks_named **second);

#endif
