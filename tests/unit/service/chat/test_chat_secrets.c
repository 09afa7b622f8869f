/* test_chat_secrets.c — no password of a group stays in memory that is given back: not in what a session
 * keeps of its input, nor in what a connection reads and keeps for it.
 *
 * Every free of ours comes here by the linker's --wrap, and is looked through before it happens.
 */
#include "unit/service/chat/chat_fixture.h"

#include "base/limits/budget.h"
#include "net/worker.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/socket.h>
#include <unistd.h>

#define PASSWORD "p4ssw0rd-of-group"

enum { CAPACITY = 64 * 1024 * 1024, LINE_SIZE = 2 * KS_CHAT_MESSAGE_LIMIT };

/* The names are the linker's. NOLINTBEGIN(bugprone-reserved-identifier) */
void __real_free(void *bytes);
void *__real_realloc(void *bytes, size_t size);
void __wrap_free(void *bytes);
void *__wrap_realloc(void *bytes, size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

static _Atomic unsigned looked_through; /* blocks */
static _Atomic unsigned betrayed;       /* of these */

static void look_through(const void *bytes)
{
    if (bytes == NULL)
        return;
    atomic_fetch_add(&looked_through, 1);
    if (memmem(bytes, malloc_usable_size((void *)bytes), PASSWORD, strlen(PASSWORD)) != NULL)
        atomic_fetch_add(&betrayed, 1);
}

void __wrap_free(void *bytes)
{
    look_through(bytes);
    __real_free(bytes);
}

void *__wrap_realloc(void *bytes, size_t size)
{
    look_through(bytes); /* it may move */
    return __real_realloc(bytes, size);
}

static int begin(void **state)
{
    atomic_store(&looked_through, 0);
    atomic_store(&betrayed, 0);
    return hall_set_up(state);
}

static int end(void **state)
{
    int status = hall_tear_down(state);
    assert_true(atomic_load(&looked_through) > 0);
    assert_int_equal(atomic_load(&betrayed), 0);
    return status;
}

static void what_is_freed_is_looked_through(void **state)
{
    char *bytes = strdup("before " PASSWORD " after");
    (void)state;
    assert_non_null(bytes);
    free(bytes);
    assert_int_equal(atomic_exchange(&betrayed, 0), 1);
}

static void a_password_in_one_read(void **state)
{
    struct hall *hall = *state;
    hall_open(hall, 0, 0);
    say(hall, 0, "2\ndana\n" PASSWORD "\nhello\n");
    hall_open(hall, 1, 1);
    say(hall, 1, "1");
    say(hall, 1, "omer");
    say(hall, 1, "1");
    say(hall, 1, PASSWORD);
    assert_int_equal(ks_groups_count(hall->groups), 1);
    assert_non_null(hall->peers[1].connection.session);
}

static void a_password_byte_by_byte(void **state)
{
    struct hall *hall = *state;
    hall_open(hall, 0, 0);
    say(hall, 0, "2\n");
    say_slowly(hall, 0, "dana\n" PASSWORD "\n");
    assert_int_equal(ks_groups_count(hall->groups), 1);
}

/* What comes before it, of the same line, makes `part` full: the password moves to its front. */
static void a_password_at_the_end_of_a_long_line(void **state)
{
    struct hall *hall = *state;
    char line[LINE_SIZE];
    hall_open(hall, 0, 0);
    say(hall, 0, "2\ndana\n");
    memset(line, 'x', sizeof line);
    memcpy(line + KS_CHAT_MESSAGE_LIMIT - 3, PASSWORD, strlen(PASSWORD));
    say_bytes(hall, 0, line, KS_CHAT_MESSAGE_LIMIT / 2);
    say_bytes(hall, 0, line + KS_CHAT_MESSAGE_LIMIT / 2, sizeof line - KS_CHAT_MESSAGE_LIMIT / 2);
    say(hall, 0, "\n");
    assert_int_equal(ks_groups_count(hall->groups), 1);
}

static void a_password_in_chunk_mode_behind_half_a_character(void **state)
{
    struct hall *hall = *state;
    hall_open(hall, 0, 0);
    say(hall, 0, "2");
    say(hall, 0, "dana");
    say(hall, 0, "\xd7");
    say(hall, 0, "\xa7" PASSWORD);
    assert_int_equal(ks_groups_count(hall->groups), 1);
}

static void a_password_that_never_ends(void **state)
{
    struct hall *hall = *state;
    hall_open(hall, 0, 0);
    say(hall, 0, "2\ndana\n");
    say(hall, 0, PASSWORD);
    say(hall, 0, "and more");
    hall_close(hall, 0);
}

static void a_password_that_waits_for_its_turn(void **state)
{
    struct hall *hall = *state;
    hall_open(hall, 0, 0);
    say(hall, 0, "2\ndana\n" PASSWORD "\n");
    for (unsigned peer = 1; peer <= 3; peer++) {
        hall_open(hall, peer, 0);
        say(hall, peer, "1\nomer\n1\n");
        for (unsigned i = 0; i < 5; i++)
            say(hall, peer, "wrong\n");
        say(hall, peer, PASSWORD "\n");
    }
    hall_close(hall, 2);
    hall_wait(hall, 2000);
    assert_int_equal(hall->peers[3].deadline_ms, 0); /* it was judged */
}

static void a_password_behind_a_guess_that_waits(void **state)
{
    struct hall *hall = *state;
    hall_open(hall, 0, 0);
    say(hall, 0, "2\ndana\n" PASSWORD "\n");
    for (unsigned peer = 1; peer <= 2; peer++) {
        hall_open(hall, peer, 0);
        say(hall, peer, "1\nomer\n1\n");
        for (unsigned i = 0; i < 6; i++)
            say(hall, peer, "wrong\n");
        say(hall, peer, PASSWORD "\n"); /* the connection keeps it */
        assert_true(hall->peers[peer].kept.size > 0);
    }
    hall_close(hall, 2);
    hall_wait(hall, 2000);
    assert_int_equal(hall->peers[1].kept.size, 0);
}

/* ---- a real connection ---- */

static int connect_to(struct ks_worker *worker, struct ks_chat_service_environment *environment,
                      struct ks_connection_counts *counts)
{
    struct ks_accepted accepted = {.peer.ss_family = AF_UNIX,
                                   .events = &ks_chat_service_events,
                                   .service = environment,
                                   .counts = counts};
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    accepted.fd = ends[0];
    atomic_fetch_add(&worker->core.shared->connection_count, 1);
    assert_int_equal(ks_worker_hand_over(worker, &accepted, false), KS_OK);
    return ends[1];
}

/* Each text is a packet, and so one read. */
static void write_to(int fd, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(send(fd, texts[i], strlen(texts[i]), MSG_NOSIGNAL), strlen(texts[i]));
}

static void hear_until(int fd, const char *text)
{
    char heard[1024] = "";
    while (strstr(heard, text) == NULL) {
        ssize_t size = recv(fd, heard, sizeof heard - 1, 0);
        assert_true(size > 0);
        heard[size] = '\0';
    }
}

static void end_worker(struct ks_worker *worker)
{
    while (atomic_load(&worker->core.shared->connection_count) > 0)
        usleep(1000);
    ks_worker_stop(worker);
    while (ks_worker_run_late_tasks(worker))
        ;
    ks_worker_free(worker);
}

static void a_password_that_a_real_connection_reads_and_keeps(void **state)
{
    static const char *const creates[] = {"2\n", "dana\n" PASSWORD "\n"};
    static const char *const guesses[] = {"1\nomer\n1\n", "wrong\nwrong\nwrong\nwrong\n", "wrong\n",
                                          "wrong\n" PASSWORD "\n"};
    struct hall *hall = *state;
    struct ks_worker_shared shared = {
        .clock = ks_clock_system(), .log = &hall->loops[0].log, .output_limit = CAPACITY};
    /* Static, for the address sanitizer's stack keeps no alignment to cache lines. */
    static struct ks_connection_counts counts;
    struct ks_worker *worker = NULL;
    hall->environment.clock = ks_clock_system();
    ks_crowd_init(&shared.crowd, &(struct ks_hash_key){{0}}, 0, NULL);
    ks_budget_init(&shared.contents, CAPACITY);
    assert_int_equal(ks_worker_start(&shared, 1, &worker), KS_OK);
    int creator = connect_to(worker, &hall->environment, &counts);
    write_to(creator, creates, KS_COUNT_OF(creates));
    hear_until(creator, "You can start to talk");
    int guesser = connect_to(worker, &hall->environment, &counts);
    write_to(guesser, guesses, KS_COUNT_OF(guesses));
    hear_until(guesser, "You're connected");
    close(guesser);
    close(creator);
    end_worker(worker);
    ks_budget_destroy(&shared.contents);
    ks_crowd_destroy(&shared.crowd);
}

#define SECRET_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SECRET_TEST(what_is_freed_is_looked_through),
        SECRET_TEST(a_password_in_one_read),
        SECRET_TEST(a_password_byte_by_byte),
        SECRET_TEST(a_password_at_the_end_of_a_long_line),
        SECRET_TEST(a_password_in_chunk_mode_behind_half_a_character),
        SECRET_TEST(a_password_that_never_ends),
        SECRET_TEST(a_password_that_waits_for_its_turn),
        SECRET_TEST(a_password_behind_a_guess_that_waits),
        SECRET_TEST(a_password_that_a_real_connection_reads_and_keeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
