/* fuzz_tls_greeting.c — what strangers say to a secure port first: a PROXY header, a ClientHello, or anything
 * else, and what follows while the handshake lasts. The first byte of the input says whether the peer is a
 * proxy, and in pieces of what size the rest comes.
 *
 * The properties: what is whole is so with its last byte and not before; what is refused stays so, whatever
 * follows; and the carrier ends every connection without a fault, with all that it counted counted out.
 */
#include "base/limits/networks.h"
#include "net/tls/client_hello.h"
#include "net/tls/proxy_header.h"
#include "net/tls/tls_carrier.h"
#include "support/fake_connection.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { LARGEST_INPUT = 4096 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* ---- the parsers ---- */

static enum ks_result scan(const uint8_t *bytes, size_t size)
{
    return size > 0 ? ks_client_hello_scan(bytes, size, KS_TLS_HELLO_LIMIT) : KS_MORE;
}

static enum ks_result parse(const uint8_t *bytes, size_t size)
{
    struct ks_proxy_header header;
    enum ks_result result = ks_proxy_header_parse(bytes, size, &header);
    require(result != KS_OK || (header.size > 0 && header.size <= size));
    return result;
}

/* With every byte more it is the same, or one step further. */
static void must_be_steady(enum ks_result (*judge)(const uint8_t *bytes, size_t size), const uint8_t *bytes,
                           size_t size)
{
    enum ks_result before = KS_MORE;
    size_t step = size < 64 ? 1 : size / 64;
    for (size_t cut = 0; cut <= size; cut += step) {
        enum ks_result now = judge(bytes, cut);
        require(before == KS_MORE || now == before || before == KS_OK);
        before = now;
    }
}

/* ---- the carrier ---- */

static bool stranger_opened(struct ks_connection *connection, void *service)
{
    connection->session = service;
    return true;
}

static size_t stranger_received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    (void)connection, (void)bytes;
    return size;
}

static void stranger_event(struct ks_connection *connection)
{
    (void)connection;
}

static const struct ks_connection_events stranger_events = {
    .opened = stranger_opened,
    .received = stranger_received,
    .input_ended = stranger_event,
    .deadline = stranger_event,
    .closed = stranger_event,
};

static struct ks_networks_current everybody;

static struct ks_tls_port *port_for(bool is_proxy)
{
    static struct ks_tls_port *ports[2];
    struct ks_tls_identity *identity = NULL;
    struct ks_networks *networks = NULL;
    struct ks_tls_port_options options = {.clock = ks_clock_system(),
                                          .random = ks_random_system(),
                                          .kesher = {&stranger_events, NULL},
                                          .http = {&stranger_events, NULL},
                                          .proxies = is_proxy ? &everybody : NULL};
    if (ports[is_proxy] != NULL)
        return ports[is_proxy];
    if (everybody.newest == NULL) {
        require(ks_networks_parse("0.0.0.0/0, ::/0", &networks) == KS_OK);
        ks_networks_replace(&everybody, networks);
    }
    static const struct ks_log silent = {.fd = -1, .level = KS_LOG_ERROR};
    options.log = &silent;
    require(ks_tls_port_new(&options, &ports[is_proxy]) == KS_OK);
    require(ks_tls_identity_generate(&identity) == KS_OK);
    require(ks_tls_port_set_identity(ports[is_proxy], identity) == KS_OK);
    ks_tls_identity_free(identity);
    return ports[is_proxy];
}

static void greet(struct ks_tls_port *port, const uint8_t *bytes, size_t size, size_t step)
{
    struct fake_loop loop;
    struct fake_connection connection;
    fake_loop_init(&loop, 1 << 20);
    loop.without_traces = true;
    require(fake_connection_open(&connection, &loop, &ks_tls_carrier_events, port));
    if (size > 0)
        fake_connection_send(&connection, bytes, size, step);
    fake_connection_end(&connection);
    fake_connection_close(&connection);
    fake_loop_destroy(&loop);
    require(ks_tls_port_unsigned(port) == 0 && ks_tls_port_handshakes(port) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const size_t steps[] = {0, 1, 7, 100};
    if (size < 1 || size > LARGEST_INPUT)
        return 0;
    must_be_steady(scan, bytes + 1, size - 1);
    must_be_steady(parse, bytes + 1, size - 1);
    greet(port_for((bytes[0] & 1) != 0), bytes + 1, size - 1, steps[bytes[0] >> 1 & 3]);
    return 0;
}
