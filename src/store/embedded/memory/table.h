/* table.h — uthash and utlist as the store uses them. Tables allocate through two functions of ours: what is
 * only reachable through a table, gcc's analyzer would call leaked.
 *
 * A failed allocation does not end the program: after an add, hh.tbl of the entry is NULL.
 */
#ifndef KS_STORE_EMBEDDED_MEMORY_TABLE_H
#define KS_STORE_EMBEDDED_MEMORY_TABLE_H

#include <stddef.h>

/* malloc and free. */
void *ks_table_allocate(size_t size);
void ks_table_free(void *memory);

#define HASH_NONFATAL_OOM         1
#define uthash_malloc(size)       ks_table_allocate(size)
#define uthash_free(memory, size) ks_table_free(memory)
#include <uthash.h>
#include <utlist.h>

#endif
