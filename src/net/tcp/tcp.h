/* tcp.h — a connection over a TCP socket: the implementation of connection.h. Private to src/net.
 *
 * A connection is created on its worker's thread, lives there and frees itself after its `closed` event.
 */
#ifndef KS_NET_TCP_H
#define KS_NET_TCP_H

#include "net/worker.h"

/* Opens a connection on the non-blocking socket `fd`, whose ownership passes in any case. On any failure the
 * socket is closed and the counts are put right. */
void ks_tcp_open(struct ks_worker *worker, int fd, const struct sockaddr_storage *peer,
                 const struct ks_connection_events *events, void *service,
                 struct ks_listener_counts *listener);

/* Closes the socket instead, for there is no room for it; counts and logs that. Any thread. */
void ks_tcp_turn_away(struct ks_worker *worker, int fd, const struct sockaddr_storage *peer,
                      struct ks_listener_counts *listener);

/* Says in the log that a connection was refused, and why, in a sentence that is constant. Any thread. */
void ks_tcp_log_refusal(const struct ks_log *log, const struct sockaddr_storage *from, const char *sentence);

extern const char ks_tcp_no_room[]; /* such a sentence */

/* Offers kept input again, sends what waits, closes what is doomed. */
void ks_tcp_work_off(struct ks_worker *worker);

/* A deadline of a connection of this worker passed. */
void ks_tcp_deadline_passed(struct ks_deadline *deadline);

/* A reminder of a connection of this worker is due. */
void ks_tcp_reminder_passed(struct ks_deadline *reminder);

/* Looks at every watched delivery. */
void ks_tcp_check_deliveries(struct ks_worker *worker);

/* Ends the longest-idle connection of the lowest standing up to this one; false when there is none. */
bool ks_tcp_evict_idle(struct ks_worker *worker, enum ks_standing up_to);

/* Ends all connections that have nothing in flight, or, with `all`, all. */
void ks_tcp_end_connections(struct ks_worker *worker, bool all);

#endif
