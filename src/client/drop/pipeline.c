/* pipeline.c — see pipeline.h. Each piece is a task on one thread: posted means "fill it", and the semaphore
 * counts those that are filled. Tasks of one poster run in order, so the ring needs no lock. */
#include "client/drop/pipeline.h"

#include "base/thread.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

struct pipeline_piece {
    struct ks_task task;
    struct ks_pipeline *pipeline;
    enum ks_result result;
    size_t size;
    uint8_t bytes[KS_PIPELINE_PIECE_SIZE];
};

struct ks_pipeline {
    struct ks_thread *thread;
    struct ks_content_source *source;
    sem_t filled;
    atomic_bool stopping;
    unsigned posted; /* pieces that were posted and not yet waited for; the caller's */
    size_t front;    /* the piece that is waited for next; the caller's */
    struct pipeline_piece pieces[KS_PIPELINE_PIECES];
};

static void fill_piece(struct ks_task *task)
{
    struct pipeline_piece *piece = KS_CONTAINER_OF(task, struct pipeline_piece, task);
    struct ks_pipeline *pipeline = piece->pipeline;
    piece->size = 0;
    piece->result = KS_CLOSED;
    if (!atomic_load_explicit(&pipeline->stopping, memory_order_relaxed))
        piece->result =
            ks_content_source_read(pipeline->source, piece->bytes, sizeof piece->bytes, &piece->size);
    sem_post(&pipeline->filled);
}

enum ks_result ks_pipeline_new(struct ks_pipeline **pipeline)
{
    static const struct ks_thread_hooks no_hooks = {0};
    struct ks_pipeline *created = malloc(sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    for (size_t i = 0; i < KS_PIPELINE_PIECES; i++) {
        created->pieces[i].pipeline = created;
        created->pieces[i].task.run = fill_piece;
    }
    created->posted = 0;
    created->front = 0;
    atomic_init(&created->stopping, false);
    if (sem_init(&created->filled, 0, 0) != 0) {
        free(created);
        return KS_IO;
    }
    enum ks_result result = ks_thread_start(&created->thread, "kesher-encrypt", &no_hooks);
    if (result != KS_OK) {
        sem_destroy(&created->filled);
        free(created);
        return result;
    }
    *pipeline = created;
    return KS_OK;
}

void ks_pipeline_free(struct ks_pipeline *pipeline)
{
    if (pipeline == NULL)
        return;
    ks_thread_stop(pipeline->thread);
    sem_destroy(&pipeline->filled);
    free(pipeline);
}

static void post_piece(struct ks_pipeline *pipeline, size_t index)
{
    pipeline->posted++;
    ks_executor_post(ks_thread_executor(pipeline->thread), &pipeline->pieces[index].task);
}

static void wait_filled(struct ks_pipeline *pipeline)
{
    while (sem_wait(&pipeline->filled) != 0 && errno == EINTR)
        ;
    pipeline->posted--;
}

void ks_pipeline_start(struct ks_pipeline *pipeline, struct ks_content_source *source)
{
    pipeline->source = source;
    pipeline->front = 0;
    atomic_store_explicit(&pipeline->stopping, false, memory_order_relaxed);
    for (size_t i = 0; i < KS_PIPELINE_PIECES; i++)
        post_piece(pipeline, i);
}

enum ks_result ks_pipeline_next(struct ks_pipeline *pipeline, const uint8_t **bytes, size_t *size)
{
    wait_filled(pipeline);
    const struct pipeline_piece *piece = &pipeline->pieces[pipeline->front];
    *bytes = piece->bytes;
    *size = piece->size;
    return piece->result;
}

void ks_pipeline_release(struct ks_pipeline *pipeline)
{
    post_piece(pipeline, pipeline->front);
    pipeline->front = (pipeline->front + 1) % KS_PIPELINE_PIECES;
}

void ks_pipeline_stop(struct ks_pipeline *pipeline)
{
    atomic_store_explicit(&pipeline->stopping, true, memory_order_relaxed);
    while (pipeline->posted > 0)
        wait_filled(pipeline);
    pipeline->source = NULL;
}
