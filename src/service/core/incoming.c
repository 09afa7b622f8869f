/* incoming.c — see incoming.h.
 *
 * Whatever happens to a content (bytes, an answer of the store, room in the budget, the end of its
 * connection) is noted first; then `go_on` does what follows from it. What happens inside of that is only
 * noted: the loop that already runs sees it. So there is one place where a content moves on, and one where it
 * is freed.
 */
#include "service/core/incoming.h"

#include "service/core/store_door.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    AHEAD = 4, /* times as much memory as has come */
    AHEAD_SMALLEST = 1024,
};

/* ---- phases ---- */

static const char *const phase_names[KS_INCOMING_PHASES] = {"preparing", "coming", "handed over", "over"};

/* One that goes to a stage when some of it is in memory is prepared anew. */
static const uint16_t phase_ways[KS_INCOMING_PHASES] = {
    [KS_INCOMING_PREPARING] = KS_WAY_TO(KS_INCOMING_COMING) | KS_WAY_TO(KS_INCOMING_OVER),
    [KS_INCOMING_COMING] =
        KS_WAY_TO(KS_INCOMING_PREPARING) | KS_WAY_TO(KS_INCOMING_HANDED_OVER) | KS_WAY_TO(KS_INCOMING_OVER),
    [KS_INCOMING_HANDED_OVER] = KS_WAY_TO(KS_INCOMING_OVER),
};

/* Where it comes from, for the log. */
static void describe_origin(struct ks_incoming *incoming, char text[static KS_PEER_TEXT_SIZE])
{
    const struct ks_exchange *exchange = incoming->exchange;
    if (exchange == NULL)
        snprintf(text, KS_PEER_TEXT_SIZE, "answered");
    else if (exchange->session == NULL)
        snprintf(text, KS_PEER_TEXT_SIZE, "%s", exchange->gone.peer);
    else
        ks_connection_describe_peer(ks_session_connection(exchange->session), text, KS_PEER_TEXT_SIZE);
}

/* The only way to another phase. */
static void become(struct ks_incoming *incoming, enum ks_incoming_phase phase)
{
    const struct ks_machine machine = {
        .name = incoming->kind->name, .states = phase_names, .ways = phase_ways};
    const struct ks_log *log = incoming->environment->log;
    unsigned from = incoming->phase;
    if (!ks_machine_step(&machine, log, &incoming->phase, phase) || !ks_log_shows(log, KS_LOG_DEBUG))
        return;
    char peer[KS_PEER_TEXT_SIZE];
    describe_origin(incoming, peer);
    ks_machine_tell(&machine, log, peer, from, phase);
}

/* ---- what follows ---- */

static bool is_complete(const struct ks_incoming *incoming)
{
    return incoming->in_memory ? incoming->collected == incoming->size
                               : ks_chunks_complete(&incoming->chunks) && incoming->chunks.out == 0;
}

static bool is_in_pieces(const struct ks_incoming *incoming)
{
    return incoming->kind->piece_taken != NULL;
}

/* Behind the chunks that the store has. */
static void give_stage_back(struct ks_incoming *incoming)
{
    struct ks_store *store = incoming->environment->store;
    if (is_in_pieces(incoming)) {
        ks_chunks_flush(&incoming->chunks);
        ks_store_put_park(store, incoming->stage);
    } else {
        ks_store_discard(store, incoming->stage, NULL);
    }
}

/* Gives back what no thread of the store has. */
static void give_back(struct ks_incoming *incoming)
{
    struct ks_store_door *door = incoming->environment->store_door;
    if (incoming->stage != NULL && ks_store_door_enter(door)) {
        give_stage_back(incoming);
        ks_store_door_leave(door);
    }
    incoming->stage = NULL;
    ks_chunks_clear(&incoming->chunks);
    if (incoming->bytes == NULL)
        return;
    free(incoming->bytes);
    incoming->bytes = NULL;
    ks_holder_give(&incoming->holder, incoming->capacity);
}

/* Over; frees it as soon as the store and the budget are done with it, too. By then the store may be closed:
 * nothing more is asked of it. */
static void end_life(struct ks_incoming *incoming)
{
    incoming->running = true; /* what is flushed may be written at once */
    give_back(incoming);
    incoming->running = false;
    if (incoming->chunks.out == 0 && ks_holder_end(&incoming->holder))
        incoming->kind->free(incoming);
}

/* Whether it depends on its peer how long its memory is held. */
static bool is_peers_turn(const struct ks_incoming *incoming)
{
    if (incoming->phase != KS_INCOMING_COMING || incoming->holder.held == 0)
        return false;
    if (incoming->session == NULL) /* between two pieces */
        return is_in_pieces(incoming) && incoming->chunks.left > 0;
    return !incoming->is_held_up;
}

/* One thing that is to be done; false when there is none. */
static bool step(struct ks_incoming *incoming)
{
    if (incoming->phase != KS_INCOMING_COMING)
        return false;
    if (is_in_pieces(incoming) && incoming->exchange != NULL && incoming->piece_left == 0) {
        incoming->kind->piece_taken(incoming);
        return true;
    }
    if (!is_in_pieces(incoming) && is_complete(incoming)) {
        become(incoming, KS_INCOMING_HANDED_OVER);
        incoming->kind->complete(incoming);
        return true;
    }
    if (!incoming->wanted)
        return false;
    incoming->wanted = false;
    if (incoming->is_held_up && incoming->session != NULL && !incoming->holder.is_waiting) {
        incoming->is_held_up = false;
        ks_exchange_unblock(incoming->session);
    }
    return true;
}

static void go_on(struct ks_incoming *incoming)
{
    if (incoming->running)
        return;
    incoming->running = true;
    while (step(incoming))
        ;
    incoming->running = false;
    if (incoming->phase == KS_INCOMING_OVER)
        end_life(incoming);
    else if (is_peers_turn(incoming) != incoming->holder.is_watched)
        ks_holder_watch(&incoming->holder, is_peers_turn(incoming),
                        ks_clock_monotonic_ms(incoming->environment->clock));
}

/* ---- the ends ---- */

static void stop_waiting(struct ks_incoming *incoming)
{
    if (!incoming->holder.is_waiting)
        return;
    ks_holder_stop_waiting(&incoming->holder);
    if (incoming->session != NULL)
        ks_session_wait_for(incoming->session, NULL);
}

/* Nothing more comes. While the kind prepares, it is the kind that ends it: a request of its is with the
 * store. */
static void fail(struct ks_incoming *incoming)
{
    incoming->failed = true;
    stop_waiting(incoming);
    incoming->session = NULL;
    if (incoming->phase == KS_INCOMING_COMING)
        become(incoming, KS_INCOMING_OVER);
}

struct ks_exchange *ks_incoming_take_exchange(struct ks_incoming *incoming)
{
    struct ks_exchange *exchange = incoming->exchange;
    incoming->exchange = NULL;
    return exchange;
}

static void refuse_exchange(struct ks_incoming *incoming, enum ks_result why)
{
    struct ks_exchange *exchange = ks_incoming_take_exchange(incoming);
    if (is_in_pieces(incoming))
        incoming->kind->broke_off(incoming, exchange, why);
    else if (exchange != NULL)
        ks_exchange_refuse(exchange);
}

/* Fails, and says so. Once; later calls do nothing. */
static void refuse(struct ks_incoming *incoming, enum ks_result why)
{
    if (incoming->failed)
        return;
    if (incoming->session != NULL)
        ks_session_skip_payload(incoming->session);
    fail(incoming);
    refuse_exchange(incoming, why);
}

void ks_incoming_end(struct ks_incoming *incoming)
{
    become(incoming, KS_INCOMING_OVER);
    go_on(incoming);
}

void ks_incoming_refuse(struct ks_incoming *incoming)
{
    bool was_running = incoming->running; /* the answer may have the session go on */
    incoming->running = true;
    refuse(incoming, KS_REFUSED);
    incoming->running = was_running;
    ks_incoming_end(incoming);
}

/* ---- the stage ---- */

static void store_cannot_take(struct ks_incoming *incoming, enum ks_result result, enum ks_store_limit limit)
{
    if (incoming->failed)
        return;
    incoming->kind->cannot_take(incoming, result, limit);
    refuse(incoming, result);
}

static void stage_took_chunk(struct ks_chunks *chunks, enum ks_result result)
{
    struct ks_incoming *incoming = KS_CONTAINER_OF(chunks, struct ks_incoming, chunks);
    bool was_running = incoming->running;
    incoming->running = true;
    if (result != KS_OK)
        store_cannot_take(incoming, result, KS_STORE_LIMIT_NONE);
    incoming->wanted = true;
    incoming->running = was_running;
    go_on(incoming);
}

static void stage_opened(struct ks_store_request *request)
{
    struct ks_incoming *incoming = KS_CONTAINER_OF(request, struct ks_incoming, open.request);
    if (request->result != KS_OK) {
        if (!incoming->failed)
            incoming->kind->cannot_take(incoming, request->result, incoming->open.limit);
        ks_incoming_refuse(incoming);
        return;
    }
    incoming->stage = incoming->open.stage;
    incoming->chunks.stage = incoming->stage;
    become(incoming, incoming->failed ? KS_INCOMING_OVER : KS_INCOMING_COMING);
    incoming->wanted = true;
    go_on(incoming);
}

static void open_stage(struct ks_incoming *incoming)
{
    memset(&incoming->open, 0, sizeof incoming->open);
    incoming->open.request.reply_to = &incoming->loop->executor;
    incoming->open.request.done = stage_opened;
    incoming->kind->describe_stage(incoming, &incoming->open);
    ks_store_stage_open(incoming->environment->store, &incoming->open);
}

/* ---- memory ---- */

/* What comes as a whole is gone with the next commit; everything else depends on its peer, and counts for its
 * user and its network. */
static enum ks_result claim(struct ks_incoming *incoming, size_t at_hand)
{
    if (incoming->is_fed)
        return KS_OK;
    incoming->is_fed = true;
    if (at_hand >= incoming->chunks.left)
        return KS_OK;
    return ks_session_claim(incoming->session, &incoming->holder, &incoming->exchange->header.client_id);
}

/* Waits for `size` bytes; the session presses meanwhile. */
static void wait_for(struct ks_incoming *incoming, size_t size)
{
    ks_holder_wait(&incoming->holder, size);
    ks_session_wait_for(incoming->session, &incoming->holder);
}

/* Memory for a content that has none, or the same enlarged; `capacity` is the holder's already. */
static enum ks_result enlarge(struct ks_incoming *incoming, uint32_t capacity)
{
    uint8_t *bytes = realloc(incoming->bytes, capacity);
    if (bytes == NULL) {
        ks_holder_give(&incoming->holder, capacity - incoming->capacity);
        return KS_NO_MEMORY;
    }
    incoming->bytes = bytes;
    incoming->capacity = capacity;
    return KS_OK;
}

/* The rest goes to a stage, and what is in memory before it. */
static enum ks_result send_to_stage(struct ks_incoming *incoming)
{
    enum ks_result result =
        ks_chunks_adopt(&incoming->chunks, incoming->bytes, incoming->collected, incoming->capacity);
    if (result != KS_OK)
        return result;
    incoming->bytes = NULL;
    incoming->capacity = 0;
    incoming->in_memory = false;
    become(incoming, KS_INCOMING_PREPARING);
    open_stage(incoming);
    return KS_OK;
}

/* Makes room for `needed` bytes in memory, and for some that will follow. KS_OK; KS_MORE when it has to wait,
 * or goes to a stage instead; KS_NO_MEMORY. */
static enum ks_result have_bytes(struct ks_incoming *incoming, uint32_t needed)
{
    if (needed <= incoming->capacity)
        return KS_OK;
    uint64_t ahead = (uint64_t)needed * AHEAD > AHEAD_SMALLEST ? (uint64_t)needed * AHEAD : AHEAD_SMALLEST;
    uint32_t capacity = ahead < incoming->size ? (uint32_t)ahead : incoming->size;
    if (ks_holder_take(&incoming->holder, capacity - incoming->capacity))
        return enlarge(incoming, capacity);
    if (ks_holder_take(&incoming->holder, needed - incoming->capacity))
        return enlarge(incoming, needed);
    if (incoming->collected > 0) {
        enum ks_result result = send_to_stage(incoming);
        return result == KS_OK ? KS_MORE : result;
    }
    wait_for(incoming, needed);
    return KS_MORE;
}

/* Takes bytes, which may stand where they belong already. As `take`. */
static enum ks_result collect_in_memory(struct ks_incoming *incoming, const uint8_t *bytes, size_t size,
                                        size_t *taken)
{
    enum ks_result result = have_bytes(incoming, incoming->collected + (uint32_t)size);
    if (result != KS_OK)
        return result == KS_MORE ? KS_OK : result;
    if (bytes != incoming->bytes + incoming->collected)
        memcpy(incoming->bytes + incoming->collected, bytes, size);
    incoming->collected += (uint32_t)size;
    *taken = size;
    return KS_OK;
}

static enum ks_result give_to_chunks(struct ks_incoming *incoming, const uint8_t *bytes, size_t size,
                                     size_t *taken)
{
    size_t wanted = 0;
    enum ks_result result = ks_chunks_take(&incoming->chunks, bytes, size, taken, &wanted);
    if (result == KS_OK && wanted > 0 && !incoming->failed)
        wait_for(incoming, wanted);
    return result;
}

/* KS_OK with *taken: with fewer than `size` it waits, for the store or for memory. KS_NO_MEMORY. */
static enum ks_result take(struct ks_incoming *incoming, const uint8_t *bytes, size_t size, size_t *taken)
{
    enum ks_result result = claim(incoming, size);
    if (result == KS_OK && incoming->in_memory)
        result = collect_in_memory(incoming, bytes, size, taken);
    if (result == KS_OK && !incoming->in_memory && incoming->phase == KS_INCOMING_COMING)
        result = give_to_chunks(incoming, bytes, size, taken);
    return result;
}

/* What was waited for is there. */
static void room_was_granted(struct ks_incoming *incoming, size_t size)
{
    enum ks_result result = KS_OK;
    if (incoming->phase != KS_INCOMING_COMING) {
        ks_holder_give(&incoming->holder, size);
        return;
    }
    ks_session_wait_for(incoming->session, NULL);
    if (incoming->in_memory)
        result = enlarge(incoming, incoming->capacity + (uint32_t)size);
    else
        result = ks_chunks_granted(&incoming->chunks, size);
    if (result != KS_OK)
        refuse(incoming, result);
    incoming->wanted = true;
}

static void cut(struct ks_incoming *incoming)
{
    if (incoming->phase != KS_INCOMING_COMING)
        return;
    incoming->kind->was_cut(incoming);
    refuse(incoming, KS_CLOSED);
}

static void called_by_budget(struct ks_holder *holder, size_t granted, bool is_cut)
{
    struct ks_incoming *incoming = KS_CONTAINER_OF(holder, struct ks_incoming, holder);
    incoming->running = true;
    if (granted > 0)
        room_was_granted(incoming, granted);
    else if (is_cut)
        cut(incoming);
    incoming->running = false;
    go_on(incoming);
}

/* ---- what the session feeds ---- */

static size_t sink_buffer(void *context, size_t limit, uint8_t **buffer)
{
    struct ks_incoming *incoming = context;
    if (incoming->phase != KS_INCOMING_COMING || incoming->is_held_up)
        return 0;
    if (!incoming->in_memory)
        return ks_chunks_buffer(&incoming->chunks, limit, buffer);
    size_t room = incoming->capacity - incoming->collected;
    if (room > 0)
        *buffer = incoming->bytes + incoming->collected;
    return room < limit ? room : limit;
}

static bool all_has_come(const struct ks_incoming *incoming)
{
    if (is_in_pieces(incoming))
        return incoming->piece_left == 0;
    return incoming->in_memory ? incoming->collected == incoming->size : incoming->chunks.left == 0;
}

static size_t sink_received(void *context, const uint8_t *bytes, size_t size)
{
    struct ks_incoming *incoming = context;
    bool was_running = incoming->running;
    size_t taken = 0;
    incoming->is_held_up = true;
    if (incoming->phase != KS_INCOMING_COMING || incoming->holder.is_waiting)
        return 0;
    incoming->running = true;
    enum ks_result result = take(incoming, bytes, size, &taken);
    if (result != KS_OK)
        refuse(incoming, result);
    if (is_in_pieces(incoming))
        incoming->piece_left -= (uint32_t)taken;
    ks_holder_progressed(&incoming->holder, taken);
    incoming->is_held_up = taken < size;
    incoming->wanted = false; /* what it was to be told of has been tried just now */
    if (incoming->failed)
        taken = size;
    else if (all_has_come(incoming))
        incoming->session = NULL;
    incoming->running = was_running;
    go_on(incoming);
    return taken;
}

static void sink_broken(void *context)
{
    struct ks_incoming *incoming = context;
    fail(incoming);
    struct ks_exchange *exchange = ks_incoming_take_exchange(incoming);
    if (exchange != NULL)
        ks_exchange_cancel(exchange);
    if (is_in_pieces(incoming))
        incoming->kind->broke_off(incoming, NULL, KS_CLOSED);
    go_on(incoming);
}

static const struct ks_sink incoming_sink = {
    .buffer = sink_buffer, .received = sink_received, .broken = sink_broken};

/* ---- the beginning ---- */

static void init(struct ks_incoming *incoming, const struct ks_incoming_kind *kind,
                 const struct ks_exchange *exchange, uint64_t size)
{
    memset(incoming, 0, offsetof(struct ks_incoming, open)); /* which is large, and seldom needed */
    incoming->kind = kind;
    incoming->loop = exchange->loop;
    incoming->environment = exchange->environment;
    ks_holder_init(&incoming->holder, exchange->loop->contents, &exchange->loop->executor, called_by_budget);
    ks_chunks_init(&incoming->chunks, exchange->loop, exchange->environment->store, size, &incoming->holder);
    incoming->chunks.written = stage_took_chunk;
}

void ks_incoming_begin(struct ks_incoming *incoming, const struct ks_incoming_kind *kind,
                       struct ks_exchange *exchange, uint32_t size, bool in_memory)
{
    init(incoming, kind, exchange, size);
    incoming->exchange = exchange;
    incoming->size = size;
    incoming->in_memory = in_memory;
    if (size == 0)
        return;
    incoming->session = exchange->session;
    ks_session_set_payload(exchange->session, size, &incoming_sink, incoming);
}

void ks_incoming_prepared(struct ks_incoming *incoming)
{
    if (incoming->failed) { /* the connection went meanwhile */
        ks_incoming_end(incoming);
    } else if (!incoming->in_memory) {
        open_stage(incoming);
    } else {
        become(incoming, KS_INCOMING_COMING);
        incoming->wanted = true;
        go_on(incoming);
    }
}

/* ---- pieces ---- */

void ks_incoming_begin_in_pieces(struct ks_incoming *incoming, const struct ks_incoming_kind *kind,
                                 const struct ks_exchange *exchange, struct ks_stage *stage, uint64_t offset,
                                 uint64_t left)
{
    init(incoming, kind, exchange, left);
    ks_chunks_start_at(&incoming->chunks, offset);
    incoming->stage = stage;
    incoming->chunks.stage = stage;
    become(incoming, KS_INCOMING_COMING);
}

void ks_incoming_feed(struct ks_incoming *incoming, struct ks_exchange *exchange)
{
    incoming->exchange = exchange;
    incoming->session = exchange->session;
    incoming->piece_left = exchange->header.payload_size;
    incoming->is_held_up = false;
    ks_session_set_payload(exchange->session, incoming->piece_left, &incoming_sink, incoming);
}

uint64_t ks_incoming_left(const struct ks_incoming *incoming)
{
    return incoming->chunks.left;
}

void ks_incoming_stop(struct ks_incoming *incoming)
{
    fail(incoming);
    go_on(incoming);
}

struct ks_session *ks_incoming_session(const struct ks_incoming *incoming)
{
    return incoming->exchange != NULL ? incoming->exchange->session : NULL;
}
