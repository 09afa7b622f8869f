/* pipeline.h — a thread that keeps a few pieces of content ready while the caller sends.
 *
 * The pipeline is the caller's; its thread touches a source only between ks_pipeline_start and the return of
 * the ks_pipeline_stop that follows. Memory: KS_PIPELINE_PIECES * KS_PIPELINE_PIECE_SIZE, for any file.
 */
#ifndef KS_CLIENT_DROP_PIPELINE_H
#define KS_CLIENT_DROP_PIPELINE_H

#include "client/outbound/content_source.h"

enum { KS_PIPELINE_PIECES = 3, KS_PIPELINE_PIECE_SIZE = 256 * 1024 };

struct ks_pipeline;

/* KS_OK with *pipeline for ks_pipeline_free; KS_NO_MEMORY; KS_IO when no thread is to be had. */
enum ks_result ks_pipeline_new(struct ks_pipeline **pipeline);
void ks_pipeline_free(struct ks_pipeline *pipeline); /* NULL is allowed; not between start and stop */

/* Begins to read ahead in `source`, which is the thread's until ks_pipeline_stop. */
void ks_pipeline_start(struct ks_pipeline *pipeline, struct ks_content_source *source);

/* Waits for the next piece, in order; *bytes is valid until ks_pipeline_release, which must come before the
 * next call. *size is 0 after the last piece. Errors as ks_content_source_read. */
enum ks_result ks_pipeline_next(struct ks_pipeline *pipeline, const uint8_t **bytes, size_t *size);
void ks_pipeline_release(struct ks_pipeline *pipeline);

/* Ends the reading, finished or not, and gives the source back. */
void ks_pipeline_stop(struct ks_pipeline *pipeline);

#endif
