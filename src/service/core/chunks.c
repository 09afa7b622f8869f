/* chunks.c — see chunks.h. */
#include "service/core/chunks.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHUNKS_LIMIT = 3,
    CHUNK_SMALLEST = 4 * 1024,  /* of the first one, when little has come */
    CHUNK_SMALL = 16 * 1024,    /* of the first one, and of every one for which there must be memory */
    CHUNK_GROWTH = 4,           /* of what came before */
    CHUNK_ALIGNMENT = 4 * 1024, /* of where a chunk of a stage ends */
    CHUNK_LARGEST = 256 * 1024,
    BLOCK_AFTER =
        1024 * 1024, /* bytes of a content; then its chunks are blocks, while the budget has plenty */
};

struct ks_chunk {
    struct ks_store_stage_write write;
    struct ks_chunks *chunks;
    size_t capacity;
    size_t size;
    bool is_block;
    uint8_t *bytes; /* behind the structure, or adopted, or a block of the budget's */
};

static void chunk_free(struct ks_chunk *chunk)
{
    struct ks_holder *holder = chunk->chunks->holder;
    size_t capacity = chunk->capacity;
    if (chunk->is_block)
        ks_budget_block_free(holder->budget, chunk->bytes);
    else if (chunk->bytes != (uint8_t *)(chunk + 1))
        free(chunk->bytes);
    free(chunk);
    ks_holder_give(holder, capacity);
}

static void chunk_is_stored(struct ks_store_request *request)
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
    chunk->write.request.done = chunk_is_stored;
    chunk->write.stage = chunks->stage;
    chunk->write.bytes = chunk->bytes;
    chunk->write.size = chunk->size;
    chunk->write.last = chunks->left == 0;
    ks_store_stage_write(chunks->store, &chunk->write);
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
    chunk->is_block = is_block;
    chunk->bytes = is_block ? ks_budget_block_new(chunks->holder->budget) : (uint8_t *)(chunk + 1);
    if (chunk->bytes == NULL) {
        free(chunk);
        return NULL;
    }
    return chunk;
}

/* Of the next chunk, when `at_hand` bytes for it are there. */
static size_t wanted_capacity(const struct ks_chunks *chunks, size_t at_hand)
{
    size_t capacity = chunks->next_capacity;
    if (capacity == 0) {
        capacity = CHUNK_SMALLEST;
        while (capacity < CHUNK_SMALL && capacity < at_hand)
            capacity *= 2;
        capacity -= chunks->skew;
    }
    return capacity < chunks->left ? capacity : (size_t)chunks->left;
}

/* Takes a chunk's capacity from the holder; 0 when there is no room, and then *wanted is what to wait for.
 * Large contents get blocks, which the disk takes without a copy, while that leaves half of the budget to
 * others. */
static size_t take_capacity(struct ks_chunks *chunks, size_t at_hand, size_t *wanted)
{
    if (chunks->given >= BLOCK_AFTER && chunks->left >= KS_BUDGET_BLOCK_SIZE &&
        ks_holder_take_of_half(chunks->holder, KS_BUDGET_BLOCK_SIZE))
        return KS_BUDGET_BLOCK_SIZE;
    size_t capacity = wanted_capacity(chunks, at_hand);
    if (ks_holder_take(chunks->holder, capacity))
        return capacity;
    if (capacity > CHUNK_SMALL) {
        capacity = CHUNK_SMALL;
        if (ks_holder_take(chunks->holder, capacity))
            return capacity;
    }
    *wanted = capacity;
    return 0;
}

enum ks_result ks_chunks_granted(struct ks_chunks *chunks, size_t size)
{
    chunks->filling = new_chunk(chunks, size);
    if (chunks->filling == NULL) {
        ks_holder_give(chunks->holder, size);
        return KS_NO_MEMORY;
    }
    chunks->given += size;
    size_t next = (size + chunks->skew) * CHUNK_GROWTH;
    chunks->skew = 0;
    if (chunks->next_capacity < next)
        chunks->next_capacity = next;
    if (chunks->next_capacity > CHUNK_LARGEST)
        chunks->next_capacity = CHUNK_LARGEST;
    return KS_OK;
}

/* Makes sure that there is a chunk with room. KS_OK; KS_MORE when the content has to wait, for the holder to
 * have *wanted if that is not 0; KS_NO_MEMORY. */
static enum ks_result have_chunk(struct ks_chunks *chunks, size_t at_hand, size_t *wanted)
{
    if (chunks->filling != NULL)
        return KS_OK;
    if (chunks->out == CHUNKS_LIMIT)
        return KS_MORE;
    size_t capacity = take_capacity(chunks, at_hand, wanted);
    return capacity == 0 ? KS_MORE : ks_chunks_granted(chunks, capacity);
}

void ks_chunks_init(struct ks_chunks *chunks, struct ks_loop *loop, struct ks_store *store, uint64_t size,
                    struct ks_holder *holder)
{
    memset(chunks, 0, sizeof *chunks);
    chunks->loop = loop;
    chunks->store = store;
    chunks->left = size;
    chunks->holder = holder;
}

void ks_chunks_start_at(struct ks_chunks *chunks, uint64_t offset)
{
    chunks->skew = (size_t)(offset % CHUNK_ALIGNMENT);
}

bool ks_chunks_complete(const struct ks_chunks *chunks)
{
    return chunks->left == 0 && chunks->filling == NULL;
}

size_t ks_chunks_buffer(struct ks_chunks *chunks, size_t limit, uint8_t **buffer)
{
    size_t wanted = 0;
    if (chunks->given == 0 || have_chunk(chunks, 0, &wanted) != KS_OK)
        return 0;
    size_t room = chunks->filling->capacity - chunks->filling->size;
    *buffer = chunks->filling->bytes + chunks->filling->size;
    return room < limit ? room : limit;
}

enum ks_result ks_chunks_take(struct ks_chunks *chunks, const uint8_t *bytes, size_t size, size_t *taken,
                              size_t *wanted)
{
    enum ks_result result = KS_OK;
    *taken = 0;
    *wanted = 0;
    while (*taken < size && chunks->left > 0 &&
           (result = have_chunk(chunks, size - *taken, wanted)) == KS_OK) {
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

enum ks_result ks_chunks_adopt(struct ks_chunks *chunks, uint8_t *bytes, size_t size, size_t capacity)
{
    struct ks_chunk *chunk = calloc(1, sizeof *chunk);
    if (chunk == NULL)
        return KS_NO_MEMORY;
    chunk->chunks = chunks;
    chunk->capacity = capacity;
    chunk->size = size;
    chunk->bytes = bytes;
    chunks->filling = chunk;
    chunks->given = capacity;
    chunks->next_capacity = CHUNK_SMALL;
    chunks->left -= size;
    return KS_OK;
}

void ks_chunks_flush(struct ks_chunks *chunks)
{
    if (chunks->filling != NULL && chunks->filling->size > 0)
        submit_chunk(chunks);
}

void ks_chunks_clear(struct ks_chunks *chunks)
{
    if (chunks->filling != NULL)
        chunk_free(chunks->filling);
    chunks->filling = NULL;
}
