/* chunks.h — a content on its way from memory to a stage of the store, for files and large messages: part of
 * an incoming content (incoming.h), whose file alone uses it.
 *
 * Bytes go into chunks; a full chunk goes to the store, whose thread works on it while the loop fills the
 * next one. At most CHUNKS_LIMIT chunks of one content are out, and their memory is the owner's holder's
 * (base/limits/budget.h), with which the owner waits; beyond either, the peer waits. A content has no memory
 * before its first byte comes, and then not more than a few times what came.
 *
 * A `struct ks_chunks` is part of its owner, who must live while chunks are out. Everything runs on the loop.
 */
#ifndef KS_SERVICE_CORE_CHUNKS_H
#define KS_SERVICE_CORE_CHUNKS_H

#include "net/connection.h"
#include "store/store.h"

struct ks_chunk;

struct ks_chunks {
    struct ks_loop *loop;
    struct ks_store *store;
    struct ks_stage *stage; /* the owner's, before anything is taken */
    uint64_t left;          /* bytes of the content that are not in a chunk yet */
    struct ks_chunk *filling;
    uint64_t given;       /* bytes of all chunks there have been */
    size_t next_capacity; /* 0 before the first chunk */
    size_t skew;          /* of the first one: how far the content begins behind the start of a page */
    unsigned out;         /* chunks with the store */
    struct ks_holder *holder;
    /* A chunk was written, or failed. The owner may go in here. */
    void (*written)(struct ks_chunks *chunks, enum ks_result result);
};

/* A content of `size` bytes; `written` is the owner's to set. */
void ks_chunks_init(struct ks_chunks *chunks, struct ks_loop *loop, struct ks_store *store, uint64_t size,
                    struct ks_holder *holder);

/* The content goes on at `offset` of its stage: chunks end where whole blocks can go to the disk as they are.
 * Before anything was taken. */
void ks_chunks_start_at(struct ks_chunks *chunks, uint64_t offset);

/* True once all of the content was given to the store. */
bool ks_chunks_complete(const struct ks_chunks *chunks);

/* Where the next bytes could be received without a copy: sets *buffer and returns its size, at most `limit`;
 * 0 for nowhere, now. */
size_t ks_chunks_buffer(struct ks_chunks *chunks, size_t limit, uint8_t **buffer);

/* Takes as many of the next bytes as there is room for; they may stand in the buffer of the call above. KS_OK
 * with *taken: with fewer than `size` more can be taken after `written`, or, with *wanted other than 0, when
 * the holder has so much for ks_chunks_granted. KS_NO_MEMORY. */
enum ks_result ks_chunks_take(struct ks_chunks *chunks, const uint8_t *bytes, size_t size, size_t *taken,
                              size_t *wanted);

/* The holder was granted `size` bytes, which were wanted. KS_OK; KS_NO_MEMORY: they were given back. */
enum ks_result ks_chunks_granted(struct ks_chunks *chunks, size_t size);

/* The first `size` bytes of the content came by another way: they stand in `bytes`, from malloc, with
 * `capacity` of the holder's bytes, and belong to the chunks now. KS_OK; KS_NO_MEMORY, and nothing has
 * happened. Before anything was taken. */
enum ks_result ks_chunks_adopt(struct ks_chunks *chunks, uint8_t *bytes, size_t size, size_t capacity);

/* Gives the store what has come so far, and no more comes. */
void ks_chunks_flush(struct ks_chunks *chunks);

/* Frees what is left when no chunk is out. The stage is the owner's business. */
void ks_chunks_clear(struct ks_chunks *chunks);

#endif
