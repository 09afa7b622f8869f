/* ask_service.c — see ask_service.h. */
#include "service/ask/ask_service.h"

#include "service/core/tally.h"
#include "wire/ask_codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PART_LIMIT_MS = 1000, /* of silence; then a part of a request is an unknown one */
    RANDOM_LARGEST = 10,
    RESERVE_SIZE = 64, /* a draw costs the same for one byte and for this many */
    TIME_SIZE = sizeof "YYYY-MM-DD HH:MM:SS",
    ANSWER_SIZE = KS_ASK_LENGTH_SIZE + KS_ASK_SERVICE_STATUS_SIZE, /* of the largest */
    REPLIES_SIZE = 1000, /* of answers that go into the output together, past its limit at worst */
};

#define UNKNOWN_REQUEST "unknown request: there are TIME, NAME, RAND, STAT and EXIT"
#define NO_RANDOMNESS   "no randomness to be had"

enum ask_state { STATE_GREETING, STATE_ASKING, STATE_ENDING, STATES };

struct ask_session {
    const struct ks_ask_service_environment *environment;
    struct ks_tally_shard *tally;
    uint8_t part[KS_ASK_REQUEST_SIZE]; /* of a greeting or a request */
    uint8_t part_size;
    uint8_t state; /* enum ask_state; `become` changes it */
    bool part_is_timed;
    int64_t time_second; /* that `time_text` tells */
    char time_text[TIME_SIZE];
    uint16_t name_size; /* of the environment's name */
};

/* Answers to requests that came together, on the stack: they go into the output together, which costs many
 * times what an answer does. So do random bytes, what is left of which is let go: a reserve for each session
 * would take memory of those who ask nothing. */
struct replies {
    struct ks_connection *connection;
    size_t size;
    size_t random_left; /* the last ones of `random` */
    bool output_is_full;
    uint8_t random[RESERVE_SIZE];
    uint8_t bytes[REPLIES_SIZE];
};

_Static_assert(REPLIES_SIZE >= ANSWER_SIZE, "every answer fits");

/* ---- states ---- */

static const char *const state_names[STATES] = {"greeting", "asking", "ending"};

static const uint16_t state_ways[STATES] = {
    [STATE_GREETING] = KS_WAY_TO(STATE_ASKING),
    [STATE_ASKING] = KS_WAY_TO(STATE_ENDING),
};

static const struct ks_machine machine = {.name = "ask", .states = state_names, .ways = state_ways};

/* The only way to another state. */
static void become(const struct ks_connection *connection, enum ask_state state)
{
    struct ask_session *session = connection->session;
    ks_connection_step(connection, &machine, &session->state, state);
}

/* ---- answers ---- */

/* What the arrays hold does not matter yet, and clearing them would cost as much as some answers. */
static void begin_replies(struct replies *replies, struct ks_connection *connection)
{
    replies->connection = connection;
    replies->size = 0;
    replies->random_left = 0;
    replies->output_is_full = ks_connection_output_is_full(connection);
}

static void pass_replies_on(struct replies *replies)
{
    if (replies->size == 0)
        return;
    ks_connection_write(replies->connection, replies->bytes, replies->size);
    replies->size = 0;
    replies->output_is_full = ks_connection_output_is_full(replies->connection);
}

/* Makes room for an answer. False when there is none: the output is full. */
static bool has_room(struct replies *replies)
{
    if (replies->size > REPLIES_SIZE - ANSWER_SIZE)
        pass_replies_on(replies);
    return !replies->output_is_full;
}

/* There is room. `text` has `size` bytes, which are KS_ASK_SERVICE_STATUS_SIZE at most. */
static void answer(struct replies *replies, const char *text, size_t size)
{
    uint8_t *next = replies->bytes + replies->size;
    ks_ask_length_encode(size, next);
    memcpy(next + KS_ASK_LENGTH_SIZE, text, size);
    replies->size += KS_ASK_LENGTH_SIZE + size;
}

/* Local time. Formatted once a second: floods of TIME are what this service is for. */
static const char *time_text(struct ask_session *session)
{
    int64_t now = ks_clock_wall_seconds(session->environment->clock);
    if (session->time_text[0] == '\0' || session->time_second != now) {
        time_t second = (time_t)now;
        struct tm local;
        if (localtime_r(&second, &local) == NULL ||
            strftime(session->time_text, TIME_SIZE, "%Y-%m-%d %H:%M:%S", &local) == 0)
            snprintf(session->time_text, TIME_SIZE, "unknown");
        session->time_second = now;
    }
    return session->time_text;
}

/* 1 to RANDOM_LARGEST, each as likely: bytes beyond the last whole multiple are passed over. 0 when there is
 * no randomness. */
static unsigned draw(struct replies *replies, const struct ks_random *random)
{
    const unsigned fair = 256 / RANDOM_LARGEST * RANDOM_LARGEST;
    for (;;) {
        if (replies->random_left == 0) {
            if (ks_random_fill(random, replies->random, RESERVE_SIZE) != KS_OK)
                return 0;
            replies->random_left = RESERVE_SIZE;
        }
        uint8_t drawn = replies->random[RESERVE_SIZE - replies->random_left--];
        if (drawn < fair)
            return drawn % RANDOM_LARGEST + 1U;
    }
}

static void answer_random(struct replies *replies, const struct ks_random *random)
{
    static const char *const texts[RANDOM_LARGEST + 1] = {NO_RANDOMNESS, "1", "2", "3", "4", "5",
                                                          "6",           "7", "8", "9", "10"};
    const char *text = texts[draw(replies, random)];
    answer(replies, text, strlen(text));
}

static void answer_status(struct replies *replies, const struct ks_ask_service_environment *environment)
{
    char text[KS_ASK_SERVICE_STATUS_SIZE] = "";
    environment->status(environment->context, text);
    answer(replies, text, strnlen(text, sizeof text));
}

static void log_request(const struct ks_connection *connection, enum ks_ask_request request)
{
    char peer[KS_PEER_TEXT_SIZE];
    ks_connection_describe_peer(connection, peer, sizeof peer);
    ks_log_debug(connection->loop->log, "%s: ask: %s", peer, ks_tally_ask_name(request));
}

static void serve(struct ask_session *session, enum ks_ask_request request, struct replies *replies)
{
    const struct ks_ask_service_environment *environment = session->environment;
    const char *text = NULL;
    ks_tally_asked(session->tally, request);
    if (ks_log_shows(replies->connection->loop->log, KS_LOG_DEBUG))
        log_request(replies->connection, request);
    switch (request) {
    case KS_ASK_TIME:
        text = time_text(session);
        answer(replies, text, strlen(text));
        return;
    case KS_ASK_NAME:
        answer(replies, environment->name, session->name_size);
        return;
    case KS_ASK_RAND:
        answer_random(replies, environment->random);
        return;
    case KS_ASK_STAT:
        answer_status(replies, environment);
        return;
    case KS_ASK_EXIT:
        become(replies->connection, STATE_ENDING);
        return;
    case KS_ASK_UNKNOWN:
        answer(replies, UNKNOWN_REQUEST, sizeof UNKNOWN_REQUEST - 1);
        return;
    }
}

/* ---- input ---- */

/* A part of a request is complete after a second of silence; a lone "H" may become a greeting for ever, but
 * makes room where connections are short. */
static void keep_time(struct ks_connection *connection)
{
    struct ask_session *session = connection->session;
    bool is_timed = session->state == STATE_ASKING && session->part_size > 0;
    if (is_timed || session->part_is_timed)
        ks_connection_set_deadline(connection, is_timed ? PART_LIMIT_MS : 0);
    session->part_is_timed = is_timed;
    ks_connection_set_standing(connection, session->state != STATE_GREETING ? KS_STANDING_STRANGER
                                                                            : KS_STANDING_INCOMPLETE);
    ks_connection_set_idle(connection, !is_timed);
}

/* Takes the greeting, of which the first byte may have come before. Returns how many of the bytes are its. */
static size_t greet(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct ask_session *session = connection->session;
    uint8_t start[2 + KS_ASK_REQUEST_SIZE]; /* more need not be looked at */
    size_t before = session->part_size;
    size_t shown = size < sizeof start - before ? size : sizeof start - before;
    size_t greeting = 0;
    memcpy(start, session->part, before);
    memcpy(start + before, bytes, shown);
    if (ks_ask_greeting(start, before + shown, &greeting) != KS_OK)
        return 0;
    become(connection, STATE_ASKING);
    session->part_size = 0;
    ks_connection_write(connection, KS_ASK_BANNER, KS_ASK_BANNER_SIZE);
    return greeting < before + shown ? greeting - before : size;
}

/* Serves what stands in `bytes`; returns how many it took. What is left is part of something, or waits until
 * the output went out. */
static size_t serve_all(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct ask_session *session = connection->session;
    struct replies replies;
    size_t used = 0;
    begin_replies(&replies, connection);
    while (session->state != STATE_ENDING && used < size && has_room(&replies)) {
        enum ks_ask_request request = KS_ASK_UNKNOWN;
        size_t taken = 0;
        enum ks_result result = ks_ask_request_parse(bytes + used, size - used, &request, &taken);
        used += taken;
        if (result != KS_OK)
            break;
        serve(session, request, &replies);
    }
    pass_replies_on(&replies);
    if (session->state == STATE_ENDING)
        ks_connection_finish(connection);
    return used;
}

static void serve_one(struct ks_connection *connection, enum ks_ask_request request)
{
    struct replies replies;
    begin_replies(&replies, connection);
    serve(connection->session, request, &replies);
    pass_replies_on(&replies);
}

/* Completes the part with what came, byte by byte, until it is served; returns how many bytes that took. */
static size_t complete_part(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct ask_session *session = connection->session;
    size_t used = 0;
    while (session->part_size > 0 && used < size && !ks_connection_output_is_full(connection)) {
        session->part[session->part_size++] = bytes[used++];
        size_t taken = serve_all(connection, session->part, session->part_size);
        session->part_size = (uint8_t)(session->part_size - taken);
        memmove(session->part, session->part + taken, session->part_size);
    }
    return used;
}

static size_t ask_received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct ask_session *session = connection->session;
    size_t used = session->state != STATE_GREETING ? 0 : greet(connection, bytes, size);
    if (session->state != STATE_GREETING)
        used += complete_part(connection, bytes + used, size - used);
    if (session->state != STATE_GREETING && session->part_size == 0)
        used += serve_all(connection, bytes + used, size - used);
    if (session->state == STATE_ENDING)
        return size;
    if (ks_connection_output_is_full(connection) && used < size) {
        ks_connection_pause(connection);
    } else if (used < size) {
        session->part_size = (uint8_t)(size - used); /* fewer than a request */
        memcpy(session->part, bytes + used, session->part_size);
        used = size;
    }
    keep_time(connection);
    return used;
}

/* ---- events ---- */

static bool ask_opened(struct ks_connection *connection, void *service)
{
    struct ask_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return false;
    session->environment = service;
    session->name_size = (uint16_t)strnlen(session->environment->name, KS_ASK_SERVICE_STATUS_SIZE);
    session->tally = ks_tally_shard_of(session->environment->tally, connection->loop);
    connection->session = session;
    return true;
}

/* Whatever is left counts as a request, or as the greeting. */
static void flush_part(struct ks_connection *connection)
{
    struct ask_session *session = connection->session;
    if (session->part_size == 0)
        return;
    session->part_size = 0;
    if (session->state != STATE_GREETING)
        serve_one(connection, KS_ASK_UNKNOWN);
    else
        ks_connection_write(connection, KS_ASK_BANNER, KS_ASK_BANNER_SIZE);
    become(connection, STATE_ASKING);
}

static void ask_input_ended(struct ks_connection *connection)
{
    flush_part(connection);
    ks_connection_finish(connection);
}

static void ask_drained(struct ks_connection *connection)
{
    ks_connection_resume(connection);
}

static void ask_deadline(struct ks_connection *connection)
{
    struct ask_session *session = connection->session;
    session->part_is_timed = false;
    flush_part(connection);
    keep_time(connection);
}

static void ask_closed(struct ks_connection *connection)
{
    free(connection->session);
}

const struct ks_connection_events ks_ask_service_events = {
    .opened = ask_opened,
    .received = ask_received,
    .input_ended = ask_input_ended,
    .drained = ask_drained,
    .deadline = ask_deadline,
    .closed = ask_closed,
};
