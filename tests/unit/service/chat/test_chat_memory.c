/* test_chat_memory.c — group chat without memory: each scenario runs again and again, and in the n-th run the
 * n-th allocation fails. Nobody misses or hears twice what was said without the connection of whoever is
 * concerned coming to its end; others are not concerned; and (by the sanitizer) nothing leaks.
 *
 * The fake connections allocate, too: what they cannot keep is a write that failed.
 */
#include "unit/service/chat/chat_fixture.h"

#include "unit/base/failing_memory.h"

#include "crypto/digest.h"

/* ---- peers who may be gone ---- */

static void try_open(struct hall *hall, unsigned peer, unsigned loop)
{
    struct fake_connection *connection = &hall->peers[peer];
    if (!fake_connection_open(connection, &hall->loops[loop], &ks_chat_service_events, &hall->environment))
        connection->open = false;
}

static void try_say(struct hall *hall, unsigned peer, const char *text)
{
    if (hall->peers[peer].open && !hall->peers[peer].finished && !hall->peers[peer].aborted)
        say(hall, peer, text);
}

static bool is_there(struct hall *hall, unsigned peer)
{
    const struct fake_connection *connection = &hall->peers[peer];
    return connection->open && !connection->aborted && !connection->finished;
}

/* As the network does with connections that were ended; the others hear of it. */
static void close_if_ended(struct hall *hall, unsigned peer)
{
    struct fake_connection *connection = &hall->peers[peer];
    if (!connection->open || is_there(hall, peer))
        return;
    connection->open = false;
    connection->connection.events->closed(&connection->connection);
    hall_settle(hall);
}

static bool hears(struct hall *hall, unsigned peer, const char *text)
{
    size_t size = 0;
    const char *heard = heard_since(hall, peer, &size);
    return memmem(heard, size, text, strlen(text)) != NULL;
}

/* ---- entering ---- */

static void run_entering(struct hall *hall, size_t nth)
{
    allocations_until_failure = nth;
    try_open(hall, 0, 0);
    try_say(hall, 0, "2\n");
    try_say(hall, 0, "dana\n");
    try_say(hall, 0, "secret\n");
    try_open(hall, 1, 1);
    try_say(hall, 1, "1");
    try_say(hall, 1, "om\xc3");
    try_say(hall, 1, "\xa9r\n");
    try_say(hall, 1, "1");
    try_say(hall, 1, "\nsec");
    try_say(hall, 1, "ret\n");
    allocations_until_failure = 0;
}

/* Each either is where it should be, or knows that it is not. */
static void assert_entered_or_told(struct hall *hall)
{
    bool joined = is_there(hall, 1) && hears(hall, 1, LINE_JOINED);
    assert_int_equal(ks_groups_count(hall->groups), is_there(hall, 0) || joined ? 1 : 0);
    if (is_there(hall, 0))
        assert_true(hears(hall, 0, "You can start to talk!"));
    if (hall->peers[0].finished)
        assert_true(hears(hall, 0, KS_CHAT_FULL));
    if (is_there(hall, 1))
        assert_true(joined || hears(hall, 1, KS_CHAT_NO_GROUP));
    if (hall->peers[1].finished)
        assert_true(hears(hall, 1, KS_CHAT_FULL));
}

static void who_cannot_enter_is_told_or_cut_off(void **state)
{
    size_t nth = 1;
    (void)state;
    for (failed = true; failed && nth < 10000; nth++) {
        void *fresh = NULL;
        hall_set_up(&fresh);
        struct hall *hall = fresh;
        failed = false;
        run_entering(hall, nth);
        close_if_ended(hall, 0);
        close_if_ended(hall, 1);
        assert_entered_or_told(hall);
        if (!failed)
            assert_true(is_there(hall, 0) && is_there(hall, 1));
        hall_tear_down(&fresh);
    }
    assert_in_range(nth, 10, 9999);
}

/* ---- speaking ---- */

static char long_line[9001];

static void enter(struct hall *hall)
{
    enter_as_creator(hall, 0, 0, "dana", false);
    enter_as_member(hall, 1, 1, "omer", true);
    enter_as_member(hall, 2, 2, "noa", false);
    enter_as_member(hall, 3, 0, "gal", true);
}

/* In chunk mode, then in line mode; short, cut and long. */
static void run_speaking(struct hall *hall, size_t nth)
{
    allocations_until_failure = nth;
    try_say(hall, 0, "one");
    try_say(hall, 0, "tw\xe2\x82");
    try_say(hall, 0, "\xac");
    try_say(hall, 0, "o");
    try_say(hall, 0, "three\nfour\n");
    try_say(hall, 0, "fi");
    try_say(hall, 0, "ve\nsix");
    try_say(hall, 0, "\n");
    try_say(hall, 0, long_line);
    try_say(hall, 0, "\nseven\n");
    try_say(hall, 0, "eight\nExit\n");
    allocations_until_failure = 0;
}

#define FAREWELL "dana has removed from the group \n"

/* What this listener heard is what it should have heard, up to where the speaker was cut off. */
static void assert_heard(struct hall *hall, unsigned listener, const struct ks_buffer *whole)
{
    size_t size = 0;
    const char *heard = heard_since(hall, listener, &size);
    const char *all = (const char *)whole->bytes;
    size_t farewell_size = strlen(FAREWELL) + (listener == 2 ? 2 : 0); /* < and > */
    bool told = size >= farewell_size &&
                memcmp(heard + size - farewell_size, all + whole->size - farewell_size, farewell_size) == 0;
    size_t said = told ? size - farewell_size : size;
    assert_in_range(said, 0, whole->size - farewell_size);
    assert_memory_equal(heard, all, said);
    if (hall->peers[0].aborted)
        assert_true(told); /* a second failure there is not */
    else
        assert_int_equal(said, whole->size - farewell_size);
}

static void remember(struct hall *hall, struct ks_buffer *whole)
{
    for (unsigned i = 1; i < 4; i++) {
        size_t size = 0;
        const char *heard = heard_since(hall, i, &size);
        whole[i] = ks_buffer_empty(0);
        assert_int_equal(ks_buffer_append(&whole[i], heard, size), KS_OK);
    }
}

static void what_is_said_is_heard_once_or_the_speaker_is_cut_off(void **state)
{
    struct ks_buffer whole[4];
    size_t nth = 0;
    (void)state;
    memset(long_line, 'x', sizeof long_line - 1);
    for (failed = true; failed && nth < 10000; nth++) {
        void *fresh = NULL;
        hall_set_up(&fresh);
        struct hall *hall = fresh;
        enter(hall);
        failed = nth == 0; /* the first run is the one without failures */
        run_speaking(hall, nth);
        if (nth == 0)
            remember(hall, whole);
        close_if_ended(hall, 0);
        assert_int_equal(is_there(hall, 1) + is_there(hall, 2) + is_there(hall, 3) >= 2, 1);
        for (unsigned i = 1; i < 4; i++)
            if (is_there(hall, i))
                assert_heard(hall, i, &whole[i]);
        hall_tear_down(&fresh);
    }
    for (unsigned i = 1; i < 4; i++)
        ks_buffer_free(&whole[i]);
    assert_in_range(nth, 30, 9999);
}

/* ---- waiting for a turn ---- */

static void a_guess_that_cannot_be_kept_ends_the_connection(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    hall_open(hall, 1, 0);
    say(hall, 1, "1\nomer\n1\n");
    for (unsigned i = 0; i < 5; i++)
        say(hall, 1, "wrong\n");
    forget_heard(hall, 1);
    allocations_until_failure = 1;
    say(hall, 1, "secret\n");
    allocations_until_failure = 0;
    assert_true(hall->peers[1].finished || hall->peers[1].aborted);
}

int main(void)
{
    if (!failing_memory_for_openssl()) {
        fprintf(stderr, "OpenSSL has allocated already\n");
        return 1;
    }
    uint8_t digest[KS_SHA256_SIZE];
    if (ks_sha256("", 0, digest) != KS_OK) /* what OpenSSL makes once per process is made now */
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_cannot_enter_is_told_or_cut_off),
        cmocka_unit_test(what_is_said_is_heard_once_or_the_speaker_is_cut_off),
        HALL_TEST(a_guess_that_cannot_be_kept_ends_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
