/* fuzz_web.c — the pages of the secure port behind a fake connection.
 *
 * The first byte of the input says how it ends; then come pieces: a byte with a size, then so many bytes.
 * Whatever is sent, there is at most one answer, which is whole, announces the end, and carries what keeps a
 * browser on a short lead; and how the input was cut makes no difference.
 */
#include "service/web/web.h"
#include "support/fake_connection.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LATE = 1, CUT_OFF = 2, ONE_TOO_MANY = 4 };

struct browser {
    struct fake_loop loop;
    struct ks_web_environment environment;
    struct fake_connection connection;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void open_browser(struct browser *browser)
{
    memset(browser, 0, sizeof *browser);
    fake_loop_init(&browser->loop, 1024);
    browser->loop.without_traces = true;
    browser->environment.clock = &browser->loop.time.clock;
    must(fake_connection_open(&browser->connection, &browser->loop, &ks_web_events, &browser->environment));
}

static void close_browser(struct browser *browser)
{
    fake_connection_close(&browser->connection);
    must(atomic_load(&browser->environment.sessions) == 0);
    fake_loop_destroy(&browser->loop);
}

static bool has(const struct ks_buffer *text, const char *part)
{
    return memmem(text->bytes, text->size, part, strlen(part)) != NULL;
}

static void must_be_an_answer(const struct ks_buffer *output)
{
    static const char length_name[] = "Content-Length: ";
    if (output->size == 0)
        return;
    const char *text = (const char *)output->bytes;
    const char *end = memmem(text, output->size, "\r\n\r\n", 4);
    must(end != NULL && output->size > 12 && memcmp(text, "HTTP/1.1 ", 9) == 0);
    size_t head = (size_t)(end - text) + 4;
    const char *length = memmem(text, head, length_name, sizeof length_name - 1);
    must(length != NULL);
    size_t content = strtoul(length + sizeof length_name - 1, NULL, 10);
    must(output->size == head || output->size == head + content);
    must(has(output, "\r\nConnection: close\r\n"));
    must(has(output, "\r\nContent-Security-Policy: default-src 'none'"));
    must(has(output, "\r\nX-Content-Type-Options: nosniff\r\n"));
}

static void end(struct browser *browser, uint8_t flags)
{
    if ((flags & LATE) != 0)
        fake_connection_wait(&browser->connection, KS_WEB_MS + 1000);
    if ((flags & CUT_OFF) == 0 && !browser->connection.aborted)
        fake_connection_end(&browser->connection);
    must_be_an_answer(&browser->connection.output);
    must((flags & CUT_OFF) != 0 || browser->connection.finished || browser->connection.aborted);
}

static void one_too_many(void)
{
    struct browser browser;
    struct fake_connection other = {0};
    open_browser(&browser);
    atomic_store(&browser.environment.sessions, KS_WEB_SESSIONS_LIMIT);
    must(!fake_connection_open(&other, &browser.loop, &ks_web_events, &browser.environment));
    atomic_store(&browser.environment.sessions, 1);
    close_browser(&browser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ks_buffer whole = ks_buffer_empty(0);
    struct browser cut;
    struct browser uncut;
    if (size == 0)
        return 0;
    if ((data[0] & ONE_TOO_MANY) != 0)
        one_too_many();
    open_browser(&cut);
    open_browser(&uncut);
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
    must(cut.connection.output.size == uncut.connection.output.size);
    must(cut.connection.output.size == 0 ||
         memcmp(cut.connection.output.bytes, uncut.connection.output.bytes, cut.connection.output.size) == 0);
    end(&cut, data[0]);
    end(&uncut, data[0]);
    ks_buffer_free(&whole);
    close_browser(&uncut);
    close_browser(&cut);
    return 0;
}
