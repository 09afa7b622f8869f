/* test_tls_carrier.c — net/tls: strangers at each stage of a handshake, streams that are cut, proxies, and
 * limits. What holds for every carrier is in contract/.
 */
#include "unit/net/tls_peer.h"

/* A service that counts what happens to it. */
struct service {
    unsigned opened;
    unsigned ended;
    unsigned closed;
    struct ks_connection *connection;
    struct ks_buffer input;
};

static bool service_opened(struct ks_connection *connection, void *context)
{
    struct service *service = context;
    connection->session = service;
    service->connection = connection;
    service->opened++;
    return true;
}

static size_t service_received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct service *service = connection->session;
    assert_int_equal(ks_buffer_append(&service->input, bytes, size), KS_OK);
    return size;
}

static void service_ended(struct ks_connection *connection)
{
    ((struct service *)connection->session)->ended++;
}

static void service_closed(struct ks_connection *connection)
{
    struct service *service = connection->session;
    service->closed++;
    service->connection = NULL;
}

static const struct ks_connection_events service_events = {
    .opened = service_opened,
    .received = service_received,
    .input_ended = service_ended,
    .deadline = service_ended,
    .closed = service_closed,
};

struct scene {
    struct tls_peer *peer;
    struct service service;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    scene->peer = tls_peer_new();
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    const struct ks_tls_port *port = scene->peer->port;
    tcp_fixture_turn(scene->peer->fixture);
    ks_tcp_end_connections(&scene->peer->fixture->core, true);
    while (tcp_fixture_connections(scene->peer->fixture) > 0)
        tcp_fixture_turn(scene->peer->fixture);
    if (port != NULL) {
        assert_int_equal(ks_tls_port_unsigned(port), 0);
        assert_int_equal(ks_tls_port_handshakes(port), 0);
    }
    assert_int_equal(scene->service.opened, scene->service.closed);
    tls_peer_free(scene->peer);
    ks_buffer_free(&scene->service.input);
    free(scene);
    return 0;
}

static void connect_only(struct scene *scene)
{
    tls_peer_connect(scene->peer, &service_events, &scene->service, NULL);
}

static void open_all(struct scene *scene)
{
    connect_only(scene);
    assert_true(tls_peer_shake_hands(scene->peer));
    while (scene->service.opened == 0)
        tcp_fixture_turn(scene->peer->fixture);
}

static void await_close(const struct scene *scene)
{
    while (tcp_fixture_connections(scene->peer->fixture) > 0)
        tcp_fixture_turn(scene->peer->fixture);
}

/* All that the server says in the clear, to its end. */
static void assert_answer(struct scene *scene, const char *beginning)
{
    char text[256] = "";
    size_t size = 0;
    ssize_t got = -1;
    while (got != 0) {
        got = recv(scene->peer->fd, text + size, sizeof text - 1 - size, 0);
        if (got < 0)
            assert_int_equal(errno, EAGAIN);
        if (got < 0)
            tcp_fixture_turn(scene->peer->fixture);
        size += got > 0 ? (size_t)got : 0;
    }
    text[size] = '\0';
    assert_int_equal(strncmp(text, beginning, strlen(beginning)), 0);
    assert_ptr_equal(strchr(text, '\n'), beginning[0] == 'H' ? strstr(text, "\n\r\n") : text + size - 1);
}

static void test_plain_text_gets_one_line_and_the_end(void **state)
{
    struct scene *scene = *state;
    connect_only(scene);
    assert_true(tls_peer_send_raw(scene->peer, "Hi", 2));
    assert_answer(scene, "This port speaks TLS 1.3");
    assert_int_equal(atomic_load(&ks_tls_port_counts(scene->peer->port)->no_tls), 1);
}

static void test_http_gets_one_line_and_the_end(void **state)
{
    struct scene *scene = *state;
    connect_only(scene);
    assert_true(tls_peer_send_raw(scene->peer, "GET / HTTP/1.1\r\n\r\n", 18));
    assert_answer(scene, "HTTP/1.1 400 ");
}

static void test_nothing_is_made_of_a_hello_before_it_is_whole(void **state)
{
    struct scene *scene = *state;
    connect_only(scene);
    assert_int_equal(ks_tls_handshake(scene->peer->tls), KS_MORE);
    for (size_t i = 0; i + 1 < scene->peer->out.size; i++) {
        assert_true(tls_peer_send_raw(scene->peer, scene->peer->out.bytes + i, 1));
        tcp_fixture_turn(scene->peer->fixture);
    }
    for (unsigned i = 0; i < 8; i++)
        tcp_fixture_turn(scene->peer->fixture);
    assert_int_equal(ks_tls_port_handshakes(scene->peer->port), 0);
    assert_int_equal(ks_tls_port_unsigned(scene->peer->port), 1);
    assert_true(tls_peer_send_raw(scene->peer, scene->peer->out.bytes + scene->peer->out.size - 1, 1));
    ks_buffer_free(&scene->peer->out);
    while (ks_tls_port_handshakes(scene->peer->port) == 0)
        tcp_fixture_turn(scene->peer->fixture);
    assert_true(tls_peer_shake_hands(scene->peer));
    while (scene->service.opened == 0)
        tcp_fixture_turn(scene->peer->fixture);
    assert_int_equal(ks_tls_port_handshakes(scene->peer->port), 0);
}

static void test_who_stops_in_the_middle_has_ten_seconds(void **state)
{
    struct scene *scene = *state;
    connect_only(scene);
    assert_true(tls_peer_send_raw(scene->peer, "\x16\x03\x01", 3));
    tcp_fixture_pass(scene->peer->fixture, KS_TLS_HANDSHAKE_MS - 1000);
    assert_int_equal(tcp_fixture_connections(scene->peer->fixture), 1);
    tcp_fixture_pass(scene->peer->fixture, 2000);
    await_close(scene);
    assert_int_equal(atomic_load(&ks_tls_port_counts(scene->peer->port)->late), 1);
}

static void test_who_does_not_finish_the_handshake_has_ten_seconds(void **state)
{
    struct scene *scene = *state;
    connect_only(scene);
    assert_int_equal(ks_tls_handshake(scene->peer->tls), KS_MORE);
    assert_true(tls_peer_send_out(scene->peer));
    while (ks_tls_port_handshakes(scene->peer->port) == 0)
        tcp_fixture_turn(scene->peer->fixture);
    tcp_fixture_pass(scene->peer->fixture, KS_TLS_HANDSHAKE_MS + 1000);
    await_close(scene);
    assert_int_equal(scene->service.opened, 0);
}

static void test_a_hello_that_is_too_long_is_refused(void **state)
{
    struct scene *scene = *state;
    static const uint8_t says_so[] = {22, 3, 1, 0x40, 0, 1, 0x01, 0xff, 0xb8};
    connect_only(scene);
    assert_true(tls_peer_send_raw(scene->peer, says_so, sizeof says_so));
    uint8_t alert[16];
    ssize_t got = -1;
    while ((got = recv(scene->peer->fd, alert, sizeof alert, 0)) < 0)
        tcp_fixture_turn(scene->peer->fixture);
    assert_int_equal(got, 7);
    assert_int_equal(alert[0], 21);
    assert_int_equal(atomic_load(&ks_tls_port_counts(scene->peer->port)->broken), 1);
}

/* Work that waits until the test lets it go on. */
static struct ks_offload *held;

static void hold_offload(struct ks_loop *loop, struct ks_offload *offload)
{
    offload->loop = loop;
    held = offload;
}

static void let_go(void)
{
    struct ks_offload *offload = held;
    held = NULL;
    offload->work(offload);
    offload->done(offload);
}

static void begin_and_hold(struct scene *scene)
{
    scene->peer->fixture->core.loop.offload = hold_offload;
    connect_only(scene);
    assert_int_equal(ks_tls_handshake(scene->peer->tls), KS_MORE);
    assert_true(tls_peer_send_out(scene->peer));
    while (held == NULL)
        tcp_fixture_turn(scene->peer->fixture);
}

static void test_who_goes_while_the_pool_works_is_freed_when_it_has(void **state)
{
    struct scene *scene = *state;
    begin_and_hold(scene);
    ks_tcp_end_connections(&scene->peer->fixture->core, true);
    await_close(scene);
    let_go();
    assert_int_equal(ks_tls_port_handshakes(scene->peer->port), 0);
}

static void test_whose_time_is_up_while_the_pool_works_is_freed_when_it_has(void **state)
{
    struct scene *scene = *state;
    begin_and_hold(scene);
    tcp_fixture_pass(scene->peer->fixture, KS_TLS_HANDSHAKE_MS + 1000);
    await_close(scene);
    let_go();
}

static void test_a_stream_that_is_cut_is_no_end(void **state)
{
    struct scene *scene = *state;
    open_all(scene);
    tls_peer_send(scene->peer, "half", 4);
    assert_int_equal(shutdown(scene->peer->fd, SHUT_WR), 0);
    await_close(scene);
    assert_int_equal(scene->service.ended, 0);
    assert_int_equal(scene->service.input.size, 4);
}

static void test_a_record_that_was_changed_ends_the_connection(void **state)
{
    struct scene *scene = *state;
    open_all(scene);
    assert_int_equal(ks_tls_write(scene->peer->tls, (const uint8_t *)"hello", 5), KS_OK);
    scene->peer->out.bytes[scene->peer->out.size - 1] ^= 1;
    assert_true(tls_peer_send_out(scene->peer));
    while (tls_peer_receive(scene->peer))
        ;
    close(scene->peer->fd);
    scene->peer->fd = -1;
    await_close(scene);
    assert_int_equal(scene->service.ended, 0);
    assert_int_equal(scene->service.input.size, 0);
}

static void test_the_channel_is_that_of_the_peer(void **state)
{
    struct scene *scene = *state;
    uint8_t ours[KS_CONNECTION_CHANNEL_SIZE];
    uint8_t theirs[KS_CONNECTION_CHANNEL_SIZE];
    open_all(scene);
    assert_true(ks_connection_channel(scene->service.connection, ours));
    assert_int_equal(ks_tls_channel(scene->peer->tls, theirs), KS_OK);
    assert_memory_equal(ours, theirs, sizeof ours);
}

static void test_who_is_known_is_no_stranger_any_more(void **state)
{
    struct scene *scene = *state;
    open_all(scene);
    assert_int_equal(ks_tls_port_unsigned(scene->peer->port), 1);
    ks_connection_set_standing(scene->service.connection, KS_STANDING_KNOWN);
    ks_connection_set_standing(scene->service.connection, KS_STANDING_KNOWN);
    assert_int_equal(ks_tls_port_unsigned(scene->peer->port), 0);
}

static void test_a_connection_keeps_the_identity_that_it_began_with(void **state)
{
    struct scene *scene = *state;
    struct ks_tls_identity *other = NULL;
    uint8_t before[KS_CONNECTION_CHANNEL_SIZE];
    uint8_t after[KS_CONNECTION_CHANNEL_SIZE];
    open_all(scene);
    assert_true(ks_connection_channel(scene->service.connection, before));
    assert_int_equal(ks_tls_identity_generate(&other), KS_OK);
    assert_int_equal(ks_tls_port_set_identity(scene->peer->port, other), KS_OK);
    ks_tls_identity_free(other);
    assert_true(ks_connection_channel(scene->service.connection, after));
    assert_memory_equal(before, after, sizeof before);
    tls_peer_send(scene->peer, "still here", 10);
    while (scene->service.input.size < 10)
        tcp_fixture_turn(scene->peer->fixture);
}

/* ---- proxies ---- */

static const uint8_t proxied[] = {13, 10, 13,  10, 0, 13, 10, 'Q', 'U', 'I', 'T',  10,   0x21, 0x11,
                                  0,  12, 192, 0,  2, 7,  10, 0,   0,   1,   0x9c, 0x40, 5,    0x4e};

static void connect_as_proxy(struct scene *scene, struct ks_networks_current *proxies)
{
    struct ks_networks *networks = NULL;
    assert_int_equal(ks_networks_parse("127.0.0.0/8", &networks), KS_OK);
    ks_networks_replace(proxies, networks);
    tls_peer_connect(scene->peer, &service_events, &scene->service, proxies);
}

static void test_a_listed_proxy_says_who_its_client_is(void **state)
{
    struct scene *scene = *state;
    struct ks_networks_current proxies = {NULL};
    char text[KS_PEER_TEXT_SIZE];
    connect_as_proxy(scene, &proxies);
    assert_true(tls_peer_send_raw(scene->peer, proxied, sizeof proxied));
    assert_true(tls_peer_shake_hands(scene->peer));
    while (scene->service.opened == 0)
        tcp_fixture_turn(scene->peer->fixture);
    ks_connection_describe_peer(scene->service.connection, text, sizeof text);
    assert_string_equal(text, "192.0.2.7:40000");
    ks_networks_clear(&proxies);
}

static void test_a_listed_proxy_without_a_header_is_cut(void **state)
{
    struct scene *scene = *state;
    struct ks_networks_current proxies = {NULL};
    connect_as_proxy(scene, &proxies);
    assert_false(tls_peer_shake_hands(scene->peer));
    await_close(scene);
    ks_networks_clear(&proxies);
}

static void test_a_header_of_anybody_else_is_plain_text(void **state)
{
    struct scene *scene = *state;
    connect_only(scene);
    assert_true(tls_peer_send_raw(scene->peer, proxied, sizeof proxied));
    assert_answer(scene, "This port speaks TLS 1.3");
}

int main(void)
{
#define SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SCENE(test_plain_text_gets_one_line_and_the_end),
        SCENE(test_http_gets_one_line_and_the_end),
        SCENE(test_nothing_is_made_of_a_hello_before_it_is_whole),
        SCENE(test_who_stops_in_the_middle_has_ten_seconds),
        SCENE(test_who_does_not_finish_the_handshake_has_ten_seconds),
        SCENE(test_a_hello_that_is_too_long_is_refused),
        SCENE(test_who_goes_while_the_pool_works_is_freed_when_it_has),
        SCENE(test_whose_time_is_up_while_the_pool_works_is_freed_when_it_has),
        SCENE(test_a_stream_that_is_cut_is_no_end),
        SCENE(test_a_record_that_was_changed_ends_the_connection),
        SCENE(test_the_channel_is_that_of_the_peer),
        SCENE(test_who_is_known_is_no_stranger_any_more),
        SCENE(test_a_connection_keeps_the_identity_that_it_began_with),
        SCENE(test_a_listed_proxy_says_who_its_client_is),
        SCENE(test_a_listed_proxy_without_a_header_is_cut),
        SCENE(test_a_header_of_anybody_else_is_plain_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
