/* delivery.c — see delivery.h. */
#include "net/delivery.h"

#include <linux/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

enum {
    LEVEL_TCP = 6, /* IPPROTO_TCP, whose header would bring glibc's structure along */
    /* As tcpi_state has them. */
    TCP_STATE_TIME_WAIT = 6,
    TCP_STATE_CLOSE = 7,
    TCP_STATE_CLOSE_WAIT = 8,
    TCP_STATE_LAST_ACK = 9,
    TCP_STATE_CLOSING = 11,
};

static bool peer_has_ended(uint8_t state)
{
    return state == TCP_STATE_CLOSE_WAIT || state == TCP_STATE_LAST_ACK || state == TCP_STATE_CLOSING ||
           state == TCP_STATE_TIME_WAIT || state == TCP_STATE_CLOSE;
}

bool ks_delivery_read(int fd, struct ks_delivery *delivery)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    memset(&info, 0, sizeof info);
    bool known = getsockopt(fd, LEVEL_TCP, TCP_INFO, &info, &size) == 0 &&
                 size >= offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked;
    delivery->bytes_acked = info.tcpi_bytes_acked;
    delivery->dead = !known || info.tcpi_state == TCP_STATE_CLOSE;
    delivery->end_came = known && peer_has_ended(info.tcpi_state);
    return known;
}
