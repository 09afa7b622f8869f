/* stream.c — see stream.h. */
#include "service/core/stream.h"

#include "service/core/report.h"

enum {
    PAGE_AND_OUTPUT = 2,
    SHARED_SIZE = 32 * 1024, /* from which on a page goes out as it is, and not as a copy */
};

static void forget_page(struct ks_stream *stream)
{
    ks_shared_release(stream->shared);
    stream->shared = NULL;
    stream->page = NULL;
}

static void give_room(struct ks_stream *stream)
{
    forget_page(stream);
    if (stream->has_room)
        ks_holder_give(&stream->holder, PAGE_AND_OUTPUT * stream->page_size);
    stream->has_room = false;
}

/* Or later, when the budget is done with it, too. */
static void end_stream(struct ks_stream *stream)
{
    struct ks_exchange *exchange = stream->exchange;
    give_room(stream);
    stream->is_over = true;
    stream->orphaned = true;
    if (!ks_holder_end(&stream->holder))
        return;
    if (exchange->session != NULL)
        ks_session_set_stream(exchange->session, NULL);
    stream->source->ended(stream);
    ks_exchange_cancel(exchange); /* all of the answer is written already */
}

/* The header has promised more than there will be. */
static void break_off(struct ks_stream *stream, enum ks_result why)
{
    const struct ks_exchange *exchange = stream->exchange;
    ks_report(exchange, KS_LOG_WARNING, "closed in the middle of an answer to %u: %s",
              (unsigned)exchange->header.code, ks_result_text(why));
    stream->orphaned = true;
    ks_session_abort(exchange->session);
}

/* A peer decides how long it takes an answer of more than a page, or behind other output. */
static enum ks_result claim(struct ks_stream *stream)
{
    const struct ks_exchange *exchange = stream->exchange;
    uint64_t output = ks_session_output_waiting(exchange->session) + stream->left;
    bool leaves_at_once = stream->left <= stream->page_size && output <= KS_OUTPUT_LOW_WATER;
    if (stream->holder.is_claimed || leaves_at_once)
        return KS_OK;
    return ks_session_claim(exchange->session, &stream->holder, &exchange->header.client_id);
}

/* Its room has been taken already. */
static bool make_page(struct ks_stream *stream)
{
    stream->has_room = true;
    stream->shared = ks_shared_new(stream->page_size);
    if (stream->shared != NULL) {
        stream->page = stream->shared->bytes;
        return true;
    }
    give_room(stream);
    break_off(stream, KS_NO_MEMORY);
    return false;
}

static bool have_page(struct ks_stream *stream)
{
    if (stream->page != NULL)
        return true;
    if (stream->has_room)
        return make_page(stream);
    if (claim(stream) != KS_OK) {
        break_off(stream, KS_NO_MEMORY);
        return false;
    }
    if (ks_holder_take(&stream->holder, PAGE_AND_OUTPUT * stream->page_size))
        return make_page(stream);
    ks_holder_wait(&stream->holder, PAGE_AND_OUTPUT * stream->page_size);
    ks_session_wait_for(stream->exchange->session, &stream->holder);
    return false;
}

static void room_was_granted(struct ks_stream *stream)
{
    if (stream->orphaned) {
        ks_holder_give(&stream->holder, PAGE_AND_OUTPUT * stream->page_size);
        return;
    }
    ks_session_wait_for(stream->exchange->session, NULL);
    if (make_page(stream))
        ks_stream_go_on(stream);
}

static void cut(struct ks_stream *stream)
{
    const struct ks_exchange *exchange = stream->exchange;
    ks_report(exchange, KS_LOG_INFO,
              "closed: others wait for memory, and this peer takes its answer most slowly (buffers)");
    stream->orphaned = true;
    ks_session_abort(exchange->session);
}

static void called_by_budget(struct ks_holder *holder, size_t granted, bool is_cut)
{
    struct ks_stream *stream = KS_CONTAINER_OF(holder, struct ks_stream, holder);
    bool was_over = stream->is_over;
    if (granted > 0)
        room_was_granted(stream);
    else if (is_cut && !stream->orphaned)
        cut(stream);
    if (was_over)
        end_stream(stream);
}

static bool is_held_up(const struct ks_stream *stream)
{
    return stream->filling || stream->holder.is_waiting || stream->pausing || stream->orphaned;
}

static void note_taken(struct ks_stream *stream)
{
    uint64_t before = stream->taken;
    stream->taken = ks_connection_delivered_up_to(ks_session_connection(stream->exchange->session));
    ks_holder_progressed(&stream->holder, stream->taken - before);
}

/* For the event `delivered`. */
static void ask_for_more(struct ks_stream *stream)
{
    ks_connection_watch_delivery(ks_session_connection(stream->exchange->session), stream->taken + 1);
}

/* A page may take a slow peer longer than holders are given, so what it takes of one counts, too. */
void ks_stream_look(struct ks_stream *stream)
{
    if (!stream->holder.is_watched)
        return;
    note_taken(stream);
    ask_for_more(stream);
}

static void watch(struct ks_stream *stream)
{
    bool is_peers_turn = stream->holder.is_claimed && !is_held_up(stream);
    const struct ks_clock *clock = stream->exchange->environment->clock;
    if (is_peers_turn == stream->holder.is_watched)
        return;
    if (is_peers_turn) {
        note_taken(stream);
        ask_for_more(stream);
    }
    ks_holder_watch(&stream->holder, is_peers_turn, ks_clock_monotonic_ms(clock));
}

/* True when the turn for the next page is still to come. */
static bool must_pause(struct ks_stream *stream)
{
    if (stream->has_turn || stream->source->take_turn == NULL)
        return false;
    uint64_t after_ms = stream->source->take_turn(stream);
    stream->has_turn = true;
    if (after_ms == 0)
        return false;
    stream->pausing = true;
    give_room(stream);
    ks_session_wait_for_turn(stream->exchange->session, after_ms);
    return true;
}

void ks_stream_turn_has_come(struct ks_stream *stream)
{
    stream->pausing = false;
    ks_stream_go_on(stream);
}

static void write_page(struct ks_stream *stream)
{
    struct ks_session *session = stream->exchange->session;
    size_t size = stream->filled;
    stream->filled = 0;
    stream->left -= size;
    stream->has_turn = false;
    if (size >= SHARED_SIZE) {
        ks_session_write_shared(session, stream->shared, size);
        forget_page(stream);
    } else {
        ks_session_write(session, stream->page, size);
    }
}

static void fill_page(struct ks_stream *stream)
{
    stream->filling = true;
    stream->source->fill(stream);
}

void ks_stream_go_on(struct ks_stream *stream)
{
    if (stream->pumping)
        return;
    stream->pumping = true;
    while (!is_held_up(stream)) {
        bool is_full = ks_session_output_waiting(stream->exchange->session) > KS_OUTPUT_LOW_WATER;
        bool has_page = stream->filled > 0;
        bool ahead = stream->source->reads_ahead && !has_page && stream->left > 0;
        if (is_full && !ahead)
            break; /* `drained` comes */
        if (has_page) {
            write_page(stream);
            continue;
        }
        if (stream->left == 0) {
            end_stream(stream);
            return;
        }
        if (must_pause(stream) || !have_page(stream))
            break;
        fill_page(stream);
    }
    stream->pumping = false;
    watch(stream);
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
    stream->filled = size;
    ks_stream_go_on(stream);
}

void ks_stream_last_page(struct ks_stream *stream, size_t size)
{
    stream->left = size;
    ks_stream_page(stream, KS_OK, size);
}

/* False when the connection is gone: then it is over already. */
static bool open_stream(struct ks_stream *stream, const struct ks_stream_source *source,
                        struct ks_exchange *exchange, uint64_t size, size_t page_size)
{
    *stream =
        (struct ks_stream){.source = source, .exchange = exchange, .left = size, .page_size = page_size};
    ks_holder_init(&stream->holder, exchange->loop->answers, &exchange->loop->executor, called_by_budget);
    if (exchange->session != NULL)
        return true;
    end_stream(stream);
    return false;
}

void ks_stream_begin_frames(struct ks_stream *stream, const struct ks_stream_source *source,
                            struct ks_exchange *exchange, uint64_t size, size_t page_size)
{
    if (!open_stream(stream, source, exchange, size, page_size))
        return;
    ks_session_set_stream(exchange->session, stream);
    ks_stream_go_on(stream);
}

void ks_stream_begin(struct ks_stream *stream, const struct ks_stream_source *source,
                     struct ks_exchange *exchange, uint16_t code, uint32_t payload_size, size_t page_size)
{
    struct ks_response_header header = {
        .version = exchange->rule->version, .code = code, .payload_size = payload_size};
    uint8_t bytes[KS_RESPONSE_HEADER_SIZE];
    if (!open_stream(stream, source, exchange, payload_size, page_size))
        return;
    ks_exchange_count(exchange, code);
    ks_response_header_encode(&header, bytes);
    ks_session_set_stream(exchange->session, stream);
    ks_session_write(exchange->session, bytes, sizeof bytes);
    ks_stream_go_on(stream);
}

void ks_stream_orphan(struct ks_stream *stream)
{
    stream->orphaned = true;
    ks_holder_stop_waiting(&stream->holder);
    if (!stream->filling)
        end_stream(stream);
}
