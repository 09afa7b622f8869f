/* operator_key.h — `kesherd key next` and `kesherd key use`: the key that follows the host key. Main thread.
 * Private to operator*.c.
 */
#ifndef KS_SERVER_OPERATOR_KEY_H
#define KS_SERVER_OPERATOR_KEY_H

#include "server/server_options.h"

/* The data directory is found; root becomes its owner for good. They return the exit status. */
int ks_operator_key_next(const struct ks_server_options *options);
int ks_operator_key_use(const struct ks_server_options *options);

#endif
