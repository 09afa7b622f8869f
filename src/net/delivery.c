/* delivery.c — see delivery.h. */
#include "net/delivery.h"

#include <linux/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

enum {
    LEVEL_TCP = 6,       /* IPPROTO_TCP, whose header would bring glibc's structure along */
    TCP_STATE_CLOSE = 7, /* as tcpi_state has it */
};

bool ks_delivery_read(int fd, struct ks_delivery *delivery)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    memset(&info, 0, sizeof info);
    bool known = getsockopt(fd, LEVEL_TCP, TCP_INFO, &info, &size) == 0 &&
                 size >= offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked;
    delivery->bytes_acked = info.tcpi_bytes_acked;
    delivery->dead = !known || info.tcpi_state == TCP_STATE_CLOSE;
    return known;
}
