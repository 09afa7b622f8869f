/* tcp.c — see tcp.h and connection.h. Everything here runs on the connection's own worker.
 *
 * A connection is polled with uv_poll: read and written with the bare system calls, so that input can go
 * straight into a service's buffer and many answers leave in one sendmsg. Changing what is polled costs
 * system calls, so it is lazy: a paused connection stays polled until input does arrive.
 *
 * Life: OPEN -> (finish) FINISHING: output still goes out -> LINGERING: our end of stream is sent, input is
 * dropped until the peer's -> DOOMED: on the worker's list -> `closed`, freed. Abort goes to DOOMED directly,
 * by LINGERING where the service waits for the peer's end. Endings are in tcp_ending.c.
 */
#include "net/tcp/tcp.h"

#include "base/log_repeats.h"
#include "net/crowd.h"
#include "net/tcp/tcp_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READS_PER_EVENT = 4 }; /* then it is the others' turn */

/* ---- polling ---- */

static void poll_event(uv_poll_t *poll, int status, int events);

static void poll_for(struct ks_tcp *tcp, int events)
{
    if (tcp->polled == events)
        return;
    int failure = events == 0 ? uv_poll_stop(&tcp->poll) : uv_poll_start(&tcp->poll, events, poll_event);
    if (failure != 0)
        ks_tcp_doom(tcp);
    else
        tcp->polled = (uint8_t)events;
}

bool ks_tcp_wants_input(const struct ks_tcp *tcp)
{
    if (tcp->end_seen)
        return false;
    return tcp->state == STATE_LINGERING || (tcp->state == STATE_OPEN && !tcp->paused && tcp->kept == NULL);
}

void ks_tcp_poll_what_is_wanted(struct ks_tcp *tcp)
{
    if (tcp->state == STATE_DOOMED)
        return;
    poll_for(tcp, (ks_tcp_wants_input(tcp) ? UV_READABLE : 0) | (tcp->output_full ? UV_WRITABLE : 0));
}

/* ---- output ---- */

/* gcc's analyser loses sight of what the connection keeps. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* Steps of the sum, so that ordinary answers cost it nothing. */
enum { COUNTED_STEP = KS_OUTPUT_SHORT };

/* Input that is kept is counted with the output: both wait for somebody. */
static void count_output(struct ks_tcp *tcp)
{
    size_t memory = tcp->output.memory + (tcp->kept != NULL ? tcp->kept->size : 0);
    if (memory > UINT32_MAX)
        memory = UINT32_MAX;
    size_t counted = memory / COUNTED_STEP * COUNTED_STEP;
    if (counted == tcp->counted_output)
        return;
    atomic_fetch_add_explicit(&ks_tcp_worker(tcp)->shared->output, counted - tcp->counted_output,
                              memory_order_relaxed);
    tcp->counted_output = (uint32_t)counted;
}

static bool output_is_short(const struct ks_tcp *tcp)
{
    const struct ks_worker_shared *shared = ks_tcp_worker(tcp)->shared;
    return atomic_load_explicit(&shared->output, memory_order_relaxed) > shared->output_limit;
}

static void tell_drained(struct ks_tcp *tcp)
{
    bool fell = tcp->above_low && tcp->output.waiting <= KS_OUTPUT_LOW_WATER;
    size_t room_at = output_is_short(tcp) ? KS_OUTPUT_SHORT : KS_OUTPUT_LOW_WATER;
    if (!fell && (!tcp->told_full || tcp->output.waiting > room_at))
        return;
    tcp->above_low = tcp->above_low && !fell;
    tcp->told_full = false;
    if (tcp->state == STATE_OPEN && tcp->connection.events->drained != NULL)
        tcp->connection.events->drained(&tcp->connection);
}

static void tcp_flush(struct ks_tcp *tcp)
{
    if (tcp->state == STATE_DOOMED || tcp->state == STATE_LINGERING)
        return;
    ks_tcp_look_for_end(tcp, ks_tcp_wants_input(tcp)); /* it may come before what we send */
    size_t before = tcp->output.waiting;
    enum ks_result result = ks_output_send(&tcp->output, tcp->fd);
    ks_count(&ks_tcp_worker(tcp)->counts.sent, before - tcp->output.waiting);
    if (result == KS_IO) {
        ks_tcp_doom(tcp);
        return;
    }
    count_output(tcp);
    tcp->output_full = result == KS_MORE;
    if (tcp->output_full)
        poll_for(tcp, tcp->polled | UV_WRITABLE);
    tell_drained(tcp);
    if (tcp->output.waiting == 0)
        ks_tcp_output_is_out(tcp);
}

/* ---- input ---- */

static void keep_input(struct ks_tcp *tcp, const uint8_t *bytes, size_t size)
{
    struct kept_input *kept = malloc(sizeof *kept + size);
    if (kept == NULL) {
        ks_tcp_doom(tcp);
        return;
    }
    kept->size = size;
    kept->offset = 0;
    memcpy(kept->bytes, bytes, size);
    tcp->kept = kept;
    count_output(tcp);
}

/* Bytes of input are needed no more. */
static void forget_input(const struct ks_tcp *tcp, void *bytes, size_t size)
{
    if (tcp->connection.events->input_is_secret)
        explicit_bzero(bytes, size);
}

/* NULL is allowed. */
static void free_kept(const struct ks_tcp *tcp, struct kept_input *kept)
{
    if (kept != NULL)
        forget_input(tcp, kept->bytes, kept->size);
    free(kept);
}

void ks_tcp_drop_kept(struct ks_tcp *tcp)
{
    free_kept(tcp, tcp->kept);
    tcp->kept = NULL;
}

/* One read. True when there may be more at once. */
static bool read_once(struct ks_tcp *tcp)
{
    const struct ks_connection_events *events = tcp->connection.events;
    uint8_t *buffer = ks_tcp_worker(tcp)->scratch;
    size_t size =
        output_is_short(tcp) ? KS_OUTPUT_SHORT : KS_WORKER_SCRATCH_SIZE; /* it may have to be kept */
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
    ks_count(&ks_tcp_worker(tcp)->counts.received, (uint64_t)got);
    if (tcp->state != STATE_OPEN)
        return true; /* lingering: dropped */
    size_t consumed = events->received(&tcp->connection, buffer, (size_t)got);
    if (tcp->state == STATE_OPEN && consumed < (size_t)got)
        keep_input(tcp, buffer + consumed, (size_t)got - consumed);
    if (buffer == ks_tcp_worker(tcp)->scratch)
        forget_input(tcp, buffer, (size_t)got);
    return (size_t)got == size;
}

static void tcp_read(struct ks_tcp *tcp)
{
    for (int reads = 0; reads < READS_PER_EVENT && ks_tcp_wants_input(tcp); reads++)
        if (!read_once(tcp))
            return;
}

/* What came before a reset is still there to be read, and was sent in good faith. */
static void read_what_is_left(struct ks_tcp *tcp)
{
    while (tcp->state == STATE_OPEN && ks_tcp_wants_input(tcp) && read_once(tcp))
        ;
    ks_tcp_doom(tcp);
}

static void poll_event(uv_poll_t *poll, int status, int events)
{
    struct ks_tcp *tcp = poll->data;
    if (tcp->state == STATE_DOOMED)
        return;
    if (status < 0) {
        tcp->polled = 0; /* libuv has stopped the handle */
        read_what_is_left(tcp);
        return;
    }
    if ((events & UV_READABLE) != 0) {
        if (ks_tcp_wants_input(tcp))
            tcp_read(tcp);
        else
            ks_tcp_poll_what_is_wanted(tcp);
    }
    if ((events & UV_WRITABLE) != 0) {
        tcp_flush(tcp);
        if (!tcp->output_full)
            ks_tcp_poll_what_is_wanted(tcp);
    }
}

/* ---- operations of connection.h ---- */

static bool appended(struct ks_tcp *tcp, enum ks_result result, size_t size)
{
    if (result != KS_OK) {
        ks_tcp_doom(tcp);
        return false;
    }
    tcp->written += size;
    if (tcp->output.waiting > KS_OUTPUT_LOW_WATER)
        tcp->above_low = true;
    count_output(tcp);
    if (!tcp->output_full)
        ks_tcp_mark_dirty(tcp);
    return true;
}

static bool tcp_write(struct ks_connection *connection, const void *bytes, size_t size)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (tcp->state != STATE_OPEN)
        return true;
    return appended(tcp, ks_output_append(&tcp->output, bytes, size), size);
}

static bool tcp_write_apart(struct ks_connection *connection, const void *bytes, size_t size)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (tcp->state != STATE_OPEN)
        return true;
    return appended(tcp, ks_output_append_apart(&tcp->output, bytes, size), size);
}

static bool tcp_write_shared(struct ks_connection *connection, struct ks_shared *shared, size_t offset,
                             size_t size, bool apart)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (tcp->state != STATE_OPEN)
        return true;
    return appended(tcp, ks_output_append_shared(&tcp->output, shared, offset, size, apart), size);
}

static void tcp_flush_now(struct ks_connection *connection)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (tcp->state == STATE_OPEN && !tcp->output_full)
        tcp_flush(tcp);
}

static size_t tcp_output_waiting(const struct ks_connection *connection)
{
    return ks_tcp_of(connection)->output.waiting;
}

static size_t tcp_output_memory(const struct ks_connection *connection)
{
    return ks_tcp_of(connection)->output.memory;
}

static bool tcp_output_is_full(struct ks_connection *connection)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    size_t limit = output_is_short(tcp) ? KS_OUTPUT_SHORT : KS_OUTPUT_HIGH_WATER;
    tcp->told_full = tcp->output.waiting > limit;
    return tcp->told_full;
}

static uint64_t tcp_written(const struct ks_connection *connection)
{
    return ks_tcp_of(connection)->written;
}

static void tcp_pause(struct ks_connection *connection)
{
    ks_tcp_of(connection)->paused = true;
}

static void tcp_resume(struct ks_connection *connection)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (!tcp->paused || tcp->state != STATE_OPEN)
        return;
    ks_tcp_look_for_end(tcp, false);
    tcp->paused = false;
    ks_tcp_mark_ready(tcp);
}

static void tcp_set_deadline(struct ks_connection *connection, uint64_t after_ms)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    struct ks_worker *worker = ks_tcp_worker(tcp);
    if (tcp->state != STATE_OPEN)
        return;
    if (after_ms == 0) {
        ks_deadline_clear(&worker->wheel, &tcp->deadline);
        return;
    }
    ks_deadline_set(&worker->wheel, &tcp->deadline, uv_now(&worker->uv) + after_ms);
    ks_worker_need_ticks(worker);
}

static void tcp_set_idle(struct ks_connection *connection, bool idle)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (tcp->state != STATE_OPEN)
        return;
    if (idle && ks_tcp_worker(tcp)->quiescing)
        ks_tcp_finish(connection);
    else if (idle)
        ks_tcp_enter_idle(tcp);
    else
        ks_tcp_leave_idle(tcp);
}

static void tcp_abort(struct ks_connection *connection)
{
    ks_tcp_dismiss(ks_tcp_of(connection));
}

static void tcp_set_standing(struct ks_connection *connection, enum ks_standing standing)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (tcp->state != STATE_DOOMED && !tcp->peer.is_local)
        ks_tcp_change_standing(tcp, standing);
}

static void tcp_want_end(struct ks_connection *connection, bool wanted)
{
    ks_tcp_of(connection)->end_wanted = wanted;
}

static void tcp_describe_peer(const struct ks_connection *connection, char *text, size_t size)
{
    ks_peer_describe(&ks_tcp_of(connection)->peer, text, size);
}

static void tcp_peer_address(const struct ks_connection *connection,
                             uint8_t address[static KS_PEER_ADDRESS_SIZE])
{
    memcpy(address, ks_tcp_of(connection)->peer.bytes, KS_PEER_ADDRESS_SIZE);
}

static const struct ks_connection_operations tcp_operations = {
    .write = tcp_write,
    .write_apart = tcp_write_apart,
    .write_shared = tcp_write_shared,
    .flush = tcp_flush_now,
    .output_waiting = tcp_output_waiting,
    .output_memory = tcp_output_memory,
    .output_is_full = tcp_output_is_full,
    .written = tcp_written,
    .delivered_up_to = ks_tcp_delivered_up_to,
    .delivered_before_end = ks_tcp_delivered_before_end,
    .watch_delivery = ks_tcp_watch_delivery,
    .is_broken = ks_tcp_is_broken,
    .want_end = tcp_want_end,
    .pause = tcp_pause,
    .resume = tcp_resume,
    .set_deadline = tcp_set_deadline,
    .set_reminder = ks_tcp_set_reminder,
    .set_idle = tcp_set_idle,
    .set_standing = tcp_set_standing,
    .shut = ks_tcp_shut,
    .finish = ks_tcp_finish,
    .abort = tcp_abort,
    .describe_peer = tcp_describe_peer,
    .peer_address = tcp_peer_address,
};

/* ---- opening and closing ---- */

static void count_down(struct ks_worker *worker, const struct ks_peer *peer,
                       struct ks_listener_counts *listener)
{
    if (!peer->is_local)
        ks_crowd_leave(&worker->shared->crowd, peer->bytes);
    atomic_fetch_sub(&worker->connection_count, 1);
    atomic_fetch_sub(&worker->shared->connection_count, 1);
    atomic_fetch_add_explicit(&listener->closed, 1, memory_order_relaxed);
}

static void handle_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void close_and_free(struct ks_tcp *tcp)
{
    ks_tcp_change_standing(tcp, KS_STANDING_SILENT);
    count_down(ks_tcp_worker(tcp), &tcp->peer, tcp->listener);
    ks_output_clear(&tcp->output);
    ks_tcp_drop_kept(tcp);
    count_output(tcp);
    free(tcp->watch);
    uv_close((uv_handle_t *)&tcp->poll, handle_closed);
    close(tcp->fd);
}

static void close_doomed(struct ks_worker *worker)
{
    /* `closed` may make somebody else ready, and somebody ready must not be freed. */
    while (worker->doomed != NULL && worker->ready == NULL) {
        struct ks_tcp *tcp = worker->doomed;
        worker->doomed = tcp->next_dirty;
        ks_tcp_forget_watch(tcp);
        tcp->connection.events->closed(&tcp->connection);
        close_and_free(tcp);
    }
}

const char ks_tcp_no_room[] = "the limit of connections is reached and nobody makes room (connections)";

static void log_refusal_of(const struct ks_log *log, const struct ks_peer *peer, const char *sentence)
{
    const struct ks_log_cause cause = ks_log_cause(sentence, peer->bytes, NULL);
    char text[KS_PEER_TEXT_SIZE];
    ks_peer_describe(peer, text, sizeof text);
    ks_log_repeatable(log, KS_LOG_WARNING, &cause, KS_LOG_REFUSALS, "%s: refused: %s", text, sentence);
}

void ks_tcp_log_refusal(const struct ks_log *log, const struct sockaddr_storage *from, const char *sentence)
{
    const struct ks_peer peer = ks_peer_of(from);
    log_refusal_of(log, &peer, sentence);
}

void ks_tcp_turn_away(struct ks_worker *worker, int fd, const struct sockaddr_storage *peer,
                      struct ks_listener_counts *listener)
{
    const struct ks_peer address = ks_peer_of(peer);
    close(fd);
    atomic_fetch_add_explicit(&listener->too_many, 1, memory_order_relaxed);
    log_refusal_of(worker->shared->log, &address, ks_tcp_no_room);
    count_down(worker, &address, listener);
}

void ks_tcp_open(struct ks_worker *worker, int fd, const struct sockaddr_storage *peer,
                 const struct ks_connection_events *events, void *service,
                 struct ks_listener_counts *listener)
{
    const struct ks_peer address = ks_peer_of(peer);
    struct ks_tcp *tcp = calloc(1, sizeof *tcp);
    if (tcp == NULL || uv_poll_init_socket(&worker->uv, &tcp->poll, fd) != 0) {
        free(tcp);
        close(fd);
        count_down(worker, &address, listener);
        return;
    }
    tcp->poll.data = tcp;
    tcp->fd = fd;
    tcp->peer = address;
    tcp->listener = listener;
    tcp->connection.operations = &tcp_operations;
    tcp->connection.events = events;
    tcp->connection.loop = &worker->loop;
    tcp->acked_at_start = ks_tcp_acked_at_start(tcp);
    if (address.is_local)
        ks_tcp_change_standing(tcp, KS_STANDING_KNOWN);
    ks_tcp_enter_idle(tcp);
    if (!events->opened(&tcp->connection, service)) {
        ks_tcp_leave_idle(tcp);
        ks_deadline_clear(&worker->wheel, &tcp->deadline);
        ks_tcp_become(tcp, STATE_DOOMED);
        /* That is out of memory, or has as many as it serves. */
        log_refusal_of(worker->shared->log, &address, "its service has no room or no memory for it");
        atomic_fetch_add_explicit(&listener->unwelcome, 1, memory_order_relaxed);
        close_and_free(tcp);
        return;
    }
    if (worker->quiescing)
        ks_tcp_finish(&tcp->connection);
    ks_tcp_poll_what_is_wanted(tcp);
}

static void offer_kept(struct ks_tcp *tcp)
{
    while (tcp->kept != NULL && !tcp->paused && tcp->state == STATE_OPEN) {
        struct kept_input *kept = tcp->kept;
        tcp->kept = NULL;
        size_t left = kept->size - kept->offset;
        size_t consumed =
            tcp->connection.events->received(&tcp->connection, kept->bytes + kept->offset, left);
        kept->offset += consumed;
        if (consumed == left || tcp->state != STATE_OPEN)
            free_kept(tcp, kept);
        else
            tcp->kept = kept;
    }
    count_output(tcp);
    ks_tcp_tell_end(tcp);
    if (ks_tcp_wants_input(tcp))
        ks_tcp_poll_what_is_wanted(tcp);
}

void ks_tcp_work_off(struct ks_worker *worker)
{
    while (worker->ready != NULL || worker->dirty != NULL || worker->doomed != NULL) {
        while (worker->ready != NULL) {
            struct ks_tcp *tcp = worker->ready;
            worker->ready = tcp->next_ready;
            tcp->is_ready = false;
            offer_kept(tcp);
        }
        while (worker->dirty != NULL) {
            struct ks_tcp *tcp = worker->dirty;
            worker->dirty = tcp->next_dirty;
            tcp->is_dirty = false;
            if (tcp->state == STATE_DOOMED) {
                tcp->next_dirty = worker->doomed;
                worker->doomed = tcp;
            } else {
                tcp_flush(tcp);
            }
        }
        close_doomed(worker);
    }
}

void ks_tcp_deadline_passed(struct ks_deadline *deadline)
{
    struct ks_tcp *tcp = KS_CONTAINER_OF(deadline, struct ks_tcp, deadline);
    if (tcp->state == STATE_OPEN)
        tcp->connection.events->deadline(&tcp->connection);
    else
        ks_tcp_doom(tcp);
}
