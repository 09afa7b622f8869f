/* resolve.h — "HOST:PORT" and "[ADDRESS]:PORT" to a socket address. Main thread; may ask the network. */
#ifndef KS_BENCH_LOAD_RESOLVE_H
#define KS_BENCH_LOAD_RESOLVE_H

#include "base/result.h"

#include <stddef.h>
#include <sys/socket.h>

/* KS_OK with the address that `text` stands for: where a name has several, the first of IPv4, or without one
 * the first; "[::1]:PORT" reaches a server that listens on that one only. Else one line for people is in
 * `reason`: KS_INVALID (no HOST:PORT), KS_NOT_FOUND. */
enum ks_result ks_resolve_address(const char *text, struct sockaddr_storage *address, socklen_t *address_size,
                                  char *reason, size_t reason_capacity);

#endif
