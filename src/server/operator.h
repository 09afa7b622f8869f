/* operator.h — `kesherd user …` and `kesherd group …`: what an operator asks and has done, from the command
 * line.
 *
 * Where a server holds the data directory, it is asked through its control socket (wire/control_codec.h);
 * else the store is opened here, as exclusively as a server would, and the same operations
 * (service/operators/operations.h) run on it. Either way the answer comes in the same lines. Exit status: 0;
 * 1 when it failed, which one line on stderr tells; 2 for a command line that makes no sense.
 */
#ifndef KS_SERVER_OPERATOR_H
#define KS_SERVER_OPERATOR_H

#include "server/server_options.h"

/* Does what the operands of `options` say; returns the exit status. In place of a server: the caller does
 * nothing else. */
int ks_operator_run(struct ks_server_options *options);

#endif
