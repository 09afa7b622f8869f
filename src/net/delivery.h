/* delivery.h — what the kernel knows of a peer's acknowledgements. Private to src/net.
 *
 * A file of its own because the kernel's struct tcp_info, unlike glibc 2.36's, has tcpi_bytes_acked, and the
 * two headers cannot be included together.
 */
#ifndef KS_NET_DELIVERY_H
#define KS_NET_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

struct ks_delivery {
    uint64_t bytes_acked; /* by the peer's TCP since the connection began; SYN and FIN may count as bytes */
    bool dead;            /* reset or timed out, or ended on both sides: nothing more will be acknowledged */
    bool end_came;        /* the peer's end of stream is here, read or not */
};

/* False when the kernel does not say; *delivery then says dead. Any thread. */
bool ks_delivery_read(int fd, struct ks_delivery *delivery);

#endif
