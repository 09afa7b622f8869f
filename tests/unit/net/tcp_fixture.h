/* tcp_fixture.h — a worker's core without its thread: net/tcp on a loop that turns when the test says so, on
 * the test's thread, and peers over loopback.
 *
 * The loop's time is set by hand: link with --wrap=uv_now.
 */
#ifndef KS_TESTS_UNIT_NET_TCP_FIXTURE_H
#define KS_TESTS_UNIT_NET_TCP_FIXTURE_H

#include "unit/unit.h"

#include "base/limits/log_repeats.h"
#include "net/tcp/tcp.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TCP_FIXTURE_CAPACITY = 1024 * 1024, TCP_FIXTURE_SOCKET_BUFFER = 64 * 1024, TCP_FIXTURE_NAP_US = 200 };

/* The names are the linker's. NOLINTBEGIN(bugprone-reserved-identifier) */
uint64_t __wrap_uv_now(const uv_loop_t *loop);
/* NOLINTEND(bugprone-reserved-identifier) */

static uint64_t tcp_fixture_now_ms;

uint64_t __wrap_uv_now(const uv_loop_t *loop)
{
    (void)loop;
    return tcp_fixture_now_ms;
}

struct tcp_fixture {
    struct ks_worker_core core;
    struct ks_worker_shared shared;
    struct ks_connection_counts counts;
    struct ks_log log;
    uv_prepare_t prepare;
    struct ks_mailbox mailbox;
    uv_timer_cb on_tick; /* the carrier's */
    unsigned ticks;
};

static inline void tcp_fixture_post(struct ks_executor *executor, struct ks_task *task)
{
    ks_mailbox_put(&KS_CONTAINER_OF(executor, struct tcp_fixture, core.loop.executor)->mailbox, task);
}

static inline void tcp_fixture_prepare(uv_prepare_t *prepare)
{
    struct tcp_fixture *fixture = prepare->data;
    ks_tcp_work_off(&fixture->core);
}

static inline void tcp_fixture_tick(uv_timer_t *ticks)
{
    struct tcp_fixture *fixture = KS_CONTAINER_OF(ticks, struct tcp_fixture, core.ticks);
    fixture->ticks++;
    fixture->on_tick(ticks);
}

static inline struct tcp_fixture *tcp_fixture_new(void)
{
    size_t size = (sizeof(struct tcp_fixture) / KS_CACHE_LINE + 1) * KS_CACHE_LINE;
    struct tcp_fixture *fixture = aligned_alloc(KS_CACHE_LINE, size);
    assert_non_null(fixture);
    memset(fixture, 0, size);
    tcp_fixture_now_ms = 1000;
    fixture->log = (struct ks_log){.fd = open("/dev/null", O_WRONLY | O_CLOEXEC), .level = KS_LOG_DEBUG};
    fixture->shared.log = &fixture->log;
    fixture->shared.clock = ks_clock_system();
    fixture->shared.output_limit = 64UL * TCP_FIXTURE_CAPACITY;
    ks_crowd_init(&fixture->shared.crowd, &(struct ks_hash_key){{0}}, 0, NULL);
    ks_budget_init(&fixture->shared.contents, TCP_FIXTURE_CAPACITY);
    ks_budget_init(&fixture->shared.answers, TCP_FIXTURE_CAPACITY);
    struct ks_worker_core *core = &fixture->core;
    core->shared = &fixture->shared;
    core->scratch = malloc(KS_WORKER_SCRATCH_SIZE);
    assert_non_null(core->scratch);
    core->loop.executor.post = tcp_fixture_post;
    core->loop.clock = fixture->shared.clock;
    core->loop.contents = &fixture->shared.contents;
    core->loop.answers = &fixture->shared.answers;
    core->loop.log = &fixture->log;
    ks_mailbox_init(&fixture->mailbox);
    ks_connection_lists_init(&core->lists, &fixture->shared.known_count);
    ks_tcp_serve(core);
    fixture->on_tick = core->on_tick;
    core->on_tick = tcp_fixture_tick;
    assert_int_equal(uv_loop_init(&core->uv), 0);
    uv_prepare_init(&core->uv, &fixture->prepare);
    uv_timer_init(&core->uv, &core->ticks);
    fixture->prepare.data = fixture;
    uv_prepare_start(&fixture->prepare, tcp_fixture_prepare);
    ks_deadline_wheel_init(&core->deadlines, uv_now(&core->uv));
    ks_deadline_wheel_init(&core->reminders, uv_now(&core->uv));
    return fixture;
}

/* What is posted, then what is at hand; a nap, lest the peer's side of the system starves. */
static inline void tcp_fixture_turn(struct tcp_fixture *fixture)
{
    struct ks_task *task = ks_mailbox_take(&fixture->mailbox);
    while (task != NULL) {
        struct ks_task *next = task->next;
        task->run(task);
        task = next;
    }
    uv_run(&fixture->core.uv, UV_RUN_NOWAIT);
    usleep(TCP_FIXTURE_NAP_US);
}

/* So many milliseconds pass; what is due then has happened when this returns. */
static inline void tcp_fixture_pass(struct tcp_fixture *fixture, uint64_t ms)
{
    tcp_fixture_turn(fixture);
    tcp_fixture_now_ms += ms;
    unsigned until = fixture->ticks + 2;
    while (fixture->core.ticking && fixture->ticks < until)
        tcp_fixture_turn(fixture);
    tcp_fixture_turn(fixture);
}

static inline unsigned tcp_fixture_connections(const struct tcp_fixture *fixture)
{
    return atomic_load(&fixture->shared.connection_count);
}

/* Every connection is over: ends what is left, and frees all. */
static inline void tcp_fixture_free(struct tcp_fixture *fixture)
{
    ks_tcp_end_connections(&fixture->core, true);
    while (tcp_fixture_connections(fixture) > 0)
        tcp_fixture_turn(fixture);
    assert_int_equal(atomic_load(&fixture->core.connection_count), 0);
    assert_int_equal(atomic_load(&fixture->shared.known_count), 0);
    assert_int_equal(atomic_load(&fixture->shared.output), 0);
    uv_close((uv_handle_t *)&fixture->prepare, NULL);
    uv_close((uv_handle_t *)&fixture->core.ticks, NULL);
    uv_run(&fixture->core.uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&fixture->core.uv), 0);
    ks_budget_destroy(&fixture->shared.contents);
    ks_budget_destroy(&fixture->shared.answers);
    ks_crowd_destroy(&fixture->shared.crowd);
    free(fixture->core.scratch);
    close(fixture->log.fd);
    free(fixture);
}

static inline void tcp_fixture_shorten(int fd)
{
    int size = TCP_FIXTURE_SOCKET_BUFFER;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
}

/* Two ends of a TCP connection over loopback, both non-blocking: the peer's is returned, ours and where it
 * comes from in *accepted. */
static inline int tcp_fixture_connect(struct ks_accepted *accepted)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof where;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listening >= 0 && peer >= 0);
    tcp_fixture_shorten(listening);
    tcp_fixture_shorten(peer);
    assert_int_equal(bind(listening, (struct sockaddr *)&where, size), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&where, &size), 0);
    assert_int_equal(connect(peer, (struct sockaddr *)&where, size), 0);
    socklen_t peer_size = sizeof accepted->peer;
    accepted->fd =
        accept4(listening, (struct sockaddr *)&accepted->peer, &peer_size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(accepted->fd >= 0);
    close(listening);
    assert_int_equal(fcntl(peer, F_SETFL, O_NONBLOCK), 0);
    return peer;
}

/* Counts a connection in as an acceptor does, and opens it. */
static inline void tcp_fixture_open(struct tcp_fixture *fixture, struct ks_accepted *accepted)
{
    const struct ks_peer_address peer = ks_peer_address_of(&accepted->peer);
    if (!peer.is_local)
        assert_int_equal(ks_crowd_enter(&fixture->shared.crowd, peer.bytes), KS_OK);
    atomic_fetch_add(&fixture->shared.connection_count, 1);
    atomic_fetch_add(&fixture->core.connection_count, 1);
    accepted->counts = &fixture->counts;
    ks_tcp_open(&fixture->core, accepted);
}

static inline void tcp_fixture_reset(int peer)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(peer);
}

/* Waits until something has come to our end of a connection. */
static inline void tcp_fixture_await(int fd, short events)
{
    struct pollfd waiting = {.fd = fd, .events = events};
    while (poll(&waiting, 1, -1) < 0)
        ;
}

static inline int tcp_fixture_unread(int fd)
{
    int unread = 0;
    assert_int_equal(ioctl(fd, FIONREAD, &unread), 0);
    return unread;
}

/* Waits until so many bytes have come there. */
static inline void tcp_fixture_await_bytes(int fd, int size)
{
    while (tcp_fixture_unread(fd) < size)
        usleep(TCP_FIXTURE_NAP_US);
}

#endif
