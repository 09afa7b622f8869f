/* chunks.h — a payload on its way from a session to a stage, for files and large messages. Private to
 * src/service.
 *
 * Bytes go into chunks; a full chunk goes to the store, whose thread works on it while the loop fills the
 * next one. At most CHUNKS_LIMIT chunks of one payload are out, all payloads together stay within the loop's
 * buffer budget; beyond either, the peer waits.
 *
 * A `struct ks_chunks` is part of its owner, who must live while ks_chunks_pending says so. Everything runs
 * on the loop.
 */
#ifndef KS_SERVICE_CHUNKS_H
#define KS_SERVICE_CHUNKS_H

#include "net/connection.h"
#include "store/store.h"

struct ks_chunk;

struct ks_chunks {
    struct ks_loop *loop;
    struct ks_store *store;
    struct ks_stage *stage; /* the owner's; while it is NULL, nothing is taken */
    uint64_t left;          /* bytes of the payload that are not in a chunk yet */
    struct ks_chunk *filling;
    uint64_t given; /* bytes of all chunks there have been */
    size_t next_capacity;
    unsigned out; /* chunks with the store */
    bool waiting; /* for the budget */
    struct ks_budget_waiter waiter;
    /* A chunk was written, or failed. The owner may go in here. */
    void (*written)(struct ks_chunks *chunks, enum ks_result result);
    /* There may be room in the budget now. The owner may go in here. */
    void (*has_room)(struct ks_chunks *chunks);
};

/* A payload of `size` bytes; `written` and `has_room` are the owner's to set. */
void ks_chunks_init(struct ks_chunks *chunks, struct ks_loop *loop, struct ks_store *store, uint64_t size);

/* True while `written` or `has_room` will still be called. */
bool ks_chunks_pending(const struct ks_chunks *chunks);

/* True once all of the payload was given to the store. */
bool ks_chunks_complete(const struct ks_chunks *chunks);

/* Where the next bytes could be received without a copy: sets *buffer and returns its size, at most `limit`;
 * 0 for nowhere, now. */
size_t ks_chunks_buffer(struct ks_chunks *chunks, size_t limit, uint8_t **buffer);

/* Takes as many of the next bytes as there is room for; they may stand in the buffer of the call above. KS_OK
 * with *taken: with fewer than `size` more can be taken after `written` or `has_room`. KS_NO_MEMORY. */
enum ks_result ks_chunks_take(struct ks_chunks *chunks, const uint8_t *bytes, size_t size, size_t *taken);

/* No longer waits for the budget. */
void ks_chunks_stop_waiting(struct ks_chunks *chunks);

/* Frees what is left when nothing is pending. The stage is the owner's business. */
void ks_chunks_clear(struct ks_chunks *chunks);

#endif
