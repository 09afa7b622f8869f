/* frames.h — the engine of the binary ports: requests on one connection, told apart by their codes
 * (protocol.md §1, §8).
 *
 * Give `ks_frames_events` to a listener with a `struct ks_frames_port *` as the service; what may be asked is
 * in its table of rules.
 */
#ifndef KS_SERVICE_CORE_FRAMES_H
#define KS_SERVICE_CORE_FRAMES_H

#include "net/connection.h"
#include "service/core/frames_port.h"

extern const struct ks_connection_events ks_frames_events;

#endif
