/* ask.c — see ask.h. */
#include "service/ask.h"

#include "service/tally.h"
#include "wire/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PART_LIMIT_MS = 1000, /* of silence; then a part of a request is an unknown one */
    RANDOM_LARGEST = 10,
    RESERVE_SIZE = 64, /* a draw costs the same for one byte and for this many */
    TIME_SIZE = sizeof "YYYY-MM-DD HH:MM:SS",
};

#define UNKNOWN_REQUEST "unknown request: there are TIME, NAME, RAND, STAT and EXIT"
#define NO_RANDOMNESS   "no randomness to be had"

struct ask_session {
    const struct ks_ask_environment *environment;
    struct ks_tally_shard *tally;
    uint8_t part[KS_ASK_REQUEST_SIZE]; /* of a greeting or a request */
    uint8_t part_size;
    bool greeted;
    bool part_is_timed;
    bool ending;
    int64_t time_second; /* that `time_text` tells */
    char time_text[TIME_SIZE];
};

/* Random bytes for the requests that came together; what is left of them is let go. A reserve for each
 * session would take memory of those who ask nothing. */
struct reserve {
    uint8_t bytes[RESERVE_SIZE];
    size_t left; /* the last ones; 0 at first */
};

/* ---- answers ---- */

/* `text` ends with a NUL, or after `limit` bytes, which are KS_ASK_STATUS_SIZE at most. */
static void answer(struct ks_connection *connection, const char *text, size_t limit)
{
    uint8_t bytes[KS_ASK_LENGTH_SIZE + KS_ASK_STATUS_SIZE];
    size_t size = strnlen(text, limit);
    ks_ask_length_encode(size, bytes);
    memcpy(bytes + KS_ASK_LENGTH_SIZE, text, size);
    ks_connection_write(connection, bytes, KS_ASK_LENGTH_SIZE + size);
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
static unsigned draw(struct reserve *reserve, const struct ks_random *random)
{
    const unsigned fair = 256 / RANDOM_LARGEST * RANDOM_LARGEST;
    for (;;) {
        if (reserve->left == 0) {
            if (ks_random_fill(random, reserve->bytes, RESERVE_SIZE) != KS_OK)
                return 0;
            reserve->left = RESERVE_SIZE;
        }
        uint8_t drawn = reserve->bytes[RESERVE_SIZE - reserve->left--];
        if (drawn < fair)
            return drawn % RANDOM_LARGEST + 1U;
    }
}

static void answer_random(struct ks_connection *connection, const struct ask_session *session,
                          struct reserve *reserve)
{
    char text[8];
    unsigned number = draw(reserve, session->environment->random);
    if (number == 0) {
        answer(connection, NO_RANDOMNESS, sizeof NO_RANDOMNESS);
        return;
    }
    snprintf(text, sizeof text, "%u", number);
    answer(connection, text, sizeof text);
}

static void answer_status(struct ks_connection *connection, const struct ask_session *session)
{
    char text[KS_ASK_STATUS_SIZE] = "";
    session->environment->status(session->environment->context, text);
    answer(connection, text, sizeof text);
}

static void serve(struct ks_connection *connection, enum ks_ask_request request, struct reserve *reserve)
{
    struct ask_session *session = connection->session;
    ks_tally_asked(session->tally, request);
    switch (request) {
    case KS_ASK_TIME:
        answer(connection, time_text(session), TIME_SIZE);
        return;
    case KS_ASK_NAME:
        answer(connection, session->environment->name, KS_ASK_STATUS_SIZE);
        return;
    case KS_ASK_RAND:
        answer_random(connection, session, reserve);
        return;
    case KS_ASK_STAT:
        answer_status(connection, session);
        return;
    case KS_ASK_EXIT:
        session->ending = true;
        ks_connection_finish(connection);
        return;
    case KS_ASK_UNKNOWN:
        answer(connection, UNKNOWN_REQUEST, sizeof UNKNOWN_REQUEST);
        return;
    }
}

/* ---- input ---- */

/* A part of a request is complete after a second of silence; a lone "H" may become a greeting for ever, but
 * makes room where connections are short. */
static void keep_time(struct ks_connection *connection)
{
    struct ask_session *session = connection->session;
    bool is_timed = session->greeted && session->part_size > 0 && !session->ending;
    if (is_timed || session->part_is_timed)
        ks_connection_set_deadline(connection, is_timed ? PART_LIMIT_MS : 0);
    session->part_is_timed = is_timed;
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
    session->greeted = true;
    session->part_size = 0;
    ks_connection_write(connection, KS_ASK_BANNER, KS_ASK_BANNER_SIZE);
    return greeting < before + shown ? greeting - before : size;
}

static bool output_is_full(struct ks_connection *connection)
{
    return ks_connection_output_is_full(connection);
}

/* Serves what stands in `bytes`; returns how many it took. What is left is part of something, or waits until
 * the output went out. */
static size_t serve_all(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct ask_session *session = connection->session;
    struct reserve reserve;
    size_t used = 0;
    reserve.left = 0;
    while (!session->ending && used < size) {
        enum ks_ask_request request = KS_ASK_UNKNOWN;
        size_t taken = 0;
        if (output_is_full(connection))
            break;
        enum ks_result result = ks_ask_request_parse(bytes + used, size - used, &request, &taken);
        used += taken;
        if (result != KS_OK)
            break;
        serve(connection, request, &reserve);
    }
    return used;
}

/* Completes the part with what came, byte by byte, until it is served; returns how many bytes that took. */
static size_t complete_part(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct ask_session *session = connection->session;
    size_t used = 0;
    while (session->part_size > 0 && used < size && !output_is_full(connection)) {
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
    size_t used = session->greeted ? 0 : greet(connection, bytes, size);
    if (session->greeted)
        used += complete_part(connection, bytes + used, size - used);
    if (session->greeted && session->part_size == 0)
        used += serve_all(connection, bytes + used, size - used);
    if (session->ending)
        return size;
    if (output_is_full(connection) && used < size) {
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
    if (session->greeted)
        serve(connection, KS_ASK_UNKNOWN, &(struct reserve){.left = 0});
    else
        ks_connection_write(connection, KS_ASK_BANNER, KS_ASK_BANNER_SIZE);
    session->greeted = true;
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

const struct ks_connection_events ks_ask_events = {
    .opened = ask_opened,
    .received = ask_received,
    .input_ended = ask_input_ended,
    .drained = ask_drained,
    .deadline = ask_deadline,
    .closed = ask_closed,
};
