/* test_listener.c — net/listener.h on a loop that turns when the test says so, with workers of its own: who
 * is let in, who is turned away and counted, and what happens when nobody can be accepted.
 */
#include "unit/store/store_fixture.h"

#include "base/local.h"
#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    WORKERS = 2,
    LIMIT = 4,
    CAPACITY = 1024 * 1024,
    TEXT_SIZE = 300,
    DECIMAL = 10,
    PEERS = 16,
    PATH_SIZE = 64
};

/* ---- failures of the system ---- */

static _Atomic bool memory_is_out;
static int accept_failures; /* so many calls fail */
static int accept_error;

/* The names are the linker's. NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
int __real_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
/* NOLINTEND(bugprone-reserved-identifier) */

void *__wrap_malloc(size_t size)
{
    return memory_is_out ? NULL : __real_malloc(size);
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    if (accept_failures == 0)
        return __real_accept4(fd, address, size, flags);
    accept_failures--;
    errno = accept_error;
    return -1;
}

/* ---- a service that greets ---- */

static bool greet(struct ks_connection *connection, void *service)
{
    const bool *busy = service;
    ks_connection_set_idle(connection, !*busy);
    return ks_connection_write(connection, "!", 1);
}

static size_t take_all(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    (void)connection;
    (void)bytes;
    return size;
}

static void end_it(struct ks_connection *connection)
{
    ks_connection_finish(connection);
}

static void forget_it(struct ks_connection *connection)
{
    (void)connection;
}

static const struct ks_connection_events greeter = {
    .opened = greet, .received = take_all, .input_ended = end_it, .deadline = end_it, .closed = forget_it};

/* ---- the house ---- */

struct house {
    struct ks_listener_counts counts; /* first: aligned to cache lines */
    struct ks_worker_shared shared;
    struct ks_listener_shared listening;
    struct ks_worker *workers[WORKERS];
    struct ks_listener *listener;
    struct ks_log log;
    uv_loop_t uv;
    char bound[TEXT_SIZE];
    char why[TEXT_SIZE];
    int peers[PEERS];
    unsigned peer_count;
    bool busy; /* guests are never idle */
};

static enum ks_result listen_on(struct house *house, const char *address, struct ks_listener **listener)
{
    return ks_listener_open(&house->listening, &house->counts, address, &greeter, &house->busy, house->bound,
                            sizeof house->bound, house->why, sizeof house->why, listener);
}

static int begin(void **state)
{
    struct house *house = aligned_alloc(KS_CACHE_LINE, (sizeof *house / KS_CACHE_LINE + 1) * KS_CACHE_LINE);
    assert_non_null(house);
    memset(house, 0, sizeof *house);
    memory_is_out = false;
    accept_failures = 0;
    house->log = fixture_log();
    house->shared.clock = ks_clock_system();
    house->shared.log = &house->log;
    house->shared.output_limit = CAPACITY;
    house->shared.connection_limit = LIMIT;
    ks_crowd_init(&house->shared.crowd, &(struct ks_hash_key){{0}}, 0, NULL);
    ks_budget_init(&house->shared.contents, CAPACITY);
    ks_budget_init(&house->shared.answers, CAPACITY);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(ks_worker_start(&house->shared, i, &house->workers[i]), KS_OK);
    assert_int_equal(uv_loop_init(&house->uv), 0);
    house->listening = (struct ks_listener_shared){
        .uv = &house->uv, .workers = house->workers, .worker_count = WORKERS, .counts = &house->shared};
    *state = house;
    return 0;
}

static int begin_on_loopback(void **state)
{
    begin(state);
    struct house *house = *state;
    assert_int_equal(listen_on(house, "127.0.0.1:0", &house->listener), KS_OK);
    return 0;
}

static int end(void **state)
{
    struct house *house = *state;
    if (house->listener != NULL)
        ks_listener_close(house->listener);
    uv_run(&house->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&house->uv), 0);
    for (unsigned i = 0; i < house->peer_count; i++)
        close(house->peers[i]);
    for (unsigned i = 0; i < WORKERS; i++)
        ks_worker_end_all(house->workers[i]);
    while (atomic_load(&house->shared.connection_count) > 0)
        usleep(1000);
    for (unsigned i = 0; i < WORKERS; i++)
        ks_worker_stop(house->workers[i]);
    for (unsigned i = 0; i < WORKERS; i++)
        while (ks_worker_run_late_tasks(house->workers[i]))
            ;
    for (unsigned i = 0; i < WORKERS; i++)
        ks_worker_free(house->workers[i]);
    ks_budget_destroy(&house->shared.contents);
    ks_budget_destroy(&house->shared.answers);
    ks_crowd_destroy(&house->shared.crowd);
    close(house->log.fd);
    free(house);
    return 0;
}

static int connect_to(const struct house *house)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = -1;
    if (house->bound[0] == '/') {
        assert_int_equal(ks_local_connect(house->bound, &fd), KS_OK);
        return fd;
    }
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    where.sin_port = htons((uint16_t)strtoul(strrchr(house->bound, ':') + 1, NULL, DECIMAL));
    assert_int_equal(connect(fd, (struct sockaddr *)&where, sizeof where), 0);
    return fd;
}

/* Turns the loop until somebody answers: true when we are greeted, false when the connection is closed. */
static bool is_greeted(struct house *house, int fd)
{
    char byte;
    ssize_t got = -1;
    while ((got = recv(fd, &byte, 1, MSG_DONTWAIT)) < 0 && errno != ECONNRESET) {
        uv_run(&house->uv, UV_RUN_NOWAIT);
        usleep(1000);
    }
    return got == 1;
}

static bool comes_in(struct house *house)
{
    assert_in_range(house->peer_count, 0, PEERS - 1);
    house->peers[house->peer_count] = connect_to(house);
    return is_greeted(house, house->peers[house->peer_count++]);
}

static uint64_t refused(const struct house *house, enum ks_net_refusal why)
{
    return ks_counted(&house->counts.refused[why]);
}

/* ---- who is let in ---- */

static void whoever_connects_is_served_and_counted(void **state)
{
    struct house *house = *state;
    assert_true(comes_in(house));
    assert_true(comes_in(house));
    assert_int_equal(ks_counted(&house->counts.accepted), 2);
    assert_int_equal(atomic_load(&house->shared.connection_count), 2);
}

static void connections_go_to_the_least_loaded_worker(void **state)
{
    struct house *house = *state;
    for (unsigned i = 0; i < 2 * WORKERS; i++)
        assert_true(comes_in(house));
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(atomic_load(&house->workers[i]->core.connection_count), 2);
}

static void an_address_at_its_limit_is_refused_and_counted(void **state)
{
    struct house *house = *state;
    atomic_store(&house->shared.crowd.limit, 1);
    assert_true(comes_in(house));
    assert_false(comes_in(house));
    assert_int_equal(refused(house, KS_NET_REFUSED_ADDRESS), 1);
    assert_int_equal(ks_counted(&house->counts.accepted), 1);
    assert_int_equal(atomic_load(&house->shared.connection_count), 1);
}

static void an_address_has_room_again_when_one_of_it_has_gone(void **state)
{
    struct house *house = *state;
    atomic_store(&house->shared.crowd.limit, 1);
    assert_true(comes_in(house));
    assert_int_equal(shutdown(house->peers[0], SHUT_WR), 0);
    while (atomic_load(&house->shared.connection_count) > 0)
        usleep(1000);
    assert_true(comes_in(house));
}

static void above_the_limit_the_longest_idle_makes_room(void **state)
{
    struct house *house = *state;
    for (unsigned i = 0; i <= LIMIT; i++)
        assert_true(comes_in(house));
    assert_int_equal(ks_counted(&house->counts.accepted), LIMIT + 1);
    while (atomic_load(&house->shared.connection_count) > LIMIT)
        usleep(1000);
}

static void above_the_limit_where_nobody_is_idle_the_newcomer_is_refused_and_counted(void **state)
{
    struct house *house = *state;
    house->busy = true;
    for (unsigned i = 0; i < LIMIT; i++)
        assert_true(comes_in(house));
    assert_false(comes_in(house));
    assert_int_equal(refused(house, KS_NET_REFUSED_FULL), 1);
    assert_int_equal(atomic_load(&house->shared.connection_count), LIMIT);
}

static void whoever_was_refused_is_not_counted_with_its_address(void **state)
{
    struct house *house = *state;
    house->busy = true;
    atomic_store(&house->shared.crowd.limit, LIMIT + 1);
    for (unsigned i = 0; i < LIMIT; i++)
        assert_true(comes_in(house));
    assert_false(comes_in(house));
    assert_false(comes_in(house));
    assert_int_equal(refused(house, KS_NET_REFUSED_FULL), 2);
    assert_int_equal(refused(house, KS_NET_REFUSED_ADDRESS), 0);
}

static void without_memory_a_connection_is_closed_and_counted(void **state)
{
    struct house *house = *state;
    int peer = connect_to(house);
    house->peers[house->peer_count++] = peer;
    memory_is_out = true;
    assert_false(is_greeted(house, peer));
    memory_is_out = false;
    assert_int_equal(refused(house, KS_NET_REFUSED_MEMORY), 1);
    assert_int_equal(atomic_load(&house->shared.connection_count), 0);
    assert_true(comes_in(house));
}

/* ---- nobody can be accepted ---- */

static void a_connection_that_is_gone_before_it_is_accepted_harms_nobody(void **state)
{
    struct house *house = *state;
    accept_error = ECONNABORTED;
    accept_failures = 3;
    assert_true(comes_in(house));
    assert_int_equal(accept_failures, 0);
}

static void out_of_descriptors_it_waits_and_tries_again(void **state)
{
    struct house *house = *state;
    accept_error = EMFILE;
    accept_failures = 3;
    assert_true(comes_in(house));
    assert_int_equal(accept_failures, 0);
    assert_int_equal(ks_counted(&house->counts.quiet), 2); /* of three complaints one is logged */
}

static void out_of_memory_for_sockets_it_waits_and_tries_again(void **state)
{
    struct house *house = *state;
    accept_error = ENOBUFS;
    accept_failures = 1;
    assert_true(comes_in(house));
    assert_int_equal(accept_failures, 0);
}

static void a_listener_that_waits_may_be_closed(void **state)
{
    struct house *house = *state;
    accept_error = ENFILE;
    accept_failures = 1;
    house->peers[house->peer_count++] = connect_to(house);
    while (accept_failures > 0)
        uv_run(&house->uv, UV_RUN_NOWAIT);
    assert_int_equal(atomic_load(&house->shared.connection_count), 0);
}

/* ---- opening ---- */

static void port_zero_is_told_as_what_it_became(void **state)
{
    struct house *house = *state;
    assert_int_equal(listen_on(house, "127.0.0.1:0", &house->listener), KS_OK);
    assert_memory_equal(house->bound, "127.0.0.1:", 10);
    assert_in_range(strtoul(house->bound + 10, NULL, DECIMAL), 1, UINT16_MAX);
}

static void all_interfaces_are_told_with_their_families(void **state)
{
    struct house *house = *state;
    assert_int_equal(listen_on(house, "0.0.0.0:0", &house->listener), KS_OK);
    assert_non_null(strstr(house->bound, " (IPv4 only)"));
}

static void what_is_no_address_is_invalid(void **state)
{
    struct house *house = *state;
    assert_int_equal(listen_on(house, "nonsense", &house->listener), KS_INVALID);
    assert_string_equal(house->why, "\"nonsense\" is not of the form address:port");
}

static void an_address_in_use_is_told_so(void **state)
{
    struct house *house = *state;
    struct ks_listener *second = NULL;
    char taken[TEXT_SIZE];
    assert_int_equal(listen_on(house, "127.0.0.1:0", &house->listener), KS_OK);
    memcpy(taken, house->bound, sizeof taken);
    assert_int_equal(listen_on(house, taken, &second), KS_EXISTS);
    assert_null(second);
    assert_memory_equal(house->why, "cannot listen on 127.0.0.1:", 27);
}

static void an_address_of_another_machine_is_told_so(void **state)
{
    struct house *house = *state;
    assert_int_equal(listen_on(house, "192.0.2.1:0", &house->listener), KS_IO);
    assert_memory_equal(house->why, "cannot listen on 192.0.2.1:0: ", 30);
}

/* ---- a socket in the file system ---- */

/* A path in a directory of its own, which is removed with it. */
static void make_path(char directory[static PATH_SIZE], char address[static TEXT_SIZE])
{
    snprintf(directory, PATH_SIZE, "/tmp/kesher-listener-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(address, TEXT_SIZE, "unix:%s/socket", directory);
}

static void our_own_programs_find_room_beyond_the_limit(void **state)
{
    struct house *house = *state;
    char directory[PATH_SIZE];
    char address[TEXT_SIZE];
    make_path(directory, address);
    house->busy = true;
    house->shared.connection_limit = 0;
    atomic_store(&house->shared.crowd.limit, 1);
    assert_int_equal(listen_on(house, address, &house->listener), KS_OK);
    assert_string_equal(house->bound, address + strlen("unix:"));
    assert_true(comes_in(house));
    assert_true(comes_in(house));
    ks_listener_close(house->listener);
    house->listener = NULL;
    assert_int_equal(rmdir(directory), 0); /* its socket was removed */
}

static void something_else_at_the_path_is_not_replaced(void **state)
{
    struct house *house = *state;
    char directory[PATH_SIZE];
    char address[TEXT_SIZE];
    make_path(directory, address);
    const char *path = address + strlen("unix:");
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(listen_on(house, address, &house->listener), KS_EXISTS);
    assert_non_null(strstr(house->why, "something else lies there"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
}

#define HOUSE_TEST(name)    cmocka_unit_test_setup_teardown(name, begin, end)
#define LOOPBACK_TEST(name) cmocka_unit_test_setup_teardown(name, begin_on_loopback, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOPBACK_TEST(whoever_connects_is_served_and_counted),
        LOOPBACK_TEST(connections_go_to_the_least_loaded_worker),
        LOOPBACK_TEST(an_address_at_its_limit_is_refused_and_counted),
        LOOPBACK_TEST(an_address_has_room_again_when_one_of_it_has_gone),
        LOOPBACK_TEST(above_the_limit_the_longest_idle_makes_room),
        LOOPBACK_TEST(above_the_limit_where_nobody_is_idle_the_newcomer_is_refused_and_counted),
        LOOPBACK_TEST(whoever_was_refused_is_not_counted_with_its_address),
        LOOPBACK_TEST(without_memory_a_connection_is_closed_and_counted),
        LOOPBACK_TEST(a_connection_that_is_gone_before_it_is_accepted_harms_nobody),
        LOOPBACK_TEST(out_of_descriptors_it_waits_and_tries_again),
        LOOPBACK_TEST(out_of_memory_for_sockets_it_waits_and_tries_again),
        LOOPBACK_TEST(a_listener_that_waits_may_be_closed),
        HOUSE_TEST(port_zero_is_told_as_what_it_became),
        HOUSE_TEST(all_interfaces_are_told_with_their_families),
        HOUSE_TEST(what_is_no_address_is_invalid),
        HOUSE_TEST(an_address_in_use_is_told_so),
        HOUSE_TEST(an_address_of_another_machine_is_told_so),
        HOUSE_TEST(our_own_programs_find_room_beyond_the_limit),
        HOUSE_TEST(something_else_at_the_path_is_not_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
