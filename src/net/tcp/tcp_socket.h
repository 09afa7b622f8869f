/* tcp_socket.h — TCP sockets without a loop: how they are opened to listen, and what the kernel knows of a
 * peer's acknowledgements. Private to src/net.
 *
 * A file of its own because the kernel's struct tcp_info, unlike glibc 2.36's, has tcpi_bytes_acked, and the
 * two headers cannot be included together: libuv brings glibc's along.
 */
#ifndef KS_NET_TCP_TCP_SOCKET_H
#define KS_NET_TCP_TCP_SOCKET_H

#include "base/log.h"
#include "base/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Binds a non-blocking socket to "host:port" and listens; see ks_net_listen for the forms. What it accepts
 * inherits the options of our connections. KS_OK with *fd, the caller's; KS_INVALID, KS_NOT_FOUND, KS_EXISTS,
 * KS_IO (errno), and then `why` holds a sentence. Main thread. */
enum ks_result ks_tcp_socket_listen(const char *address, int backlog, const struct ks_log *log, int *fd,
                                    char *why, size_t why_size);

/* "192.0.2.7:1357", "[2001:db8::7]:1357": where it is bound, and which families it takes where that is all
 * interfaces. */
void ks_tcp_socket_describe(int fd, char *bound, size_t bound_size);

struct ks_tcp_delivery {
    uint64_t bytes_acked; /* by the peer's TCP since the connection began; SYN and FIN may count as bytes */
    bool dead;            /* reset or timed out, or ended on both sides: nothing more will be acknowledged */
    bool end_came;        /* the peer's end of stream is here, read or not */
};

/* False when the kernel does not say; *delivery then says dead. Any thread. */
bool ks_tcp_socket_read_delivery(int fd, struct ks_tcp_delivery *delivery);

#endif
