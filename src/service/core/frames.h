/* frames.h — the binary port: requests of file drop and messages on one connection, told apart by their codes
 * (protocol.md §1).
 *
 * Give `ks_frames_events` to ks_net_listen with a `struct ks_service_environment *` as the service; what may
 * be asked is in its table of rules.
 */
#ifndef KS_SERVICE_CORE_FRAMES_H
#define KS_SERVICE_CORE_FRAMES_H

#include "net/connection.h"
#include "service/core/environment.h"

extern const struct ks_connection_events ks_frames_events;

#endif
