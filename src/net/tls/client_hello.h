/* client_hello.h — whether what a stranger has sent is a whole ClientHello (RFC 8446, 4.1.2), before anything
 * is made of it. Pure; any thread. Private to src/net.
 */
#ifndef KS_NET_TLS_CLIENT_HELLO_H
#define KS_NET_TLS_CLIENT_HELLO_H

#include "base/result.h"

#include <stddef.h>
#include <stdint.h>

/* Looks at all bytes that have come. KS_OK: a whole ClientHello is there, in however many records; KS_MORE:
 * so far it could be one; KS_INVALID: it is none; KS_TOO_LARGE: it is, or will be, longer than `limit` bytes
 * with its records.
 */
enum ks_result ks_client_hello_scan(const uint8_t *bytes, size_t size, size_t limit);

#endif
