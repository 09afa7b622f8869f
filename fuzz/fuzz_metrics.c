/* fuzz_metrics.c — the metrics service behind a fake connection.
 *
 * The first byte of the input says when the store answers and whether the peer takes what it gets; then come
 * pieces: a byte with a size, then so many bytes. Whatever is sent, the output is whole answers, the last of
 * which alone may announce the end, and how the input was cut makes no difference. Then the same comes once
 * more to a connection that is cut off, or not served in time, or one too many, as the first byte says.
 */
#include "service/monitoring/metrics.h"
#include "support/fake_connection.h"
#include "support/fake_store.h"
#include "wire/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    ANSWERS_LATER = 1,
    TAKES_NOTHING = 2,
    STORE_FAILS = 4,
    RENDERS_NOTHING = 8,
    RENDERS_MUCH = 16,
    CUT_OFF = 32,
    LATE = 64,
    ONE_TOO_MANY = 128,
};

enum { MUCH = 30000, MUCHES = 3, LONG_MS = 60000 };

struct gauges {
    struct fake_loop loop;
    struct fake_store store;
    struct ks_metrics_environment environment;
    struct fake_connection connection;
    uint8_t flags;
    unsigned muches;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static size_t render(void *context, char *text, size_t capacity)
{
    static const char metric[] = {'m', ' ', '1', '\n'};
    struct gauges *gauges = context;
    must(capacity >= MUCH);
    if ((gauges->flags & RENDERS_NOTHING) != 0)
        return 0;
    if ((gauges->flags & RENDERS_MUCH) != 0 && gauges->muches++ < MUCHES) {
        memset(text, '#', MUCH);
        return MUCH;
    }
    memcpy(text, metric, sizeof metric);
    return sizeof metric;
}

static void prepare_gauges(struct gauges *gauges, uint8_t flags)
{
    memset(gauges, 0, sizeof *gauges);
    fake_loop_init(&gauges->loop, 1024);
    gauges->loop.without_traces = true;
    fake_store_init(&gauges->store);
    gauges->environment = (struct ks_metrics_environment){.store = &gauges->store.store,
                                                          .clock = &gauges->loop.time.clock,
                                                          .render = render,
                                                          .context = gauges};
    gauges->flags = flags;
    gauges->store.later = (flags & ANSWERS_LATER) != 0;
}

static void open_gauges(struct gauges *gauges, uint8_t flags)
{
    prepare_gauges(gauges, flags);
    must(fake_connection_open(&gauges->connection, &gauges->loop, &ks_metrics_events, &gauges->environment));
    if ((flags & TAKES_NOTHING) != 0)
        gauges->connection.window = 0;
}

static void close_gauges(struct gauges *gauges)
{
    fake_connection_close(&gauges->connection);
    fake_loop_run(&gauges->loop);
    must(atomic_load(&gauges->environment.sessions) == 0);
    fake_store_destroy(&gauges->store);
    fake_loop_destroy(&gauges->loop);
}

/* An answer at `text`, of which `size` bytes are there; returns how many are its. To a HEAD there is no
 * content, and the next answer, or nothing, follows the head. */
static size_t answer_size(const char *text, size_t size, bool *last)
{
    static const char length_name[] = "Content-Length: ";
    must(text != NULL);
    const char *end = memmem(text, size, "\r\n\r\n", 4);
    must(size > 12 && memcmp(text, "HTTP/1.1 ", 9) == 0 && end != NULL);
    size_t head = (size_t)(end - text) + 4;
    const char *length = memmem(text, head, length_name, sizeof length_name - 1);
    must(length != NULL);
    size_t content = strtoul(length + sizeof length_name - 1, NULL, 10);
    *last = memmem(text, head, "Connection: close", 17) != NULL;
    bool without = head == size || (size - head > 9 && memcmp(text + head, "HTTP/1.1 ", 9) == 0);
    must(without || content <= size - head);
    return without ? head : head + content;
}

static void must_be_answers(const struct fake_connection *connection)
{
    const char *next = (const char *)connection->output.bytes;
    size_t left = connection->output.size;
    bool last = false;
    while (left > 0) {
        must(!last);
        size_t size = answer_size(next, left, &last);
        next += size;
        left -= size;
    }
}

/* All of the input at once, and then nothing runs before the end, or a long time. */
static void end_otherwise(const struct ks_buffer *input, uint8_t flags)
{
    struct gauges gauges;
    prepare_gauges(&gauges, flags);
    if ((flags & STORE_FAILS) != 0)
        gauges.store.next_failure = KS_IO;
    if ((flags & ONE_TOO_MANY) != 0)
        atomic_store(&gauges.environment.sessions, KS_METRICS_SESSIONS_LIMIT);
    bool opened =
        fake_connection_open(&gauges.connection, &gauges.loop, &ks_metrics_events, &gauges.environment);
    must(opened == ((flags & ONE_TOO_MANY) == 0));
    if (opened && input->size > 0)
        fake_connection_send_only(&gauges.connection, input->bytes, input->size);
    if (opened && (flags & LATE) != 0)
        fake_connection_wait(&gauges.connection, LONG_MS);
    if (opened && (flags & CUT_OFF) == 0)
        fake_connection_end(&gauges.connection);
    if (!gauges.connection.aborted)
        must_be_answers(&gauges.connection);
    if ((flags & ONE_TOO_MANY) != 0)
        atomic_store(&gauges.environment.sessions, 0);
    close_gauges(&gauges);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ks_buffer whole = ks_buffer_empty(0);
    struct gauges cut;
    struct gauges uncut;
    if (size == 0)
        return 0;
    open_gauges(&cut, data[0]);
    open_gauges(&uncut, data[0]);
    for (size_t next = 1; next < size;) {
        size_t piece = data[next++];
        if (piece > size - next)
            piece = size - next;
        if (piece == 0)
            continue;
        fake_connection_send(&cut.connection, data + next, piece, 0);
        must(ks_buffer_append(&whole, data + next, piece) == KS_OK);
        next += piece;
    }
    if (whole.size > 0)
        fake_connection_send(&uncut.connection, whole.bytes, whole.size, 0);
    for (int i = 0; i < 2; i++) {
        struct fake_connection *connection = i == 0 ? &cut.connection : &uncut.connection;
        while (ks_connection_output_waiting(&connection->connection) > 0)
            fake_connection_take(connection, ks_connection_output_waiting(&connection->connection));
        fake_connection_end(connection);
        must(connection->finished);
        must_be_answers(connection);
    }
    must(cut.connection.output.size == uncut.connection.output.size);
    must(cut.connection.output.size == 0 ||
         memcmp(cut.connection.output.bytes, uncut.connection.output.bytes, cut.connection.output.size) == 0);
    end_otherwise(&whole, data[0]);
    ks_buffer_free(&whole);
    close_gauges(&uncut);
    close_gauges(&cut);
    return 0;
}
