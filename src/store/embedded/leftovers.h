/* leftovers.h — what an earlier server has left that goes on: own files that broke off, in staging/, are
 * parked again, and removals of files that were cut short are completed. On the opener's thread, with the
 * writer's connection, before what is in files/ is compared with it.
 */
#ifndef KS_STORE_EMBEDDED_LEFTOVERS_H
#define KS_STORE_EMBEDDED_LEFTOVERS_H

#include "base/result.h"

struct ks_engine;

/* After the users, whose put files alone stay. KS_OK; KS_NO_SPACE, KS_NO_MEMORY, KS_IO. */
enum ks_result ks_leftovers_load(struct ks_engine *engine);

#endif
