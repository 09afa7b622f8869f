/* table.c — see table.h. Any thread. */
#include "store/embedded/memory/table.h"

#include <stdlib.h>

void *ks_table_allocate(size_t size)
{
    return malloc(size);
}

void ks_table_free(void *memory)
{
    free(memory);
}
