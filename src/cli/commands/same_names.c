/* same_names.c — see same_names.h. */
#include "cli/commands/same_names.h"

#include <stdlib.h>
#include <string.h>

/* For qsort(3). */
static int compare(const void *left, const void *right)
{
    const struct ks_named *one = left;
    const struct ks_named *other = right;
    int order = strcmp(one->name, other->name);
    if (order != 0)
        return order;
    return one->index < other->index ? -1 : one->index > other->index;
}

void ks_same_names_sort(struct ks_named *names, size_t count)
{
    if (count > 0)
        qsort(names, count, sizeof *names, compare);
}

bool ks_same_names_find(struct ks_named *names, size_t count, const struct ks_named **first,
                        const struct ks_named **second)
{
    *second = NULL;
    ks_same_names_sort(names, count);
    for (size_t i = 1; i < count; i++)
        if (strcmp(names[i - 1].name, names[i].name) == 0 &&
            (*second == NULL || names[i].index < (*second)->index))
            *second = &names[i];
    if (*second != NULL)
        *first = *second - 1;
    return *second != NULL;
}
