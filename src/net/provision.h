/* provision.h — what libuv allocates as it goes, and aborts when it cannot: allocated at the start, where a
 * failure is told. Private to src/net.
 */
#ifndef KS_NET_PROVISION_H
#define KS_NET_PROVISION_H

#include "base/result.h"

#include <uv.h>

/* Makes the loop's table of watchers large enough for every descriptor below this number; it never becomes
 * smaller. The loop has no handles yet, and does not run. KS_OK, KS_NO_MEMORY, KS_IO (errno). */
enum ks_result ks_provision_watchers(uv_loop_t *loop, unsigned descriptors);

/* Starts the threads of the pool, of which there is one for all loops. `work` is libuv's until this loop has
 * run. KS_OK, KS_IO; KS_NO_MEMORY: the system has no memory for them, or gives no more threads. */
enum ks_result ks_provision_pool(uv_loop_t *loop, uv_work_t *work);

#endif
