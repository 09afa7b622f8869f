/* chat_fixture.h — group chat without sockets: a hall of several loops with peers on them, each loop with a
 * mailbox of its own that runs when the test says so; one clock for all, set by hand.
 *
 * A peer is named by its number; it sits on the loop that it was opened on. What it hears is compared as the
 * fake connection's trace has it: what went apart stands between < and >.
 */
#ifndef KS_TESTS_UNIT_SERVICE_CHAT_CHAT_FIXTURE_H
#define KS_TESTS_UNIT_SERVICE_CHAT_CHAT_FIXTURE_H

#include "unit/unit.h"

#include "service/chat/chat_service.h"
#include "service/chat/groups.h"
#include "service/chat/turnstile.h"
#include "support/fake_connection.h"
#include "wire/chat_codec.h"

#include <stdio.h>

enum { HALL_LOOPS = 3, HALL_PEERS = 24, HALL_PROMPT_MS = 600000 };

struct hall {
    struct fake_loop loops[HALL_LOOPS];
    struct fake_connection peers[HALL_PEERS];
    size_t heard[HALL_PEERS]; /* of each one's trace */
    struct ks_groups_limits limits;
    struct ks_groups *groups;
    struct ks_turnstile *turnstile;
    struct ks_chat_service_environment environment;
};

/* What peers in chunk mode are told, and what peers in line mode are. */
#define APART(text)       "<" text ">"
#define HEARD_MENU        APART(KS_CHAT_MENU)
#define HEARD_NAME        APART(KS_CHAT_ASK_NAME)
#define HEARD_GROUP       APART(KS_CHAT_ASK_GROUP)
#define HEARD_PASSWORD    APART(KS_CHAT_ASK_PASSWORD)
#define HEARD_JOINED      APART("You're connected to group chat #1\n")
#define HEARD_FULL        APART(KS_CHAT_FULL)
#define HEARD_LEFT        APART(KS_CHAT_LEFT)
#define LINE_JOINED       "You're connected to group chat #1\n"
#define LINE_CREATED      "The id of the group is:1\nYou're connected to group chat #1\nYou can start to talk!\n"
#define LINE_NO_GROUP     KS_CHAT_NO_GROUP "\n" KS_CHAT_ASK_GROUP
#define LINE_NOT_PASSWORD KS_CHAT_WRONG_PASSWORD "\n" KS_CHAT_ASK_PASSWORD

/* ---- set up, tear down ---- */

static inline struct hall *hall_new(const struct ks_groups_limits *limits)
{
    struct hall *hall = calloc(1, sizeof *hall);
    assert_non_null(hall);
    for (unsigned i = 0; i < HALL_LOOPS; i++) {
        fake_loop_init(&hall->loops[i], 1024);
        fake_loop_keep_log(&hall->loops[i]);
    }
    assert_int_equal(ks_groups_new(limits, &hall->loops[0].log, &hall->groups), KS_OK);
    assert_int_equal(ks_turnstile_new(&(struct ks_hash_key){{0}}, &hall->turnstile), KS_OK);
    hall->environment = (struct ks_chat_service_environment){.clock = &hall->loops[0].time.clock,
                                                             .log = &hall->loops[0].log,
                                                             .groups = hall->groups,
                                                             .turnstile = hall->turnstile,
                                                             .prompt_timeout_ms = HALL_PROMPT_MS,
                                                             .wrong_passwords = 10};
    return hall;
}

static inline int hall_set_up(void **state)
{
    static const struct ks_groups_limits limits = {
        .groups = 3, .members = 8, .member_queue = 1024 * 1024, .queues = 16 * 1024 * 1024};
    *state = hall_new(&limits);
    return 0;
}

static inline bool can_go_on(const struct fake_connection *peer)
{
    return peer->open && !peer->paused && !peer->finished && !peer->aborted && peer->kept.size > 0;
}

/* Runs what is posted until nothing is, and whatever the peers can go on with. */
static inline void hall_settle(struct hall *hall)
{
    bool more = true;
    while (more) {
        more = false;
        for (unsigned i = 0; i < HALL_PEERS; i++)
            if (hall->peers[i].open)
                fake_connection_run(&hall->peers[i]);
        for (unsigned i = 0; i < HALL_LOOPS; i++)
            more = fake_loop_run(&hall->loops[i]) > 0 || more;
        for (unsigned i = 0; i < HALL_LOOPS; i++)
            more = more || atomic_load(&hall->loops[i].mailbox.newest) != NULL;
        for (unsigned i = 0; i < HALL_PEERS; i++)
            more = more || can_go_on(&hall->peers[i]);
    }
}

/* The connection of a peer is gone. */
static inline void hall_close(struct hall *hall, unsigned peer)
{
    fake_connection_close(&hall->peers[peer]);
    hall->peers[peer] = (struct fake_connection){0};
    hall->heard[peer] = 0;
    hall_settle(hall);
}

/* Closes who is left; nothing may be left then: no group, and (by the sanitizer) no memory. */
static inline int hall_tear_down(void **state)
{
    struct hall *hall = *state;
    for (unsigned i = 0; i < HALL_PEERS; i++)
        if (hall->peers[i].loop != NULL)
            fake_connection_close(&hall->peers[i]);
    hall_settle(hall);
    assert_int_equal(ks_groups_count(hall->groups), 0);
    ks_groups_free(hall->groups);
    ks_turnstile_free(hall->turnstile);
    for (unsigned i = 0; i < HALL_LOOPS; i++)
        fake_loop_destroy(&hall->loops[i]);
    free(hall);
    return 0;
}

#define HALL_TEST(name) cmocka_unit_test_setup_teardown(name, hall_set_up, hall_tear_down)

/* ---- what peers do ---- */

static inline void hall_open(struct hall *hall, unsigned peer, unsigned loop)
{
    assert_null(hall->peers[peer].loop);
    assert_true(fake_connection_open(&hall->peers[peer], &hall->loops[loop], &ks_chat_service_events,
                                     &hall->environment));
    hall->peers[peer].address[KS_PEER_ADDRESS_SIZE - 1] = (uint8_t)(peer + 1);
    hall->peers[peer].address[11] = 0xff;
    hall->peers[peer].address[10] = 0xff;
}

/* One read; then everything runs. */
static inline void say_bytes(struct hall *hall, unsigned peer, const void *bytes, size_t size)
{
    fake_connection_send(&hall->peers[peer], bytes, size, 0);
    hall_settle(hall);
}

static inline void say(struct hall *hall, unsigned peer, const char *text)
{
    say_bytes(hall, peer, text, strlen(text));
}

/* One read, and what it posts stays where it is. */
static inline void say_only(struct hall *hall, unsigned peer, const char *text)
{
    fake_connection_send_only(&hall->peers[peer], text, strlen(text));
}

static inline void say_slowly(struct hall *hall, unsigned peer, const char *text)
{
    for (; *text != '\0'; text++)
        say_bytes(hall, peer, text, 1);
}

/* Time passes for all. */
static inline void hall_wait(struct hall *hall, uint64_t ms)
{
    for (unsigned i = 0; i < HALL_LOOPS; i++)
        hall->loops[i].time.monotonic_ms += ms;
    for (unsigned i = 0; i < HALL_PEERS; i++)
        if (hall->peers[i].open)
            fake_connection_wait(&hall->peers[i], 0);
    hall_settle(hall);
}

/* ---- what they hear ---- */

static inline const char *heard_since(struct hall *hall, unsigned peer, size_t *size)
{
    const struct ks_buffer *trace = &hall->peers[peer].trace;
    *size = trace->size - hall->heard[peer];
    return *size > 0 ? (const char *)trace->bytes + hall->heard[peer] : "";
}

static inline void forget_heard(struct hall *hall, unsigned peer)
{
    hall->heard[peer] = hall->peers[peer].trace.size;
}

/* All that the peer heard since it was last asked. */
static inline void assert_hears(struct hall *hall, unsigned peer, const char *expected)
{
    size_t size = 0;
    const char *heard = heard_since(hall, peer, &size);
    if (size != strlen(expected) || memcmp(heard, expected, size) != 0)
        fail_msg("peer %u heard \"%.*s\" instead of \"%s\"", peer, (int)size, heard, expected);
    forget_heard(hall, peer);
}

/* ---- the usual beginnings ---- */

/* Creates a group with the password "secret", in chunk mode or in line mode. */
static inline void enter_as_creator(struct hall *hall, unsigned peer, unsigned loop, const char *name,
                                    bool in_lines)
{
    const char *end = in_lines ? "\n" : "";
    char text[KS_CHAT_NAME_LIMIT + 2];
    hall_open(hall, peer, loop);
    say(hall, peer, in_lines ? "2\n" : "2");
    snprintf(text, sizeof text, "%s%s", name, end);
    say(hall, peer, text);
    say(hall, peer, in_lines ? "secret\n" : "secret");
    forget_heard(hall, peer);
}

/* Joins group 1 of this password. */
static inline void enter_as_member(struct hall *hall, unsigned peer, unsigned loop, const char *name,
                                   bool in_lines)
{
    const char *end = in_lines ? "\n" : "";
    char text[KS_CHAT_NAME_LIMIT + 2];
    hall_open(hall, peer, loop);
    say(hall, peer, in_lines ? "1\n" : "1");
    snprintf(text, sizeof text, "%s%s", name, end);
    say(hall, peer, text);
    say(hall, peer, in_lines ? "1\n" : "1");
    say(hall, peer, in_lines ? "secret\n" : "secret");
    forget_heard(hall, peer);
}

/* "dana" in line mode or chunk mode, and "omer", who hears lines. */
static inline void enter_two(struct hall *hall, bool in_lines)
{
    enter_as_creator(hall, 0, 0, "dana", in_lines);
    enter_as_member(hall, 1, 1, "omer", true);
}

#endif
