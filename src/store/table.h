/* table.h — uthash and utlist as the store uses them.
 *
 * A failed allocation inside a table does not end the program: after an add, hh.tbl of the entry is NULL.
 */
#ifndef KS_STORE_TABLE_H
#define KS_STORE_TABLE_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

/* gcc 12 loses sight of what is only reachable through a table, and calls it leaked. The leak checker of the
 * address sanitizer, under which the tests run, does not. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

#endif
