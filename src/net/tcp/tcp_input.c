/* tcp_input.c — what comes in on a TCP connection, until its service has consumed it: see tcp_internal.h. */
#include "net/tcp/tcp_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* gcc's analyser loses sight of what the connection keeps. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

enum { READS_PER_EVENT = 4 }; /* then it is the others' turn */

/* ---- reading ---- */

static void keep_input(struct ks_tcp *tcp, const uint8_t *bytes, size_t size)
{
    struct ks_kept_input *kept = malloc(sizeof *kept + size);
    if (kept == NULL) {
        ks_tcp_doom(tcp);
        return;
    }
    kept->size = size;
    kept->offset = 0;
    memcpy(kept->bytes, bytes, size);
    tcp->kept = kept;
    ks_tcp_count_memory(tcp);
}

/* One read. True when there may be more at once. */
static bool read_once(struct ks_tcp *tcp)
{
    const struct ks_connection_events *events = tcp->connection.events;
    uint8_t *scratch = ks_tcp_core(tcp)->scratch;
    uint8_t *buffer = scratch;
    size_t size =
        ks_tcp_memory_is_short(tcp) ? KS_OUTPUT_SHORT : KS_WORKER_SCRATCH_SIZE; /* it may have to be kept */
    uint8_t *wanted = NULL;
    size_t wanted_size = 0;
    if (tcp->state == STATE_OPEN && events->receive_buffer != NULL)
        wanted_size = events->receive_buffer(&tcp->connection, &wanted);
    if (wanted_size > 0) {
        buffer = wanted;
        size = wanted_size;
    }
    ssize_t got = recv(tcp->fd, buffer, size, MSG_DONTWAIT);
    if (got < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            ks_tcp_doom(tcp);
        return false;
    }
    if (got == 0) {
        ks_tcp_end_of_input(tcp);
        return false;
    }
    ks_count(&ks_tcp_core(tcp)->counts.received, (uint64_t)got);
    if (tcp->state != STATE_OPEN)
        return true; /* lingering: dropped */
    size_t consumed = events->received(&tcp->connection, buffer, (size_t)got);
    if (tcp->state == STATE_OPEN && consumed < (size_t)got)
        keep_input(tcp, buffer + consumed, (size_t)got - consumed);
    if (buffer == scratch)
        ks_tcp_forget_input(tcp, buffer, (size_t)got);
    return (size_t)got == size;
}

void ks_tcp_read(struct ks_tcp *tcp)
{
    for (int reads = 0; reads < READS_PER_EVENT && ks_tcp_wants_input(tcp); reads++)
        if (!read_once(tcp))
            return;
}

void ks_tcp_read_what_is_left(struct ks_tcp *tcp)
{
    while (tcp->state == STATE_OPEN && ks_tcp_wants_input(tcp) && read_once(tcp))
        ;
    ks_tcp_doom(tcp);
}

/* ---- pausing ---- */

void ks_tcp_pause(struct ks_connection *connection)
{
    ks_tcp_of(connection)->paused = true;
}

void ks_tcp_resume(struct ks_connection *connection)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (!tcp->paused || tcp->state != STATE_OPEN)
        return;
    ks_tcp_look_for_end(tcp, false);
    tcp->paused = false;
    ks_connection_lists_add_ready(&ks_tcp_core(tcp)->lists, &tcp->links);
}

void ks_tcp_offer_kept(struct ks_tcp *tcp)
{
    while (tcp->kept != NULL && !tcp->paused && tcp->state == STATE_OPEN) {
        struct ks_kept_input *kept = tcp->kept;
        tcp->kept = NULL;
        size_t left = kept->size - kept->offset;
        size_t consumed =
            tcp->connection.events->received(&tcp->connection, kept->bytes + kept->offset, left);
        kept->offset += consumed;
        tcp->kept = kept;
        if (consumed == left || tcp->state != STATE_OPEN)
            ks_tcp_drop_kept(tcp);
    }
    ks_tcp_count_memory(tcp);
    ks_tcp_tell_end(tcp);
    if (ks_tcp_wants_input(tcp))
        ks_tcp_poll_what_is_wanted(tcp);
}
