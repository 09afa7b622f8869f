/* secure_port.h — all that may be asked on the secure port (protocol.md §8): the table that ties the engine
 * in service/core to the services behind it. Give it to a `struct ks_frames_port` with an access
 * (accounts/visitor.h). Read-only, any thread.
 */
#ifndef KS_SERVICE_SECURE_PORT_H
#define KS_SERVICE_SECURE_PORT_H

#include "service/core/rules.h"

extern const struct ks_rules ks_secure_port_rules;

#endif
