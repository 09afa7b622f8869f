/* output_queue.h — what waits to be sent on one connection: a queue of byte runs, sent with one sendmsg for
 * many.
 *
 * Owned by its connection, used on its loop's thread.
 */
#ifndef KS_NET_LOOP_OUTPUT_QUEUE_H
#define KS_NET_LOOP_OUTPUT_QUEUE_H

#include "base/result.h"
#include "base/shared.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ks_output_segment;

struct ks_output_queue {
    struct ks_output_segment *first;
    struct ks_output_segment *last;
    size_t waiting; /* bytes in all segments that are still to be sent */
    size_t memory;  /* that the segments take, shared bytes counted as if they were their own */
};

/* Appends a copy of `bytes`. KS_OK or KS_NO_MEMORY (nothing appended). */
enum ks_result ks_output_queue_append(struct ks_output_queue *output, const void *bytes, size_t size);

/* The same, `apart`: in a send of its own. */
enum ks_result ks_output_queue_append_apart(struct ks_output_queue *output, const void *bytes, size_t size);

/* Appends `size` bytes of `shared` from `offset` on without a copy; takes a reference. KS_OK or KS_NO_MEMORY.
 */
enum ks_result ks_output_queue_append_shared(struct ks_output_queue *output, struct ks_shared *shared,
                                             size_t offset, size_t size, bool apart);

/* Sends as much as the socket takes. KS_OK when nothing waits any more; KS_MORE when the socket is full;
 * KS_IO when the connection is broken (errno). */
enum ks_result ks_output_queue_send(struct ks_output_queue *output, int fd);

/* For who sends it some other way: the next bytes that may go together, at most `capacity` of them: in place
 * where they are many or alone, else gathered in `room`, which has that capacity. They stay in the queue.
 * NULL, and *size is 0, when nothing waits. */
const uint8_t *ks_output_queue_next(const struct ks_output_queue *output, uint8_t *room, size_t capacity,
                                    size_t *size);

/* Drops the next `size` bytes: they were sent. */
void ks_output_queue_sent(struct ks_output_queue *output, size_t size);

/* Drops everything. */
void ks_output_queue_clear(struct ks_output_queue *output);

#endif
