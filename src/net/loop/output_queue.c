/* output_queue.c — see output_queue.h. */
#include "net/loop/output_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
    SEGMENT_SMALLEST = 448, /* most answers fit */
    SEGMENT_LARGEST = 64 * 1024,
    VECTORS_PER_SEND = 64,
};

struct ks_output_segment {
    struct ks_output_segment *next;
    size_t sent;
    size_t size;
    size_t capacity;          /* what can be added to; not more than `size` when it is shared or apart */
    struct ks_shared *shared; /* whose bytes they are; NULL: our own */
    const uint8_t *bytes;
    bool apart;
    uint8_t own[];
};

/* A new last segment with room for `capacity` bytes of its own. */
static struct ks_output_segment *segment_append(struct ks_output_queue *output, size_t capacity)
{
    struct ks_output_segment *segment = malloc(sizeof *segment + capacity);
    if (segment == NULL)
        return NULL;
    *segment = (struct ks_output_segment){.capacity = capacity, .bytes = segment->own};
    output->memory += sizeof *segment + capacity;
    if (output->last != NULL)
        output->last->next = segment;
    else
        output->first = segment;
    output->last = segment;
    return segment;
}

/* Segments of a long queue grow, so that it takes few of them. */
static size_t next_capacity(const struct ks_output_queue *output, size_t wanted)
{
    size_t capacity = output->last == NULL ? SEGMENT_SMALLEST : output->last->capacity * 2;
    if (capacity > SEGMENT_LARGEST)
        capacity = SEGMENT_LARGEST;
    if (capacity < SEGMENT_SMALLEST)
        capacity = SEGMENT_SMALLEST;
    return capacity < wanted ? wanted : capacity;
}

enum ks_result ks_output_queue_append(struct ks_output_queue *output, const void *bytes, size_t size)
{
    const uint8_t *next = bytes;
    struct ks_output_segment *last = output->last;
    size_t room = last == NULL || last->capacity < last->size ? 0 : last->capacity - last->size;
    size_t first_part = size < room ? size : room;
    if (size > first_part && segment_append(output, next_capacity(output, size - first_part)) == NULL)
        return KS_NO_MEMORY;
    if (first_part > 0) {
        memcpy(last->own + last->size, next, first_part);
        last->size += first_part;
    }
    if (size > first_part) {
        memcpy(output->last->own, next + first_part, size - first_part);
        output->last->size = size - first_part;
    }
    output->waiting += size;
    return KS_OK;
}

enum ks_result ks_output_queue_append_apart(struct ks_output_queue *output, const void *bytes, size_t size)
{
    if (size == 0)
        return KS_OK;
    struct ks_output_segment *segment = segment_append(output, size);
    if (segment == NULL)
        return KS_NO_MEMORY;
    memcpy(segment->own, bytes, size);
    segment->size = size;
    segment->apart = true;
    output->waiting += size;
    return KS_OK;
}

enum ks_result ks_output_queue_append_shared(struct ks_output_queue *output, struct ks_shared *shared,
                                             size_t offset, size_t size, bool apart)
{
    if (size == 0)
        return KS_OK;
    struct ks_output_segment *segment = segment_append(output, 0);
    if (segment == NULL)
        return KS_NO_MEMORY;
    segment->shared = ks_shared_retain(shared);
    segment->bytes = shared->bytes + offset;
    segment->size = size;
    segment->apart = apart;
    output->waiting += size;
    output->memory += size;
    return KS_OK;
}

/* Up to the next segment that goes apart; that one alone when it is the first. */
static int fill_vectors(const struct ks_output_queue *output, struct iovec vectors[static VECTORS_PER_SEND])
{
    int count = 0;
    for (struct ks_output_segment *segment = output->first; segment != NULL && count < VECTORS_PER_SEND;
         segment = segment->next) {
        if (segment->apart && count > 0)
            break;
        vectors[count].iov_base = (void *)(uintptr_t)(segment->bytes + segment->sent);
        vectors[count].iov_len = segment->size - segment->sent;
        count++;
        if (segment->apart)
            break;
    }
    return count;
}

static void segment_free(struct ks_output_queue *output, struct ks_output_segment *segment)
{
    output->memory -= sizeof *segment + (segment->shared != NULL ? segment->size : segment->capacity);
    ks_shared_release(segment->shared);
    free(segment);
}

void ks_output_queue_sent(struct ks_output_queue *output, size_t size)
{
    output->waiting -= size;
    while (output->first != NULL) {
        struct ks_output_segment *segment = output->first;
        size_t left = segment->size - segment->sent;
        if (size < left) {
            segment->sent += size;
            return;
        }
        size -= left;
        output->first = segment->next;
        if (output->first == NULL)
            output->last = NULL;
        segment_free(output, segment);
    }
}

const uint8_t *ks_output_queue_next(const struct ks_output_queue *output, uint8_t *room, size_t capacity,
                                    size_t *size)
{
    const struct ks_output_segment *segment = output->first;
    *size = 0;
    if (segment == NULL)
        return NULL;
    size_t left = segment->size - segment->sent;
    if (left >= capacity || segment->apart || segment->next == NULL || segment->next->apart) {
        *size = left < capacity ? left : capacity;
        return segment->bytes + segment->sent;
    }
    while (segment != NULL && *size < capacity && (*size == 0 || !segment->apart)) {
        left = segment->size - segment->sent;
        size_t part = left < capacity - *size ? left : capacity - *size;
        memcpy(room + *size, segment->bytes + segment->sent, part);
        *size += part;
        segment = segment->next;
    }
    return room;
}

/* One piece, which is what most sends have, costs the kernel less by send. */
static ssize_t send_vectors(int fd, struct iovec *vectors, int count)
{
    if (count == 1)
        return send(fd, vectors[0].iov_base, vectors[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = (size_t)count};
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

enum ks_result ks_output_queue_send(struct ks_output_queue *output, int fd)
{
    while (output->waiting > 0) {
        struct iovec vectors[VECTORS_PER_SEND];
        ssize_t sent = send_vectors(fd, vectors, fill_vectors(output, vectors));
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return KS_MORE;
        if (sent < 0)
            return KS_IO;
        ks_output_queue_sent(output, (size_t)sent);
    }
    return KS_OK;
}

void ks_output_queue_clear(struct ks_output_queue *output)
{
    while (output->first != NULL) {
        struct ks_output_segment *segment = output->first;
        output->first = segment->next;
        segment_free(output, segment);
    }
    output->last = NULL;
    output->waiting = 0;
}
