/* chunks.c — see chunks.h. */
#include "service/chunks.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHUNKS_LIMIT = 3,
    CHUNK_SMALLEST = 16 * 1024, /* a declared size buys no more memory than this before bytes come */
    CHUNK_GROWTH = 4,
    CHUNK_LARGEST = 256 * 1024,
    BLOCK_AFTER =
        1024 * 1024, /* bytes of a payload; then its chunks are blocks, while the budget has plenty */
};

struct ks_chunk {
    struct ks_store_stage_write write;
    struct ks_chunks *chunks;
    size_t capacity;
    size_t size;
    uint8_t *bytes; /* behind the structure, or a block of the budget's */
};

static void chunk_free(struct ks_chunk *chunk)
{
    struct ks_budget *budget = chunk->chunks->loop->budget;
    size_t capacity = chunk->capacity;
    if (capacity == KS_BUDGET_BLOCK_SIZE)
        ks_budget_block_free(budget, chunk->bytes);
    free(chunk);
    ks_budget_give(budget, capacity);
}

static void chunk_written(struct ks_store_request *request)
{
    struct ks_chunk *chunk = KS_CONTAINER_OF(request, struct ks_chunk, write.request);
    struct ks_chunks *chunks = chunk->chunks;
    enum ks_result result = request->result;
    chunks->out--;
    chunk_free(chunk);
    chunks->written(chunks, result);
}

static void submit_chunk(struct ks_chunks *chunks)
{
    struct ks_chunk *chunk = chunks->filling;
    chunks->filling = NULL;
    chunks->out++;
    chunk->write.request.reply_to = &chunks->loop->executor;
    chunk->write.request.done = chunk_written;
    chunk->write.stage = chunks->stage;
    chunk->write.bytes = chunk->bytes;
    chunk->write.size = chunk->size;
    chunk->write.last = chunks->left == 0;
    ks_store_stage_write(chunks->store, &chunk->write);
}

static void budget_has_room(struct ks_task *task)
{
    struct ks_chunks *chunks = KS_CONTAINER_OF(task, struct ks_chunks, waiter.task);
    chunks->waiting = false;
    chunks->has_room(chunks);
}

static void wait_for_budget(struct ks_chunks *chunks)
{
    chunks->waiting = true;
    chunks->waiter.task.run = budget_has_room;
    chunks->waiter.executor = &chunks->loop->executor;
    ks_budget_wait(chunks->loop->budget, &chunks->waiter);
}

/* A chunk whose bytes were taken from the budget; NULL without memory. */
static struct ks_chunk *new_chunk(struct ks_chunks *chunks, size_t capacity)
{
    bool is_block = capacity == KS_BUDGET_BLOCK_SIZE;
    struct ks_chunk *chunk = malloc(sizeof *chunk + (is_block ? 0 : capacity));
    if (chunk == NULL)
        return NULL;
    memset(chunk, 0, sizeof *chunk);
    chunk->chunks = chunks;
    chunk->capacity = capacity;
    chunk->bytes = is_block ? ks_budget_block_new(chunks->loop->budget) : (uint8_t *)(chunk + 1);
    if (chunk->bytes == NULL) {
        free(chunk);
        return NULL;
    }
    return chunk;
}

/* Takes a chunk's capacity from the budget; 0 when there is no room. Large payloads get blocks, which the
 * disk takes without a copy, while that leaves half of the budget to others. */
static size_t take_capacity(struct ks_chunks *chunks)
{
    struct ks_budget *budget = chunks->loop->budget;
    size_t capacity = chunks->next_capacity;
    if (chunks->given >= BLOCK_AFTER && chunks->left >= KS_BUDGET_BLOCK_SIZE &&
        ks_budget_take_of_half(budget, KS_BUDGET_BLOCK_SIZE))
        return KS_BUDGET_BLOCK_SIZE;
    if (capacity > chunks->left)
        capacity = (size_t)chunks->left;
    return ks_budget_take(budget, capacity) ? capacity : 0;
}

/* Makes sure that there is a chunk with room. KS_OK; KS_MORE when the payload has to wait; KS_NO_MEMORY. */
static enum ks_result have_chunk(struct ks_chunks *chunks)
{
    if (chunks->filling != NULL)
        return KS_OK;
    if (chunks->stage == NULL || chunks->out == CHUNKS_LIMIT || chunks->waiting)
        return KS_MORE;
    size_t capacity = take_capacity(chunks);
    if (capacity == 0) {
        wait_for_budget(chunks);
        return KS_MORE;
    }
    chunks->filling = new_chunk(chunks, capacity);
    if (chunks->filling == NULL) {
        ks_budget_give(chunks->loop->budget, capacity);
        return KS_NO_MEMORY;
    }
    chunks->given += capacity;
    if (chunks->next_capacity < CHUNK_LARGEST)
        chunks->next_capacity *= CHUNK_GROWTH;
    return KS_OK;
}

void ks_chunks_init(struct ks_chunks *chunks, struct ks_loop *loop, struct ks_store *store, uint64_t size)
{
    memset(chunks, 0, sizeof *chunks);
    chunks->loop = loop;
    chunks->store = store;
    chunks->left = size;
    chunks->next_capacity = CHUNK_SMALLEST;
}

bool ks_chunks_pending(const struct ks_chunks *chunks)
{
    return chunks->out > 0 || chunks->waiting;
}

bool ks_chunks_complete(const struct ks_chunks *chunks)
{
    return chunks->left == 0 && chunks->filling == NULL;
}

size_t ks_chunks_buffer(struct ks_chunks *chunks, size_t limit, uint8_t **buffer)
{
    if (have_chunk(chunks) != KS_OK)
        return 0;
    size_t room = chunks->filling->capacity - chunks->filling->size;
    *buffer = chunks->filling->bytes + chunks->filling->size;
    return room < limit ? room : limit;
}

enum ks_result ks_chunks_take(struct ks_chunks *chunks, const uint8_t *bytes, size_t size, size_t *taken)
{
    enum ks_result result = KS_OK;
    *taken = 0;
    while (*taken < size && chunks->left > 0 && (result = have_chunk(chunks)) == KS_OK) {
        struct ks_chunk *chunk = chunks->filling;
        size_t room = chunk->capacity - chunk->size;
        size_t part = size - *taken < room ? size - *taken : room;
        if (bytes + *taken != chunk->bytes + chunk->size) /* else it was received in place */
            memcpy(chunk->bytes + chunk->size, bytes + *taken, part);
        *taken += part;
        chunk->size += part;
        chunks->left -= part;
        if (chunks->left == 0 || chunk->size == chunk->capacity)
            submit_chunk(chunks);
    }
    return result == KS_NO_MEMORY ? KS_NO_MEMORY : KS_OK;
}

void ks_chunks_stop_waiting(struct ks_chunks *chunks)
{
    if (chunks->waiting && ks_budget_cancel(chunks->loop->budget, &chunks->waiter))
        chunks->waiting = false;
}

void ks_chunks_clear(struct ks_chunks *chunks)
{
    if (chunks->filling != NULL)
        chunk_free(chunks->filling);
    chunks->filling = NULL;
}
