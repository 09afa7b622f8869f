/* shared.c — see shared.h. */
#include "base/shared.h"

#include <stdlib.h>

struct ks_shared *ks_shared_new(size_t capacity)
{
    struct ks_shared *shared = malloc(sizeof *shared + capacity);
    if (shared == NULL)
        return NULL;
    atomic_init(&shared->references, 1);
    shared->size = 0;
    shared->capacity = capacity;
    return shared;
}

struct ks_shared *ks_shared_retain(struct ks_shared *shared)
{
    atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
    return shared;
}

void ks_shared_release(struct ks_shared *shared)
{
    /* Not a release and a fence behind the last: the thread sanitizer does not see fences. */
    if (shared != NULL && atomic_fetch_sub_explicit(&shared->references, 1, memory_order_acq_rel) == 1)
        free(shared);
}
