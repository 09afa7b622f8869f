/* tcp_lists.c — the lists of its worker that a connection may be in: see tcp_state.h. */
#include "net/tcp_state.h"

void ks_tcp_mark_ready(struct ks_tcp *tcp)
{
    struct ks_worker *worker = ks_tcp_worker(tcp);
    if (tcp->is_ready)
        return;
    tcp->is_ready = true;
    tcp->next_ready = worker->ready;
    worker->ready = tcp;
}

void ks_tcp_mark_dirty(struct ks_tcp *tcp)
{
    struct ks_worker *worker = ks_tcp_worker(tcp);
    if (tcp->is_dirty || tcp->state == STATE_DOOMED)
        return;
    tcp->is_dirty = true;
    tcp->next_dirty = worker->dirty;
    worker->dirty = tcp;
}

void ks_tcp_leave_idle(struct ks_tcp *tcp)
{
    struct ks_worker *worker = ks_tcp_worker(tcp);
    if (!tcp->is_idle)
        return;
    *(tcp->idle_older != NULL ? &tcp->idle_older->idle_newer : &worker->idle_oldest) = tcp->idle_newer;
    *(tcp->idle_newer != NULL ? &tcp->idle_newer->idle_older : &worker->idle_newest) = tcp->idle_older;
    tcp->is_idle = false;
    uint64_t oldest = worker->idle_oldest == NULL ? UINT64_MAX : worker->idle_oldest->idle_since_ms;
    atomic_store_explicit(&worker->oldest_idle_ms, oldest, memory_order_relaxed);
}

void ks_tcp_enter_idle(struct ks_tcp *tcp)
{
    struct ks_worker *worker = ks_tcp_worker(tcp);
    ks_tcp_leave_idle(tcp);
    tcp->is_idle = true;
    tcp->idle_since_ms = uv_now(&worker->uv);
    tcp->idle_newer = NULL;
    tcp->idle_older = worker->idle_newest;
    if (worker->idle_newest != NULL)
        worker->idle_newest->idle_newer = tcp;
    else
        worker->idle_oldest = tcp;
    worker->idle_newest = tcp;
    atomic_store_explicit(&worker->oldest_idle_ms, worker->idle_oldest->idle_since_ms, memory_order_relaxed);
}

/* The dirty list is swept of it by tcp_flush, which skips the doomed; so the doomed list needs a link of its
 * own only when it is dirty too, and then the flush moves it over. */
void ks_tcp_doom(struct ks_tcp *tcp)
{
    struct ks_worker *worker = ks_tcp_worker(tcp);
    if (tcp->state == STATE_DOOMED)
        return;
    tcp->state = STATE_DOOMED;
    ks_tcp_leave_idle(tcp);
    ks_deadline_clear(&worker->wheel, &tcp->deadline);
    if (tcp->is_dirty)
        return;
    tcp->next_dirty = worker->doomed;
    worker->doomed = tcp;
}
