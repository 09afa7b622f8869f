/* stream.c — see stream.h. */
#include "service/stream.h"

#include <stdlib.h>

enum { PAGE_AND_OUTPUT = 2 };

static void free_page(struct ks_stream *stream)
{
    if (stream->page == NULL)
        return;
    free(stream->page);
    stream->page = NULL;
    ks_budget_give(stream->budget, PAGE_AND_OUTPUT * stream->page_size);
}

static void end_stream(struct ks_stream *stream)
{
    struct ks_exchange *exchange = stream->exchange;
    free_page(stream);
    if (exchange->session != NULL)
        ks_session_set_stream(exchange->session, NULL);
    stream->source->ended(stream);
    ks_exchange_cancel(exchange); /* all of the answer is written already */
}

/* The header has promised more than there will be. */
static void break_off(struct ks_stream *stream, enum ks_result why)
{
    const struct ks_exchange *exchange = stream->exchange;
    char peer[KS_PEER_TEXT_SIZE];
    ks_log_warning(exchange->environment->log, "%s: closed in the middle of an answer to %u: %s",
                   ks_exchange_peer(exchange, peer), (unsigned)exchange->header.code, ks_result_text(why));
    stream->orphaned = true;
    ks_session_abort(exchange->session);
}

static void budget_has_room(struct ks_task *task)
{
    struct ks_stream *stream = KS_CONTAINER_OF(task, struct ks_stream, waiter.task);
    stream->waiting = false;
    if (stream->exchange->session == NULL)
        end_stream(stream);
    else
        ks_stream_go_on(stream);
}

static bool have_page(struct ks_stream *stream)
{
    if (stream->page != NULL)
        return true;
    if (!ks_budget_take(stream->budget, PAGE_AND_OUTPUT * stream->page_size)) {
        stream->waiting = true;
        stream->waiter.task.run = budget_has_room;
        stream->waiter.executor = &stream->exchange->loop->executor;
        ks_budget_wait(stream->budget, &stream->waiter);
        return false;
    }
    stream->page = malloc(stream->page_size);
    if (stream->page != NULL)
        return true;
    ks_budget_give(stream->budget, PAGE_AND_OUTPUT * stream->page_size);
    break_off(stream, KS_NO_MEMORY);
    return false;
}

void ks_stream_go_on(struct ks_stream *stream)
{
    if (stream->pumping)
        return;
    stream->pumping = true;
    while (!stream->filling && !stream->waiting && !stream->orphaned) {
        struct ks_session *session = stream->exchange->session;
        if (ks_session_output_waiting(session) > KS_OUTPUT_LOW_WATER)
            break; /* `drained` comes */
        if (stream->left == 0) {
            end_stream(stream);
            return;
        }
        if (!have_page(stream))
            break;
        stream->filling = true;
        stream->source->fill(stream);
    }
    stream->pumping = false;
}

void ks_stream_page(struct ks_stream *stream, enum ks_result result, size_t size)
{
    struct ks_session *session = stream->exchange->session;
    stream->filling = false;
    if (session == NULL) {
        end_stream(stream);
        return;
    }
    if (stream->orphaned)
        return; /* until `closed` */
    if (result == KS_OK && (size == 0 || size > stream->left))
        result = KS_INVALID;
    if (result != KS_OK) {
        break_off(stream, result);
        return;
    }
    stream->left -= size;
    ks_session_write(session, stream->page, size);
    ks_stream_go_on(stream);
}

void ks_stream_begin(struct ks_stream *stream, const struct ks_stream_source *source,
                     struct ks_exchange *exchange, uint16_t code, uint32_t payload_size, size_t page_size)
{
    struct ks_response_header header = {
        .version = exchange->rule->version, .code = code, .payload_size = payload_size};
    uint8_t bytes[KS_RESPONSE_HEADER_SIZE];
    *stream = (struct ks_stream){.source = source,
                                 .exchange = exchange,
                                 .budget = exchange->loop->budget,
                                 .left = payload_size,
                                 .page_size = page_size};
    if (exchange->session == NULL) {
        end_stream(stream);
        return;
    }
    ks_exchange_count(exchange, code);
    ks_response_header_encode(&header, bytes);
    ks_session_set_stream(exchange->session, stream);
    ks_session_write(exchange->session, bytes, sizeof bytes);
    ks_stream_go_on(stream);
}

void ks_stream_orphan(struct ks_stream *stream)
{
    stream->orphaned = true;
    if (stream->waiting && ks_budget_cancel(stream->budget, &stream->waiter))
        stream->waiting = false;
    if (!stream->filling && !stream->waiting)
        end_stream(stream);
}
