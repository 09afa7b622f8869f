/* Unit tests of src/net: memory and threads that run out while a server runs. libuv's own allocations fail
 * here, which it answers with abort() where it has not made provision. */
#include "unit/store/store_fixture.h"

#include "net/net.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <uv.h>

enum { CROWD = 300, DECIMAL = 10 };

/* ---- memory ---- */

static _Atomic bool no_memory; /* for libuv */

static void *uv_malloc(size_t size)
{
    return atomic_load(&no_memory) ? NULL : malloc(size);
}

static void *uv_realloc(void *bytes, size_t size)
{
    return atomic_load(&no_memory) ? NULL : realloc(bytes, size);
}

static void *uv_calloc(size_t count, size_t size)
{
    return atomic_load(&no_memory) ? NULL : calloc(count, size);
}

/* ---- threads: libuv's calls come here, for this is the program ---- */

static _Atomic bool no_threads;
static _Atomic int threads_left = INT_MAX; /* that are given, before there are none */

__attribute__((visibility("default"))) int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                                                          void *(*start_routine)(void *), void *arg)
{
    int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = NULL;
    void *symbol = dlsym(RTLD_NEXT, "pthread_create");
    memcpy(&next, &symbol, sizeof next);
    bool is_refused = atomic_load(&no_threads) || atomic_fetch_sub(&threads_left, 1) <= 0;
    return is_refused ? EAGAIN : next(thread, attr, start_routine, arg);
}

/* ---- a service that answers each byte, from the pool ---- */

struct guest {
    struct ks_offload offload;
    struct ks_connection *connection;
    uint8_t byte;
};

static bool guest_opened(struct ks_connection *connection, void *service)
{
    (void)service;
    connection->session = calloc(1, sizeof(struct guest));
    return connection->session != NULL;
}

static void guest_work(struct ks_offload *offload)
{
    struct guest *guest = KS_CONTAINER_OF(offload, struct guest, offload);
    guest->byte++;
}

static void guest_worked(struct ks_offload *offload)
{
    const struct guest *guest = KS_CONTAINER_OF(offload, struct guest, offload);
    ks_connection_write(guest->connection, &guest->byte, 1);
}

static size_t guest_received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct guest *guest = connection->session;
    guest->connection = connection;
    guest->byte = bytes[0];
    guest->offload.work = guest_work;
    guest->offload.done = guest_worked;
    ks_loop_offload(connection->loop, &guest->offload);
    return size;
}

static void guest_ended(struct ks_connection *connection)
{
    ks_connection_finish(connection);
}

static void guest_closed(struct ks_connection *connection)
{
    free(connection->session);
}

static const struct ks_connection_events guest_events = {
    .opened = guest_opened,
    .received = guest_received,
    .input_ended = guest_ended,
    .closed = guest_closed,
};

/* ---- a server ---- */

static void *serve(void *net)
{
    ks_net_run(net);
    return NULL;
}

static int connect_to(const char *bound)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port =
                                      htons((uint16_t)strtoul(strchr(bound, ':') + 1, NULL, DECIMAL))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void assert_served(int fd, uint8_t byte)
{
    uint8_t answer = 0;
    assert_int_equal(write(fd, &byte, 1), 1);
    assert_int_equal(read(fd, &answer, 1), 1);
    assert_int_equal(answer, (uint8_t)(byte + 1));
}

/* libuv would not survive it. */
static void a_start_without_threads_for_the_pool_is_refused(void **state)
{
    (void)state;
    struct ks_log log = fixture_log();
    const struct ks_net_options options = {.workers = 1, .clock = ks_clock_system(), .log = &log};
    struct ks_net *net = NULL;
    for (int count = 0; count < 4; count++) {
        atomic_store(&threads_left, count);
        assert_int_equal(ks_net_open(&options, &net), KS_NO_MEMORY);
    }
    atomic_store(&threads_left, INT_MAX);
    assert_int_equal(ks_net_open(&options, &net), KS_OK);
    ks_net_close(net);
    close(log.fd);
}

static void a_server_without_memory_for_libuv_serves_a_crowd(void **state)
{
    (void)state;
    struct ks_log log = fixture_log();
    const struct ks_net_options options = {
        .workers = 1, .connection_limit = CROWD, .clock = ks_clock_system(), .log = &log};
    struct ks_net *net = NULL;
    char bound[KS_ADDRESS_TEXT_SIZE];
    char why[256];
    int guests[CROWD];
    pthread_t thread;
    assert_int_equal(ks_net_open(&options, &net), KS_OK);
    assert_int_equal(ks_net_listen(net, "guests", "127.0.0.1:0", &guest_events, NULL, bound, why, sizeof why),
                     KS_OK);
    assert_int_equal(pthread_create(&thread, NULL, serve, net), 0);
    atomic_store(&no_memory, true);
    atomic_store(&no_threads, true);
    for (int i = 0; i < CROWD; i++) {
        guests[i] = connect_to(bound);
        assert_served(guests[i], (uint8_t)i);
    }
    atomic_store(&no_memory, false);
    atomic_store(&no_threads, false);
    for (int i = 0; i < CROWD; i++)
        close(guests[i]);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    pthread_join(thread, NULL);
    ks_net_close(net);
    close(log.fd);
}

/* As many as that table is large are all that there may be. */
static void no_descriptor_comes_that_there_is_no_room_for(void **state)
{
    (void)state;
    struct ks_log log = fixture_log();
    struct rlimit limit;
    const struct ks_net_options options = {.workers = 1, .clock = ks_clock_system(), .log = &log};
    struct ks_net *net = NULL;
    assert_int_equal(ks_net_open(&options, &net), KS_OK);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_cur <= 21024);
    ks_net_set_limits(net, 900000, 0);
    struct ks_net_statistics statistics;
    ks_net_statistics(net, &statistics);
    assert_true(statistics.connection_limit < limit.rlim_cur);
    ks_net_close(net);
    close(log.fd);
}

int main(void)
{
    if (uv_replace_allocator(uv_malloc, uv_realloc, uv_calloc, free) != 0)
        return EXIT_FAILURE;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_without_threads_for_the_pool_is_refused),
        cmocka_unit_test(a_server_without_memory_for_libuv_serves_a_crowd),
        cmocka_unit_test(no_descriptor_comes_that_there_is_no_room_for),
    };
    return cmocka_run_group_tests_name("net_memory", tests, NULL, NULL);
}
