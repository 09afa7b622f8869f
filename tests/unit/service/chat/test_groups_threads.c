/* test_groups_threads.c — a group whose loops are real threads: members who speak, listen, come and go on
 * each of them at once. All hear the same lines in the same order, none twice, none lost. The thread
 * sanitizer watches (`make test-tsan`).
 *
 * A thread that waits for something runs its loop meanwhile; what it waits for always comes.
 */
#include "unit/service/chat/chat_fixture.h"

#include <pthread.h>
#include <sched.h>

enum {
    SPEAKERS = 2, /* on each loop, as all of these */
    LISTENERS = 2,
    GUESTS = 2,
    PEERS_OF_LOOP = SPEAKERS + LISTENERS + GUESTS,
    LINES = 1000, /* of each speaker */
    LINES_OF_READ = 3,
    VISITS = 25, /* of each guest */
    LINE_SIZE = 10,
};

_Static_assert(PEERS_OF_LOOP *HALL_LOOPS <= HALL_PEERS, "all sit in the hall");

#define FAREWELL " has removed from the group \n"

struct visit {
    unsigned guest;
    struct ks_buffer heard;
};

/* What one thread has; `failed` is looked at when it has ended, since cmocka's assertions are for the main
 * thread. */
struct hand {
    struct hall *hall;
    _Atomic unsigned *ready; /* threads whose listeners have heard everything */
    unsigned loop;
    unsigned said[SPEAKERS];
    unsigned begun; /* visits, and ended ones */
    unsigned visits;
    size_t heard_before[LISTENERS];
    struct visit visited[GUESTS * VISITS];
    bool failed;
};

static unsigned speaker_of(unsigned loop, unsigned i)
{
    return loop * PEERS_OF_LOOP + i;
}

static unsigned listener_of(unsigned loop, unsigned i)
{
    return loop * PEERS_OF_LOOP + SPEAKERS + i;
}

static unsigned guest_of(unsigned loop, unsigned i)
{
    return loop * PEERS_OF_LOOP + SPEAKERS + LISTENERS + i;
}

/* Two letters, so that all lines have one size. */
static void name_of(unsigned peer, char name[static 3])
{
    name[0] = (char)('a' + peer);
    name[1] = 'z';
    name[2] = '\0';
}

/* ---- on the threads ---- */

static void run_loop(struct hand *hand)
{
    struct hall *hall = hand->hall;
    for (unsigned i = 0; i < PEERS_OF_LOOP; i++)
        if (hall->peers[hand->loop * PEERS_OF_LOOP + i].open)
            fake_connection_run(&hall->peers[hand->loop * PEERS_OF_LOOP + i]);
}

static void speak(struct hand *hand, unsigned i)
{
    struct hall *hall = hand->hall;
    unsigned peer = speaker_of(hand->loop, i);
    char text[LINES_OF_READ * LINE_SIZE];
    size_t size = 0;
    for (unsigned line = 0; line < LINES_OF_READ && hand->said[i] < LINES; line++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%05u\n", hand->said[i]++);
    fake_connection_send_only(&hall->peers[peer], text, size);
}

static void begin_visit(struct hand *hand, unsigned peer)
{
    struct hall *hall = hand->hall;
    struct fake_connection *guest = &hall->peers[peer];
    char name[3];
    char text[32];
    name_of(peer, name);
    hand->begun++;
    bool opened =
        fake_connection_open(guest, &hall->loops[hand->loop], &ks_chat_service_events, &hall->environment);
    hand->failed = hand->failed || !opened;
    say_only(hall, peer, "1\n");
    snprintf(text, sizeof text, "%s\n1\nsecret\n", name);
    say_only(hall, peer, text);
    hall->heard[peer] = guest->trace.size;
    say_only(hall, peer, "00000\n");
}

static void end_visit(struct hand *hand, unsigned peer)
{
    struct hall *hall = hand->hall;
    struct fake_connection *guest = &hall->peers[peer];
    struct visit *visit = &hand->visited[hand->visits++];
    size_t size = 0;
    const char *heard = heard_since(hall, peer, &size);
    visit->guest = peer;
    visit->heard = ks_buffer_empty(0);
    if (ks_buffer_append(&visit->heard, heard, size) != KS_OK || guest->aborted)
        hand->failed = true;
    if (hand->visits % 2 == 0)
        say_only(hall, peer, "Exit\n");
    fake_connection_close(guest);
    *guest = (struct fake_connection){0};
    hall->heard[peer] = 0;
}

static void come_or_go(struct hand *hand, unsigned i)
{
    unsigned peer = guest_of(hand->loop, i);
    if (hand->hall->peers[peer].loop != NULL)
        end_visit(hand, peer);
    else if (hand->begun < GUESTS * VISITS)
        begin_visit(hand, peer);
}

/* In line mode, and in chunk mode. */
static size_t everything(unsigned listener)
{
    size_t lines = HALL_LOOPS * (SPEAKERS * LINES + GUESTS * VISITS);
    return lines * (listener == 0 ? LINE_SIZE : LINE_SIZE - 1) +
           (size_t)HALL_LOOPS * GUESTS * VISITS * strlen("az" FAREWELL);
}

static bool has_heard_everything(const struct hand *hand)
{
    for (unsigned i = 0; i < LISTENERS; i++) {
        const struct fake_connection *listener = &hand->hall->peers[listener_of(hand->loop, i)];
        if (listener->output.size - hand->heard_before[i] < everything(i) && !listener->aborted)
            return false;
    }
    return true;
}

static bool has_said_everything(const struct hand *hand)
{
    for (unsigned i = 0; i < SPEAKERS; i++)
        if (hand->said[i] < LINES || hand->hall->peers[speaker_of(hand->loop, i)].kept.size > 0)
            return false;
    return hand->visits == GUESTS * VISITS;
}

static void *live(void *argument)
{
    struct hand *hand = argument;
    for (unsigned turn = 0; !has_said_everything(hand); turn++) {
        for (unsigned i = 0; i < SPEAKERS; i++)
            if (!hand->hall->peers[speaker_of(hand->loop, i)].paused)
                speak(hand, i);
        if (turn % 7 == hand->loop)
            come_or_go(hand, turn / 7 % GUESTS);
        run_loop(hand);
    }
    while (!has_heard_everything(hand)) {
        run_loop(hand);
        sched_yield();
    }
    atomic_fetch_add(hand->ready, 1);
    while (atomic_load(hand->ready) < HALL_LOOPS) {
        run_loop(hand);
        sched_yield();
    }
    return NULL;
}

/* ---- what all heard ---- */

/* What a listener in line mode heard, without the lines of this name. */
static struct ks_buffer without_lines_of(const char *text, size_t size, const char *name)
{
    struct ks_buffer rest = ks_buffer_empty(0);
    char start[8];
    snprintf(start, sizeof start, "%s: ", name);
    for (const char *end = text + size; text < end;) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        assert_non_null(newline);
        size_t length = (size_t)(newline + 1 - text);
        if (length < strlen(start) || memcmp(text, start, strlen(start)) != 0)
            assert_int_equal(ks_buffer_append(&rest, text, length), KS_OK);
        text += length;
    }
    return rest;
}

/* The same as a peer in chunk mode hears it. */
static struct ks_buffer as_chunks(const char *text, size_t size)
{
    struct ks_buffer chunks = ks_buffer_empty(0);
    for (const char *end = text + size; text < end;) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        assert_non_null(newline);
        size_t length = (size_t)(newline - text);
        bool with_newline = memmem(text, length, " has removed", 12) != NULL;
        assert_int_equal(ks_buffer_append(&chunks, "<", 1), KS_OK);
        assert_int_equal(ks_buffer_append(&chunks, text, length + (with_newline ? 1 : 0)), KS_OK);
        assert_int_equal(ks_buffer_append(&chunks, ">", 1), KS_OK);
        text += length + 1;
    }
    return chunks;
}

static void assert_every_speaker_in_order(const char *text, size_t size)
{
    unsigned next[HALL_PEERS] = {0};
    unsigned lines = 0;
    for (const char *end = text + size; text < end; lines++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        assert_non_null(newline);
        unsigned peer = (unsigned)(text[0] - 'a');
        assert_in_range(peer, 0, HALL_PEERS - 1);
        if (peer % PEERS_OF_LOOP < SPEAKERS)
            assert_int_equal(strtoul(text + 4, NULL, 10), next[peer]++);
        text = newline + 1;
    }
    assert_int_equal(lines, HALL_LOOPS * (SPEAKERS * LINES + 2 * GUESTS * VISITS));
}

static void assert_heard_bytes(struct hall *hall, unsigned peer, const struct ks_buffer *expected)
{
    size_t size = 0;
    const char *heard = heard_since(hall, peer, &size);
    assert_int_equal(size, expected->size);
    assert_memory_equal(heard, expected->bytes, size);
}

static void assert_all_heard_the_same(struct hall *hall, const char *text, size_t size)
{
    struct ks_buffer chunks = as_chunks(text, size);
    for (unsigned loop = 0; loop < HALL_LOOPS; loop++) {
        struct ks_buffer whole = without_lines_of(text, size, "");
        assert_heard_bytes(hall, listener_of(loop, 0), &whole);
        assert_heard_bytes(hall, listener_of(loop, 1), &chunks);
        ks_buffer_free(&whole);
        for (unsigned i = 0; i < SPEAKERS; i++) {
            char name[3];
            name_of(speaker_of(loop, i), name);
            struct ks_buffer others = without_lines_of(text, size, name);
            assert_heard_bytes(hall, speaker_of(loop, i), &others);
            ks_buffer_free(&others);
        }
    }
    ks_buffer_free(&chunks);
}

static void assert_guests_heard_a_part(struct hand *hand, const char *text, size_t size)
{
    for (unsigned i = 0; i < hand->visits; i++) {
        struct visit *visit = &hand->visited[i];
        char name[3];
        name_of(visit->guest, name);
        struct ks_buffer others = without_lines_of(text, size, name);
        bool is_part = others.bytes != NULL && visit->heard.bytes != NULL &&
                       memmem(others.bytes, others.size, visit->heard.bytes, visit->heard.size) != NULL;
        assert_true(is_part || visit->heard.size == 0);
        ks_buffer_free(&others);
        ks_buffer_free(&visit->heard);
    }
}

/* ---- the test ---- */

static int set_up(void **state)
{
    static const struct ks_groups_limits limits = {
        .groups = 1, .members = HALL_PEERS, .member_queue = 64 * 1024 * 1024, .queues = 1024 * 1024 * 1024};
    *state = hall_new(&limits);
    return 0;
}

/* Speakers in line mode, one listener of each mode on every loop. */
static void enter_all(struct hall *hall)
{
    for (unsigned loop = 0; loop < HALL_LOOPS; loop++)
        for (unsigned i = 0; i < SPEAKERS + LISTENERS; i++) {
            unsigned peer = loop * PEERS_OF_LOOP + i;
            char name[3];
            name_of(peer, name);
            if (peer == 0)
                enter_as_creator(hall, peer, loop, name, true);
            else
                enter_as_member(hall, peer, loop, name, peer != listener_of(loop, 1));
        }
}

static void members_of_loops_on_threads_hear_one_order_and_lose_nothing(void **state)
{
    struct hall *hall = *state;
    struct hand *hands = calloc(HALL_LOOPS, sizeof *hands);
    pthread_t threads[HALL_LOOPS];
    _Atomic unsigned ready = 0;
    assert_non_null(hands);
    enter_all(hall);
    for (unsigned loop = 0; loop < HALL_LOOPS; loop++) {
        hands[loop] = (struct hand){.hall = hall, .ready = &ready, .loop = loop};
        for (unsigned i = 0; i < LISTENERS; i++)
            hands[loop].heard_before[i] = hall->peers[listener_of(loop, i)].output.size;
    }
    for (unsigned loop = 0; loop < HALL_LOOPS; loop++)
        assert_int_equal(pthread_create(&threads[loop], NULL, live, &hands[loop]), 0);
    for (unsigned loop = 0; loop < HALL_LOOPS; loop++)
        assert_int_equal(pthread_join(threads[loop], NULL), 0);
    hall_settle(hall);
    size_t size = 0;
    const char *text = heard_since(hall, listener_of(0, 0), &size);
    assert_every_speaker_in_order(text, size);
    assert_all_heard_the_same(hall, text, size);
    for (unsigned loop = 0; loop < HALL_LOOPS; loop++) {
        assert_false(hands[loop].failed);
        assert_guests_heard_a_part(&hands[loop], text, size);
    }
    free(hands);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(members_of_loops_on_threads_hear_one_order_and_lose_nothing, set_up,
                                        hall_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
