/* binary_port.h — all that may be asked on the binary port (protocol.md §1): the table that ties the engine
 * in service/core to the services behind it. Give it to a `struct ks_frames_port` without an access.
 * Read-only, any thread.
 */
#ifndef KS_SERVICE_BINARY_PORT_H
#define KS_SERVICE_BINARY_PORT_H

#include "service/core/rules.h"

enum { KS_BINARY_PORT_RULES = 13 };

extern const struct ks_rules ks_binary_port_rules;

#endif
