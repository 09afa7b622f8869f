/* Unit tests of bench/load/load_link.h over TLS: what is written arrives, what arrives is shown, and
 * whoever speaks no TLS is found out. A thread with a blocking socket is the server.
 */
#include "unit/unit.h"

#include "bench/load/fleet.h"
#include "crypto/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

enum {
    LARGE_SIZE = 3 * 1000 * 1000, /* more than any buffer between the two */
    TICK_MS = 20,
    PATIENCE_NS = 1000 * 1000 * 1000, /* times PATIENCE_SECONDS */
    PATIENCE_SECONDS = 60,
};

/* ---- the server ---- */

struct served {
    int listener;
    char address[32];
    const char *greeting; /* in the clear, before TLS; NULL: none */
    const char *nonsense; /* instead of TLS; NULL: TLS */
    size_t wanted;        /* bytes to echo before it ends */
    bool cuts;            /* ends without a close_notify */
    struct ks_tls_context *context;
    pthread_t thread;
    int fd;
    enum ks_tls_protocol protocol; /* that the client asked for */
    bool heard_the_end;            /* the client's close_notify */
    bool went_wrong;
};

static void send_all(void *owner, const uint8_t *bytes, size_t size)
{
    const struct served *served = owner;
    while (size > 0) {
        ssize_t sent = send(served->fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the client has gone, which a later read tells */
        bytes += sent;
        size -= (size_t)sent;
    }
}

/* Feeds what comes next. False at the end. */
static bool feed_some(const struct served *served, struct ks_tls *tls, uint8_t *bytes, size_t capacity)
{
    ssize_t size = recv(served->fd, bytes, capacity, 0);
    if (size <= 0)
        return false;
    ks_tls_feed(tls, bytes, (size_t)size);
    return true;
}

static void echo(struct served *served, struct ks_tls *tls)
{
    static uint8_t input[64 * 1024];
    static uint8_t text[64 * 1024];
    enum ks_result result = ks_tls_handshake(tls);
    while (result == KS_MORE && feed_some(served, tls, input, sizeof input))
        result = ks_tls_handshake(tls);
    served->protocol = ks_tls_protocol_of(tls);
    while (result == KS_OK || result == KS_MORE) {
        size_t got = 0;
        result = ks_tls_read(tls, text, sizeof text, &got);
        if (result == KS_OK)
            (void)ks_tls_write(tls, text, got);
        served->wanted -= got < served->wanted ? got : served->wanted;
        if (served->wanted == 0 && served->cuts)
            return;
        if (result == KS_MORE && !feed_some(served, tls, input, sizeof input))
            break;
    }
    served->heard_the_end = result == KS_CLOSED;
    ks_tls_end(tls);
}

static void *serve(void *argument)
{
    struct served *served = argument;
    struct ks_tls *tls = NULL;
    served->fd = accept(served->listener, NULL, NULL);
    if (served->greeting != NULL)
        send_all(served, (const uint8_t *)served->greeting, strlen(served->greeting));
    if (served->nonsense != NULL)
        send_all(served, (const uint8_t *)served->nonsense, strlen(served->nonsense));
    else if (ks_tls_new(served->context, NULL, send_all, served, &tls) == KS_OK)
        echo(served, tls);
    else
        served->went_wrong = true;
    ks_tls_free(tls);
    (void)shutdown(served->fd, SHUT_WR);
    uint8_t rest[256];
    while (recv(served->fd, rest, sizeof rest, 0) > 0)
        continue;
    (void)close(served->fd);
    return NULL;
}

static void start_server(struct served *served)
{
    struct ks_tls_identity *identity = NULL;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert_int_equal(ks_tls_identity_generate(&identity), KS_OK);
    assert_int_equal(ks_tls_server_context_new(identity, &served->context), KS_OK);
    ks_tls_identity_free(identity);
    served->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(served->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(served->listener, 1), 0);
    assert_int_equal(getsockname(served->listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(served->address, sizeof served->address, "127.0.0.1:%u", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&served->thread, NULL, serve, served), 0);
}

static void stop_server(struct served *served)
{
    assert_int_equal(pthread_join(served->thread, NULL), 0);
    assert_false(served->went_wrong);
    (void)close(served->listener);
    ks_tls_context_release(served->context);
}

/* ---- the client ---- */

struct client {
    struct ks_reactor *reactor;
    struct ks_tls_context *context;
    struct ks_fleet *fleet;
    bool upgrades;    /* TLS comes behind the server's greeting */
    size_t to_write;  /* when it stands */
    size_t taken;     /* of the echo */
    size_t hold_back; /* bytes that are left over at each showing but the last */
    bool is_right;    /* what came is what was written */
    bool opened;
    bool ended;
    int error;
    uint64_t began_ns;
};

static uint8_t byte_at(size_t offset)
{
    return (uint8_t)(offset * 31 + offset / 251);
}

static void write_pattern(const struct client *client, struct ks_load_link *link)
{
    uint8_t *place = ks_load_link_reserve(link, client->to_write);
    assert_non_null(place);
    for (size_t i = 0; i < client->to_write; i++)
        place[i] = byte_at(i);
}

static void opened(void *context, uint32_t index, struct ks_load_link *link)
{
    struct client *client = context;
    (void)index;
    client->opened = true;
    if (client->upgrades)
        return;
    if (client->to_write == 0)
        ks_load_link_finish(link);
    else
        write_pattern(client, link);
}

static size_t upgrade(struct client *client, struct ks_load_link *link, const uint8_t *bytes, size_t size)
{
    if (memchr(bytes, '\n', size) == NULL)
        return 0;
    client->upgrades = false;
    assert_int_equal(ks_load_link_secure(link, client->context), KS_OK);
    write_pattern(client, link); /* waits for the handshake */
    return size;
}

static size_t received(void *context, uint32_t index, struct ks_load_link *link, const uint8_t *bytes,
                       size_t size)
{
    struct client *client = context;
    (void)index;
    if (client->upgrades)
        return upgrade(client, link, bytes, size);
    size_t left = client->to_write - client->taken;
    size_t held = size < left && client->hold_back < size ? client->hold_back : 0;
    for (size_t i = 0; i < size - held; i++)
        client->is_right = client->is_right && bytes[i] == byte_at(client->taken + i);
    client->taken += size - held;
    if (client->taken == client->to_write)
        ks_load_link_finish(link);
    return size - held;
}

static void ended(void *context, uint32_t index, struct ks_load_link *link, int error)
{
    struct client *client = context;
    (void)index;
    (void)link;
    client->ended = true;
    client->error = error;
    ks_reactor_stop(client->reactor);
}

static void tick(void *context, uint64_t now_ns)
{
    struct client *client = context;
    if (client->began_ns == 0)
        client->began_ns = now_ns;
    if ((now_ns - client->began_ns) / PATIENCE_NS > PATIENCE_SECONDS)
        ks_reactor_stop(client->reactor);
}

/* From the first byte to the end. */
static void converse(struct client *client, struct served *served, bool offers_kesher)
{
    static const struct ks_fleet_events events = {.opened = opened, .received = received, .ended = ended};
    char reason[200];
    start_server(served);
    client->is_right = true;
    assert_int_equal(ks_tls_measuring_context_new(offers_kesher, &client->context), KS_OK);
    assert_int_equal(ks_reactor_new(TICK_MS, tick, client, false, &client->reactor), KS_OK);
    const struct ks_fleet_plan plan = {.count = 1, .tls = client->upgrades ? NULL : client->context};
    assert_int_equal(ks_fleet_open(client->reactor, served->address, &plan, &events, client, &client->fleet,
                                   reason, sizeof reason),
                     KS_OK);
    assert_int_equal(ks_reactor_run(client->reactor), KS_OK);
    assert_true(client->ended);
    stop_server(served);
}

static void part(struct client *client)
{
    ks_fleet_free(client->fleet);
    ks_reactor_free(client->reactor);
    ks_tls_context_release(client->context);
}

/* ---- tests ---- */

static void much_goes_both_ways(void **state)
{
    (void)state;
    struct served served = {.wanted = LARGE_SIZE};
    struct client client = {.to_write = LARGE_SIZE, .hold_back = 1000};
    converse(&client, &served, true);
    assert_true(client.opened && client.is_right);
    assert_int_equal(client.taken, LARGE_SIZE);
    assert_int_equal(client.error, 0);
    assert_int_equal(served.protocol, KS_TLS_PROTOCOL_KESHER);
    part(&client);
}

static void the_end_is_said_and_heard(void **state)
{
    (void)state;
    struct served served = {.wanted = 1};
    struct client client = {.to_write = 0};
    converse(&client, &served, false);
    assert_int_equal(client.error, 0);
    assert_true(served.heard_the_end);
    assert_int_equal(served.protocol, KS_TLS_PROTOCOL_NONE);
    assert_true(ks_fleet_link(client.fleet, 0)->announced);
    part(&client);
}

static void tls_begins_behind_a_greeting(void **state)
{
    (void)state;
    struct served served = {.wanted = 100000, .greeting = "INFO {}\r\n"};
    struct client client = {.to_write = 100000, .upgrades = true};
    converse(&client, &served, false);
    assert_true(client.is_right);
    assert_int_equal(client.taken, 100000);
    assert_int_equal(client.error, 0);
    part(&client);
}

static void who_speaks_no_tls_is_found_out(void **state)
{
    (void)state;
    struct served served = {.nonsense = "220 mail.example ready\r\n"};
    struct client client = {.to_write = 10};
    converse(&client, &served, true);
    assert_false(client.opened);
    assert_int_equal(client.error, EPROTO);
    assert_string_not_equal(ks_load_link_why(client.reactor), "");
    part(&client);
}

static void a_connection_that_is_cut_is_over(void **state)
{
    (void)state;
    struct served served = {.wanted = 10, .cuts = true};
    struct client client = {.to_write = 20}; /* so that it waits for more */
    converse(&client, &served, true);
    assert_true(client.opened);
    assert_int_equal(client.error, 0);
    part(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(much_goes_both_ways),
        cmocka_unit_test(the_end_is_said_and_heard),
        cmocka_unit_test(tls_begins_behind_a_greeting),
        cmocka_unit_test(who_speaks_no_tls_is_found_out),
        cmocka_unit_test(a_connection_that_is_cut_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
