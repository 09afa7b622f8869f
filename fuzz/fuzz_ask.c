/* fuzz_ask.c — the ask service behind a fake connection.
 *
 * The first byte of the input says whether the peer takes what it gets, and how long the answer to STAT is.
 * Then come pieces: a byte with a size and what happens behind the piece, then its bytes. Whatever is sent,
 * the answers must be the banner and whole answers that belong to requests; and where no time passes between
 * the pieces, how the input was cut behind the greeting must make no difference.
 */
#include "service/ask/ask_service.h"
#include "support/fake_connection.h"
#include "wire/ask_codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PIECE_SIZE = 63, FLOODS = 2 };

enum mode { MODE_TAKES_NOTHING = 1, MODE_LONG_STATUS = 2 };

enum behind { BEHIND_NOTHING, BEHIND_WAIT, BEHIND_TAKE, BEHIND_FLOOD };

struct desk {
    struct fake_loop loop;
    struct ks_ask_service_environment environment;
    struct fake_connection connection;
    uint8_t mode;
    unsigned floods;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static enum ks_result drawn(const struct ks_random *random, void *bytes, size_t size)
{
    (void)random;
    memset(bytes, 9, size); /* the largest number */
    return KS_OK;
}

static void status(void *context, char text[static KS_ASK_SERVICE_STATUS_SIZE])
{
    const struct desk *desk = context;
    bool is_long = (desk->mode & MODE_LONG_STATUS) != 0;
    memset(text, 's', is_long ? KS_ASK_SERVICE_STATUS_SIZE : 1); /* as long as can be, and not terminated */
}

static void open_desk(struct desk *desk, uint8_t mode)
{
    static const struct ks_random random = {.fill = drawn};
    fake_loop_init(&desk->loop, 1024);
    desk->loop.without_traces = true;
    desk->mode = mode;
    desk->floods = 0;
    desk->environment = (struct ks_ask_service_environment){.clock = &desk->loop.time.clock,
                                                            .random = &random,
                                                            .log = &desk->loop.log,
                                                            .name = "desk",
                                                            .status = status,
                                                            .context = desk};
    must(fake_connection_open(&desk->connection, &desk->loop, &ks_ask_service_events, &desk->environment));
}

static void close_desk(struct desk *desk)
{
    fake_connection_close(&desk->connection);
    fake_loop_destroy(&desk->loop);
}

/* ---- answers ---- */

static bool is_answer(const uint8_t *text, size_t size)
{
    static const char unknown[] = "unknown request: there are TIME, NAME, RAND, STAT and EXIT";
    return size == KS_ASK_SERVICE_STATUS_SIZE || size == 1 || size == strlen("YYYY-MM-DD HH:MM:SS") ||
           (size == 4 && memcmp(text, "desk", 4) == 0) || (size == 2 && memcmp(text, "10", 2) == 0) ||
           (size == strlen(unknown) && memcmp(text, unknown, size) == 0);
}

/* Nothing before the greeting was understood, then the banner, then answers. */
static void must_be_answers(const struct fake_connection *connection)
{
    const uint8_t *next = connection->output.bytes;
    size_t left = connection->output.size;
    if (left == 0)
        return;
    must(left >= KS_ASK_BANNER_SIZE && memcmp(next, KS_ASK_BANNER, KS_ASK_BANNER_SIZE) == 0);
    next += KS_ASK_BANNER_SIZE;
    left -= KS_ASK_BANNER_SIZE;
    while (left > 0) {
        size_t size = 0;
        must(left >= KS_ASK_LENGTH_SIZE && ks_ask_length_parse(next, &size) == KS_OK);
        must(left - KS_ASK_LENGTH_SIZE >= size && is_answer(next + KS_ASK_LENGTH_SIZE, size));
        next += KS_ASK_LENGTH_SIZE + size;
        left -= KS_ASK_LENGTH_SIZE + size;
    }
}

/* ---- pieces ---- */

struct input {
    const uint8_t *bytes;
    size_t size;
};

struct piece {
    const uint8_t *bytes;
    size_t size;
    enum behind behind;
};

static struct piece next_piece(struct input *input)
{
    uint8_t head = *input->bytes++;
    input->size--;
    size_t size = head & PIECE_SIZE;
    struct piece piece = {.bytes = input->bytes, .behind = head >> 6};
    piece.size = size < input->size ? size : input->size;
    input->bytes += piece.size;
    input->size -= piece.size;
    return piece;
}

/* Requests whose answers are more than may wait: twice in an input, and only to a peer that takes nothing,
 * else they would be many, and nothing but many. */
static void flood(struct desk *desk)
{
    uint8_t requests[4 * 600];
    if (desk->connection.window == SIZE_MAX || desk->floods++ >= FLOODS)
        return;
    for (size_t i = 0; i < sizeof requests; i++)
        requests[i] = (uint8_t) "STAT"[i % 4];
    fake_connection_send(&desk->connection, requests, sizeof requests, 0);
}

static void send_piece(struct desk *desk, const struct piece *piece)
{
    struct fake_connection *connection = &desk->connection;
    if (piece->size > 0)
        fake_connection_send(connection, piece->bytes, piece->size, 0);
    if (piece->behind == BEHIND_WAIT)
        fake_connection_wait(connection, 1000);
    else if (piece->behind == BEHIND_TAKE)
        fake_connection_take(connection, piece->size * 100);
    else if (piece->behind == BEHIND_FLOOD)
        flood(desk);
}

/* The answers when all but the first piece comes at once; what is behind the pieces does not happen. */
static void must_be_the_same_in_one_piece(const uint8_t *data, size_t size, uint8_t mode,
                                          const struct fake_connection *cut)
{
    struct desk desk;
    struct ks_buffer rest = ks_buffer_empty(0);
    struct input input = {.bytes = data, .size = size};
    bool first = true;
    open_desk(&desk, mode);
    while (input.size > 0) {
        struct piece piece = next_piece(&input);
        if (first && piece.size > 0)
            fake_connection_send(&desk.connection, piece.bytes, piece.size, 0);
        else
            must(ks_buffer_append(&rest, piece.bytes, piece.size) == KS_OK);
        first = first && piece.size == 0;
    }
    if (rest.size > 0)
        fake_connection_send(&desk.connection, rest.bytes, rest.size, 0);
    fake_connection_end(&desk.connection);
    must(desk.connection.output.size == cut->output.size && desk.connection.finished == cut->finished);
    must(cut->output.size == 0 ||
         memcmp(desk.connection.output.bytes, cut->output.bytes, cut->output.size) == 0);
    ks_buffer_free(&rest);
    close_desk(&desk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct desk desk;
    bool only_cut = true;
    if (size == 0)
        return 0;
    struct input input = {.bytes = data + 1, .size = size - 1};
    open_desk(&desk, data[0]);
    if ((data[0] & MODE_TAKES_NOTHING) != 0)
        desk.connection.window = 0;
    size_t first_size = 0;
    while (input.size > 0) {
        struct piece piece = next_piece(&input);
        first_size = first_size == 0 ? piece.size : first_size;
        only_cut = only_cut && piece.behind == BEHIND_NOTHING;
        send_piece(&desk, &piece);
        must(ks_connection_output_waiting(&desk.connection.connection) < KS_OUTPUT_HIGH_WATER + (size_t)1024);
    }
    fake_connection_take(&desk.connection, SIZE_MAX / 2);
    fake_connection_end(&desk.connection);
    must(desk.connection.finished);
    must_be_answers(&desk.connection);
    /* A greeting of one H and what follows it depend on the cut. */
    if (only_cut && first_size > 1)
        must_be_the_same_in_one_piece(data + 1, size - 1, data[0], &desk.connection);
    close_desk(&desk);
    return 0;
}
