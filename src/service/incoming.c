/* incoming.c — see incoming.h.
 *
 * Whatever happens to a content (bytes, an answer of the store, room in the budget, the end of its
 * connection) is noted first; then `go_on` does what follows from it. What happens inside of that is only
 * noted: the loop that already runs sees it. So there is one place where a content moves on, and one where it
 * is freed.
 */
#include "service/incoming.h"

#include "service/dismissal.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what follows ---- */

static bool is_complete(const struct ks_incoming *incoming)
{
    return incoming->in_memory ? incoming->collected == incoming->size
                               : ks_chunks_complete(&incoming->chunks) && incoming->chunks.out == 0;
}

static bool is_over(const struct ks_incoming *incoming)
{
    return incoming->phase == KS_INCOMING_OVER && incoming->chunks.out == 0 &&
           !incoming->waiting_for_budget && !incoming->chunks.waiting;
}

static void free_incoming(struct ks_incoming *incoming)
{
    if (incoming->stage != NULL)
        ks_dismiss_stage(incoming->environment->store, incoming->loop, incoming->stage);
    ks_chunks_clear(&incoming->chunks);
    if (incoming->bytes != NULL) {
        free(incoming->bytes);
        ks_budget_give(incoming->loop->budget, incoming->size);
    }
    incoming->kind->free(incoming);
}

/* One thing that is to be done; false when there is none. */
static bool step(struct ks_incoming *incoming)
{
    if (incoming->phase != KS_INCOMING_COMING)
        return false;
    if (is_complete(incoming)) {
        incoming->phase = KS_INCOMING_HANDED_OVER;
        incoming->kind->complete(incoming);
        return true;
    }
    if (!incoming->wanted)
        return false;
    incoming->wanted = false;
    if (incoming->session != NULL)
        ks_session_unblock(incoming->session);
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
    if (is_over(incoming))
        free_incoming(incoming);
}

/* ---- the ends ---- */

static void stop_waiting(struct ks_incoming *incoming)
{
    ks_chunks_stop_waiting(&incoming->chunks);
    if (incoming->waiting_for_budget && ks_budget_cancel(incoming->loop->budget, &incoming->waiter))
        incoming->waiting_for_budget = false;
}

/* Nothing more comes. While the kind prepares, it is the kind that ends it: a request of its is with the
 * store. */
static void fail(struct ks_incoming *incoming)
{
    incoming->failed = true;
    incoming->session = NULL;
    if (incoming->phase == KS_INCOMING_COMING)
        incoming->phase = KS_INCOMING_OVER;
    stop_waiting(incoming);
}

struct ks_exchange *ks_incoming_take_exchange(struct ks_incoming *incoming)
{
    struct ks_exchange *exchange = incoming->exchange;
    incoming->exchange = NULL;
    return exchange;
}

/* Fails, and says so. Once; later calls do nothing. */
static void refuse(struct ks_incoming *incoming)
{
    if (incoming->failed)
        return;
    if (incoming->session != NULL)
        ks_session_skip_payload(incoming->session);
    fail(incoming);
    struct ks_exchange *exchange = ks_incoming_take_exchange(incoming);
    if (exchange != NULL)
        ks_exchange_refuse(exchange);
}

void ks_incoming_end(struct ks_incoming *incoming)
{
    incoming->phase = KS_INCOMING_OVER;
    go_on(incoming);
}

void ks_incoming_refuse(struct ks_incoming *incoming)
{
    bool was_running = incoming->running; /* the answer may have the session go on */
    incoming->running = true;
    refuse(incoming);
    incoming->running = was_running;
    ks_incoming_end(incoming);
}

/* ---- the stage ---- */

static void cannot_take(struct ks_incoming *incoming, enum ks_result result, enum ks_store_limit limit)
{
    if (incoming->failed)
        return;
    incoming->kind->cannot_take(incoming, result, limit);
    refuse(incoming);
}

static void chunk_written(struct ks_chunks *chunks, enum ks_result result)
{
    struct ks_incoming *incoming = KS_CONTAINER_OF(chunks, struct ks_incoming, chunks);
    bool was_running = incoming->running;
    incoming->running = true;
    if (result != KS_OK)
        cannot_take(incoming, result, KS_STORE_LIMIT_NONE);
    incoming->wanted = true;
    incoming->running = was_running;
    go_on(incoming);
}

static void chunks_have_room(struct ks_chunks *chunks)
{
    struct ks_incoming *incoming = KS_CONTAINER_OF(chunks, struct ks_incoming, chunks);
    incoming->wanted = true;
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
    incoming->phase = incoming->failed ? KS_INCOMING_OVER : KS_INCOMING_COMING;
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

static void budget_has_room(struct ks_task *task)
{
    struct ks_incoming *incoming = KS_CONTAINER_OF(task, struct ks_incoming, waiter.task);
    incoming->waiting_for_budget = false;
    incoming->wanted = true;
    go_on(incoming);
}

/* Makes sure that there is memory for the content. KS_OK; KS_MORE when it has to wait; KS_NO_MEMORY. */
static enum ks_result have_bytes(struct ks_incoming *incoming)
{
    struct ks_budget *budget = incoming->loop->budget;
    if (incoming->bytes != NULL)
        return KS_OK;
    if (incoming->waiting_for_budget)
        return KS_MORE;
    if (!ks_budget_take(budget, incoming->size)) {
        incoming->waiting_for_budget = true;
        incoming->waiter.task.run = budget_has_room;
        incoming->waiter.executor = &incoming->loop->executor;
        ks_budget_wait(budget, &incoming->waiter);
        return KS_MORE;
    }
    incoming->bytes = malloc(incoming->size);
    if (incoming->bytes != NULL)
        return KS_OK;
    ks_budget_give(budget, incoming->size);
    return KS_NO_MEMORY;
}

/* Takes bytes, which may stand where they belong already. As ks_chunks_take. */
static enum ks_result collect(struct ks_incoming *incoming, const uint8_t *bytes, size_t size, size_t *taken)
{
    enum ks_result result = have_bytes(incoming);
    if (result != KS_OK)
        return result == KS_MORE ? KS_OK : result;
    if (bytes != incoming->bytes + incoming->collected)
        memcpy(incoming->bytes + incoming->collected, bytes, size);
    incoming->collected += (uint32_t)size;
    *taken = size;
    return KS_OK;
}

/* ---- what the session feeds ---- */

static size_t sink_buffer(void *context, size_t limit, uint8_t **buffer)
{
    struct ks_incoming *incoming = context;
    if (incoming->phase != KS_INCOMING_COMING)
        return 0;
    if (!incoming->in_memory)
        return ks_chunks_buffer(&incoming->chunks, limit, buffer);
    if (incoming->bytes == NULL)
        return 0;
    size_t room = incoming->size - incoming->collected;
    *buffer = incoming->bytes + incoming->collected;
    return room < limit ? room : limit;
}

static bool all_has_come(const struct ks_incoming *incoming)
{
    return incoming->in_memory ? incoming->collected == incoming->size : incoming->chunks.left == 0;
}

static size_t sink_received(void *context, const uint8_t *bytes, size_t size)
{
    struct ks_incoming *incoming = context;
    bool was_running = incoming->running;
    size_t taken = 0;
    enum ks_result result = KS_OK;
    if (incoming->phase != KS_INCOMING_COMING)
        return 0;
    incoming->running = true;
    if (incoming->in_memory)
        result = collect(incoming, bytes, size, &taken);
    else
        result = ks_chunks_take(&incoming->chunks, bytes, size, &taken);
    if (result != KS_OK)
        refuse(incoming);
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
    go_on(incoming);
}

static const struct ks_sink incoming_sink = {
    .buffer = sink_buffer, .received = sink_received, .broken = sink_broken};

/* ---- the beginning ---- */

void ks_incoming_begin(struct ks_incoming *incoming, const struct ks_incoming_kind *kind,
                       struct ks_exchange *exchange, uint32_t size, bool in_memory)
{
    memset(incoming, 0, offsetof(struct ks_incoming, open)); /* which is large, and seldom needed */
    incoming->kind = kind;
    incoming->exchange = exchange;
    incoming->loop = exchange->loop;
    incoming->environment = exchange->environment;
    incoming->size = size;
    incoming->in_memory = in_memory;
    ks_chunks_init(&incoming->chunks, exchange->loop, exchange->environment->store, size);
    incoming->chunks.written = chunk_written;
    incoming->chunks.has_room = chunks_have_room;
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
        incoming->phase = KS_INCOMING_COMING;
        incoming->wanted = true;
        go_on(incoming);
    }
}

struct ks_session *ks_incoming_session(const struct ks_incoming *incoming)
{
    return incoming->exchange != NULL ? incoming->exchange->session : NULL;
}

const char *ks_incoming_peer(const struct ks_incoming *incoming, char text[static KS_PEER_TEXT_SIZE])
{
    if (incoming->exchange != NULL)
        return ks_exchange_peer(incoming->exchange, text);
    snprintf(text, KS_PEER_TEXT_SIZE, "gone");
    return text;
}
