/* fuzz_chat.c — group chat as a state machine: the real service behind fake connections on several loops.
 *
 * The first byte of the input sets the limits. The rest are steps: a byte with an action and the peer that is
 * concerned, for some of them an amount, for words the words themselves. So the input decides who says what
 * in which pieces, in which order loops run, who takes nothing, who goes. Two listeners are in group 1 all
 * the time and take everything: both must hear the same. Whatever goes out must be clean text; of what goes
 * apart each send. Afterwards nothing may be left: no group, and (by the sanitizer) no memory.
 */
#include "base/text.h"
#include "service/chat/chat_service.h"
#include "service/chat/groups.h"
#include "service/chat/turnstile.h"
#include "support/fake_connection.h"
#include "wire/chat_codec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LOOPS = 3, PEERS = 6, LISTENERS = 2, ALL = PEERS + LISTENERS, PROMPT_MS = 60000 };
enum { MUCH = 255, MUCHES = 4 }; /* said of that size: more than stands in the input; so often */
enum { HOUR_MS = 3600 * 1000 };

enum action {
    ACTION_SAY, /* and seven more like it, so that most bytes are words */
    ACTION_SAY_SLOWLY = 8,
    ACTION_RUN_LOOP,
    ACTION_END,
    ACTION_CLOSE,
    ACTION_WAIT,
    ACTION_TAKE,
    ACTION_ENTER,
    ACTION_SETTLE,
};

enum mode {
    MODE_SMALL_LIMITS = 1,
    MODE_ONE_ADDRESS = 2,
    MODE_ODD_TAKE_NOTHING = 4,
    MODE_ONE_LOOP = 8,
};

struct hall {
    struct fake_loop loops[LOOPS];
    struct fake_connection peers[ALL];
    struct ks_chat_service_environment environment;
    uint8_t mode;
    unsigned muches;
};

struct input {
    const uint8_t *bytes;
    size_t size;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* ---- what goes out ---- */

/* Whole characters, and no controls but tabs and line ends. */
static void must_be_clean(const uint8_t *text, size_t size)
{
    while (size > 0) {
        bool plain = text[0] >= 0x20 && text[0] < 0x7f;
        size_t length = plain ? 1 : ks_text_utf8_length(text, size);
        must(length > 0);
        must(length > 1 || plain || text[0] == '\t' || text[0] == '\n');
        must(length != 2 || text[0] != 0xc2 || text[1] >= 0xa0);
        text += length;
        size -= length;
    }
}

static const struct ks_connection_operations *fake_operations;
static struct ks_connection_operations watched_operations;

static bool watched_write_apart(struct ks_connection *connection, const void *bytes, size_t size)
{
    must(size > 0 && size <= KS_CHAT_SEND_LIMIT);
    must_be_clean(bytes, size);
    return fake_operations->write_apart(connection, bytes, size);
}

static void watch(struct fake_connection *peer)
{
    fake_operations = peer->connection.operations;
    watched_operations = *fake_operations;
    watched_operations.write_apart = watched_write_apart;
    peer->connection.operations = &watched_operations;
}

/* ---- the hall ---- */

static bool can_go_on(const struct fake_connection *peer)
{
    return peer->open && !peer->paused && !peer->finished && !peer->aborted && peer->kept.size > 0;
}

static void settle(struct hall *hall)
{
    bool more = true;
    while (more) {
        more = false;
        for (unsigned i = 0; i < ALL; i++)
            if (hall->peers[i].open)
                fake_connection_run(&hall->peers[i]);
        for (unsigned i = 0; i < LOOPS; i++)
            more = fake_loop_run(&hall->loops[i]) > 0 || more;
        for (unsigned i = 0; i < LOOPS; i++)
            more = more || atomic_load(&hall->loops[i].mailbox.newest) != NULL;
        for (unsigned i = 0; i < ALL; i++)
            more = more || can_go_on(&hall->peers[i]);
    }
}

static void open_peer(struct hall *hall, unsigned peer)
{
    struct fake_connection *connection = &hall->peers[peer];
    unsigned loop = (hall->mode & MODE_ONE_LOOP) != 0 ? 0 : peer % LOOPS;
    must(fake_connection_open(connection, &hall->loops[loop], &ks_chat_service_events, &hall->environment));
    watch(connection);
    if ((hall->mode & MODE_ONE_ADDRESS) == 0)
        connection->address[0] = (uint8_t)peer;
    if ((hall->mode & MODE_ODD_TAKE_NOTHING) != 0 && peer % 2 == 1 && peer < PEERS)
        connection->window = 0;
}

static void close_peer(struct hall *hall, unsigned peer)
{
    struct fake_connection *connection = &hall->peers[peer];
    if (connection->loop == NULL)
        return;
    if (connection->output.size > 0)
        must_be_clean(connection->output.bytes, connection->output.size);
    fake_connection_close(connection);
    *connection = (struct fake_connection){0};
}

static void say_text(struct hall *hall, unsigned peer, const char *text)
{
    fake_connection_send_only(&hall->peers[peer], text, strlen(text));
}

static uint64_t hall_opens_ms;

/* A megabyte, and so one for all inputs: it forgets wrong passwords after ten minutes, and from one input to
 * the next an hour passes. */
static struct ks_turnstile *turnstile(void)
{
    static struct ks_turnstile *made;
    must(made != NULL || ks_turnstile_new(&(struct ks_hash_key){{0}}, &made) == KS_OK);
    return made;
}

/* Everything starts with the listeners in group 1, on loops of their own. */
static void open_hall(struct hall *hall)
{
    struct ks_groups_limits limits = {.groups = 3, .members = 6, .member_queue = 4194304, .queues = 30000};
    if ((hall->mode & MODE_SMALL_LIMITS) != 0)
        limits = (struct ks_groups_limits){.groups = 2, .members = 4, .member_queue = 500, .queues = 100};
    for (unsigned i = 0; i < LOOPS; i++) {
        fake_loop_init(&hall->loops[i], 1024);
        hall->loops[i].without_traces = true;
        hall->loops[i].time.monotonic_ms = hall_opens_ms;
    }
    hall->environment = (struct ks_chat_service_environment){.clock = &hall->loops[0].time.clock,
                                                             .log = &hall->loops[0].log,
                                                             .turnstile = turnstile(),
                                                             .prompt_timeout_ms = PROMPT_MS,
                                                             .wrong_passwords = 10};
    if ((hall->mode & MODE_SMALL_LIMITS) != 0)
        hall->environment.wrong_passwords = 2;
    must(ks_groups_new(&limits, &hall->loops[0].log, &hall->environment.groups) == KS_OK);
    open_peer(hall, PEERS);
    say_text(hall, PEERS, "2\n");
    say_text(hall, PEERS, "l\nsecret\n");
    open_peer(hall, PEERS + 1);
    say_text(hall, PEERS + 1, "1\n");
    say_text(hall, PEERS + 1, "m\n1\nsecret\n");
    settle(hall);
}

static void close_hall(struct hall *hall)
{
    for (unsigned i = 0; i < ALL; i++)
        close_peer(hall, i);
    settle(hall);
    must(ks_groups_count(hall->environment.groups) == 0);
    ks_groups_free(hall->environment.groups);
    for (unsigned i = 0; i < LOOPS; i++) {
        uint64_t latest_ms = hall->loops[i].time.monotonic_ms;
        hall_opens_ms = latest_ms > hall_opens_ms ? latest_ms : hall_opens_ms;
        fake_loop_destroy(&hall->loops[i]);
    }
    hall_opens_ms += HOUR_MS;
}

/* ---- steps ---- */

static uint8_t next_byte(struct input *input)
{
    if (input->size == 0)
        return 0;
    input->size--;
    return *input->bytes++;
}

/* More than a message, in characters that a cut may fall into, and no end of the line. */
static void say_much(struct hall *hall, unsigned peer)
{
    uint8_t text[5000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t) "\xe2\x82\xac "[i % 4];
    fake_connection_send_only(&hall->peers[peer], text, sizeof text);
}

static void say(struct hall *hall, unsigned peer, struct input *input, bool slowly)
{
    size_t size = next_byte(input);
    if (size == MUCH) {
        if (hall->muches++ < MUCHES)
            say_much(hall, peer);
        return;
    }
    size = size < input->size ? size : input->size;
    if (slowly)
        fake_connection_send(&hall->peers[peer], input->bytes, size, 1);
    else
        fake_connection_send_only(&hall->peers[peer], input->bytes, size);
    input->bytes += size;
    input->size -= size;
}

static void wait_some(struct hall *hall, uint64_t ms)
{
    for (unsigned i = 0; i < LOOPS; i++)
        hall->loops[i].time.monotonic_ms += ms;
    for (unsigned i = 0; i < ALL; i++)
        if (hall->peers[i].open && !hall->peers[i].finished && !hall->peers[i].aborted)
            fake_connection_wait(&hall->peers[i], 0);
}

static void enter(struct hall *hall, unsigned peer, uint8_t how)
{
    static const char *const ways[] = {"1\na\n1\nsecret\n", "2\nb\nsecret\n", "1\nc\n2\nsecret\n",
                                       "1\nd\n1\nwrong\n"};
    if ((how & 4) != 0)
        say_text(hall, peer, "\n"); /* in line mode */
    const char *way = ways[how & 3];
    if ((how & 8) == 0)
        say_text(hall, peer, way);
    else
        fake_connection_send_only(&hall->peers[peer], way, strlen(way) - 1);
}

static void take_step(struct hall *hall, struct input *input)
{
    uint8_t step = next_byte(input);
    unsigned peer = (step & 15U) % PEERS;
    struct fake_connection *connection = &hall->peers[peer];
    if (connection->finished || connection->aborted)
        close_peer(hall, peer);
    if (connection->loop == NULL)
        open_peer(hall, peer);
    switch (step >> 4) {
    default:
        say(hall, peer, input, false);
        return;
    case ACTION_SAY_SLOWLY:
        say(hall, peer, input, true);
        return;
    case ACTION_RUN_LOOP:
        fake_loop_run(&hall->loops[peer % LOOPS]);
        return;
    case ACTION_END:
        fake_connection_end(connection);
        return;
    case ACTION_CLOSE:
        close_peer(hall, peer);
        return;
    case ACTION_WAIT:
        wait_some(hall, next_byte(input) * UINT64_C(500));
        return;
    case ACTION_TAKE:
        fake_connection_take(connection, next_byte(input) * (size_t)100);
        return;
    case ACTION_ENTER:
        enter(hall, peer, next_byte(input));
        return;
    case ACTION_SETTLE:
        settle(hall);
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct input input = {.bytes = data + 1, .size = size - 1};
    struct hall hall = {.mode = data[0]};
    open_hall(&hall);
    const struct fake_connection *one = &hall.peers[PEERS];
    const struct fake_connection *other = &hall.peers[PEERS + 1];
    size_t one_before = one->output.size;
    size_t other_before = other->output.size;
    while (input.size > 0)
        take_step(&hall, &input);
    settle(&hall);
    must(!one->aborted && !one->finished && !other->aborted && !other->finished);
    must(one->output.size - one_before == other->output.size - other_before);
    must(memcmp(one->output.bytes + one_before, other->output.bytes + other_before,
                one->output.size - one_before) == 0);
    close_hall(&hall);
    return 0;
}
