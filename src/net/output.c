/* output.c — see output.h. */
#include "net/output.h"

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

struct ks_segment {
    struct ks_segment *next;
    size_t sent;
    size_t size;
    size_t capacity;
    uint8_t bytes[];
};

static struct ks_segment *segment_append(struct ks_output *output, size_t wanted)
{
    size_t capacity = output->last == NULL ? SEGMENT_SMALLEST : output->last->capacity * 2;
    if (capacity > SEGMENT_LARGEST)
        capacity = SEGMENT_LARGEST;
    if (capacity < wanted)
        capacity = wanted;
    struct ks_segment *segment = malloc(sizeof *segment + capacity);
    if (segment == NULL)
        return NULL;
    segment->next = NULL;
    segment->sent = 0;
    segment->size = 0;
    segment->capacity = capacity;
    if (output->last != NULL)
        output->last->next = segment;
    else
        output->first = segment;
    output->last = segment;
    return segment;
}

enum ks_result ks_output_append(struct ks_output *output, const void *bytes, size_t size)
{
    const uint8_t *next = bytes;
    struct ks_segment *last = output->last;
    size_t room = last == NULL ? 0 : last->capacity - last->size;
    size_t first_part = size < room ? size : room;
    if (size > first_part && segment_append(output, size - first_part) == NULL)
        return KS_NO_MEMORY;
    if (first_part > 0) {
        memcpy(last->bytes + last->size, next, first_part);
        last->size += first_part;
    }
    if (size > first_part) {
        memcpy(output->last->bytes, next + first_part, size - first_part);
        output->last->size = size - first_part;
    }
    output->waiting += size;
    return KS_OK;
}

static int fill_vectors(const struct ks_output *output, struct iovec vectors[static VECTORS_PER_SEND])
{
    int count = 0;
    for (struct ks_segment *segment = output->first; segment != NULL && count < VECTORS_PER_SEND;
         segment = segment->next) {
        vectors[count].iov_base = segment->bytes + segment->sent;
        vectors[count].iov_len = segment->size - segment->sent;
        count++;
    }
    return count;
}

static void drop_sent(struct ks_output *output, size_t sent)
{
    output->waiting -= sent;
    while (output->first != NULL) {
        struct ks_segment *segment = output->first;
        size_t left = segment->size - segment->sent;
        if (sent < left) {
            segment->sent += sent;
            return;
        }
        sent -= left;
        output->first = segment->next;
        if (output->first == NULL)
            output->last = NULL;
        free(segment);
    }
}

enum ks_result ks_output_send(struct ks_output *output, int fd)
{
    while (output->waiting > 0) {
        struct iovec vectors[VECTORS_PER_SEND];
        struct msghdr message = {.msg_iov = vectors, .msg_iovlen = (size_t)fill_vectors(output, vectors)};
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return KS_MORE;
        if (sent < 0)
            return KS_IO;
        drop_sent(output, (size_t)sent);
    }
    return KS_OK;
}

void ks_output_clear(struct ks_output *output)
{
    while (output->first != NULL) {
        struct ks_segment *segment = output->first;
        output->first = segment->next;
        free(segment);
    }
    output->last = NULL;
    output->waiting = 0;
}
