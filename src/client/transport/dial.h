/* dial.h — from "address:port" to a connected socket. Blocking; any thread. */
#ifndef KS_CLIENT_TRANSPORT_DIAL_H
#define KS_CLIENT_TRANSPORT_DIAL_H

#include <kesher/error.h>

#include <stdint.h>

/* Resolves `address` and tries what it stands for, IPv6 and IPv4, one after the other, until one connects or
 * `connect_ms` are over (name resolution has the system's own limits). The socket is non-blocking,
 * close-on-exec, and sends without Nagle's delay. KESHER_OK with *fd, the caller's to close; KESHER_INVALID
 * for an address that is none; KESHER_NOT_FOUND when the name does not resolve; KESHER_CONNECTION;
 * KESHER_TIMEOUT. */
enum kesher_status ks_dial(const char *address, uint32_t connect_ms, int *fd, struct kesher_error *error);

#endif
