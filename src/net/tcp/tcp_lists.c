/* tcp_lists.c — the lists of its worker that a connection may be in: see tcp_internal.h. */
#include "net/tcp/tcp_internal.h"

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

static void publish_oldest(struct ks_worker *worker, const struct ks_idle_list *list)
{
    uint64_t oldest = list->oldest == NULL ? UINT64_MAX : list->oldest->idle_since_ms;
    atomic_store_explicit(&worker->oldest_idle_ms[list - worker->idle], oldest, memory_order_relaxed);
}

void ks_tcp_leave_idle(struct ks_tcp *tcp)
{
    struct ks_worker *worker = ks_tcp_worker(tcp);
    struct ks_idle_list *list = &worker->idle[tcp->standing];
    if (!tcp->is_idle)
        return;
    *(tcp->idle_older != NULL ? &tcp->idle_older->idle_newer : &list->oldest) = tcp->idle_newer;
    *(tcp->idle_newer != NULL ? &tcp->idle_newer->idle_older : &list->newest) = tcp->idle_older;
    tcp->is_idle = false;
    publish_oldest(worker, list);
}

void ks_tcp_enter_idle(struct ks_tcp *tcp)
{
    struct ks_worker *worker = ks_tcp_worker(tcp);
    struct ks_idle_list *list = &worker->idle[tcp->standing];
    ks_tcp_leave_idle(tcp);
    tcp->is_idle = true;
    tcp->idle_since_ms = uv_now(&worker->uv);
    tcp->idle_newer = NULL;
    tcp->idle_older = list->newest;
    if (list->newest != NULL)
        list->newest->idle_newer = tcp;
    else
        list->oldest = tcp;
    list->newest = tcp;
    publish_oldest(worker, list);
}

void ks_tcp_change_standing(struct ks_tcp *tcp, enum ks_standing standing)
{
    _Atomic unsigned *known = &ks_tcp_worker(tcp)->shared->known_count;
    bool idle = tcp->is_idle;
    if (tcp->standing == standing)
        return;
    ks_tcp_leave_idle(tcp);
    if (tcp->standing == KS_STANDING_KNOWN)
        atomic_fetch_sub(known, 1);
    if (standing == KS_STANDING_KNOWN)
        atomic_fetch_add(known, 1);
    tcp->standing = (uint8_t)standing;
    if (idle)
        ks_tcp_enter_idle(tcp);
}

/* The dirty list is swept of it by tcp_flush, which skips the doomed; so the doomed list needs a link of its
 * own only when it is dirty too, and then the flush moves it over. */
void ks_tcp_doom(struct ks_tcp *tcp)
{
    struct ks_worker *worker = ks_tcp_worker(tcp);
    if (tcp->state == STATE_DOOMED)
        return;
    ks_tcp_become(tcp, STATE_DOOMED);
    ks_tcp_leave_idle(tcp);
    ks_deadline_clear(&worker->wheel, &tcp->deadline);
    if (tcp->watch != NULL)
        ks_deadline_clear(&worker->reminders, &tcp->watch->reminder);
    if (tcp->is_dirty)
        return;
    tcp->next_dirty = worker->doomed;
    worker->doomed = tcp;
}
