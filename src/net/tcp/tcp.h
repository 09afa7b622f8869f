/* tcp.h — a connection over a TCP socket, or one in the file system: the implementation of connection.h, and
 * the *carrier* of all that a worker serves. Private to src/net.
 *
 * A connection is created on its worker's thread, lives there and frees itself after its `closed` event. It
 * knows its worker by net/loop/worker_core.h alone.
 *
 * Where other carriers join: one that speaks over a connection, as TLS and WebSocket do, is on its lower side
 * a service (struct ks_connection_events, which this calls) and on its upper side a connection (struct
 * ks_connection_operations, as those here); it stands beside this folder, knows net/connection.h, and nothing
 * here changes. What of a connection is not TCP's, and what one with sockets of another kind would share, is
 * in net/loop: deadlines, the output queue, the worker's lists, standing, addresses and counts. What is left
 * here is what a socket is needed for: polling, reads and sends, TCP_INFO, the way to the end of a stream.
 * The cases of tests/unit/net/contract/connection_contract.h hold for every carrier.
 */
#ifndef KS_NET_TCP_TCP_H
#define KS_NET_TCP_TCP_H

#include "net/loop/worker_core.h"

/* Hands in what the core calls. Once, before its loop runs. */
void ks_tcp_serve(struct ks_worker_core *core);

/* Opens a connection on the socket, whose ownership passes in any case; *accepted is copied. On any failure
 * the socket is closed and the counts are put right. */
void ks_tcp_open(struct ks_worker_core *core, const struct ks_accepted *accepted);

/* Offers kept input again, sends what waits, closes what is doomed. */
void ks_tcp_work_off(struct ks_worker_core *core);

/* Ends the longest-idle connection of the lowest standing up to this one; false when there is none. */
bool ks_tcp_evict_idle(struct ks_worker_core *core, enum ks_standing up_to);

/* Ends all connections that have nothing in flight, or, with `all`, all. */
void ks_tcp_end_connections(struct ks_worker_core *core, bool all);

#endif
