/* tcp_state.c — what a TCP connection is: its state, what it is polled for, and the memory it keeps for
 * others: see tcp_internal.h.
 *
 * Life: OPEN -> (finish) FINISHING: output still goes out -> LINGERING: our end of stream is sent, input is
 * dropped until the peer's -> DOOMED: on the worker's list -> `closed`, freed. Abort goes to DOOMED directly,
 * by LINGERING where the service waits for the peer's end. Endings are in tcp_ending.c.
 */
#include "net/tcp/tcp_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- states ---- */

static const char *const state_names[STATES] = {"open", "finishing", "lingering", "doomed"};

static const uint16_t state_ways[STATES] = {
    [STATE_OPEN] = KS_WAY_TO(STATE_FINISHING) | KS_WAY_TO(STATE_LINGERING) | KS_WAY_TO(STATE_DOOMED),
    [STATE_FINISHING] = KS_WAY_TO(STATE_LINGERING) | KS_WAY_TO(STATE_DOOMED),
    [STATE_LINGERING] = KS_WAY_TO(STATE_DOOMED),
};

static const struct ks_machine machine = {.name = "connection", .states = state_names, .ways = state_ways};

void ks_tcp_become(struct ks_tcp *tcp, enum ks_tcp_state state)
{
    ks_connection_step(&tcp->connection, &machine, &tcp->state, state);
}

void ks_tcp_doom(struct ks_tcp *tcp)
{
    struct ks_worker_core *core = ks_tcp_core(tcp);
    if (tcp->state == STATE_DOOMED)
        return;
    ks_tcp_become(tcp, STATE_DOOMED);
    ks_deadline_clear(&core->deadlines, &tcp->deadline);
    if (tcp->watch != NULL)
        ks_deadline_clear(&core->reminders, &tcp->watch->reminder);
    ks_connection_lists_add_doomed(&core->lists, &tcp->links);
}

void ks_tcp_start_deadline(struct ks_tcp *tcp, uint64_t after_ms)
{
    struct ks_worker_core *core = ks_tcp_core(tcp);
    ks_deadline_set(&core->deadlines, &tcp->deadline, uv_now(&core->uv) + after_ms);
    ks_worker_core_need_ticks(core);
}

/* ---- polling ---- */

static void poll_for(struct ks_tcp *tcp, int events)
{
    if (tcp->polled == events)
        return;
    int failure = events == 0 ? uv_poll_stop(&tcp->poll)
                              : uv_poll_start(&tcp->poll, events, ks_tcp_core(tcp)->on_socket);
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

void ks_tcp_poll_for_room(struct ks_tcp *tcp)
{
    poll_for(tcp, tcp->polled | UV_WRITABLE);
}

/* ---- memory ---- */

/* Steps of the sum, so that ordinary answers cost it nothing. */
enum { COUNTED_STEP = KS_OUTPUT_SHORT };

void ks_tcp_count_memory(struct ks_tcp *tcp)
{
    size_t memory = tcp->output.memory + (tcp->kept != NULL ? tcp->kept->size : 0);
    if (memory > UINT32_MAX)
        memory = UINT32_MAX;
    size_t counted = memory / COUNTED_STEP * COUNTED_STEP;
    if (counted == tcp->counted_memory)
        return;
    atomic_fetch_add_explicit(&ks_tcp_core(tcp)->shared->output, counted - tcp->counted_memory,
                              memory_order_relaxed);
    tcp->counted_memory = (uint32_t)counted;
}

bool ks_tcp_memory_is_short(const struct ks_tcp *tcp)
{
    const struct ks_worker_shared *shared = ks_tcp_core(tcp)->shared;
    return atomic_load_explicit(&shared->output, memory_order_relaxed) > shared->output_limit;
}

void ks_tcp_forget_input(const struct ks_tcp *tcp, void *bytes, size_t size)
{
    if (tcp->connection.events->input_is_secret)
        explicit_bzero(bytes, size);
}

void ks_tcp_drop_kept(struct ks_tcp *tcp)
{
    if (tcp->kept != NULL)
        ks_tcp_forget_input(tcp, tcp->kept->bytes, tcp->kept->size);
    free(tcp->kept);
    tcp->kept = NULL;
}
