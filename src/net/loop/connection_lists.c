/* connection_lists.c — see connection_lists.h. */
#include "net/loop/connection_lists.h"

void ks_connection_lists_init(struct ks_connection_lists *lists, _Atomic unsigned *known_count)
{
    *lists = (struct ks_connection_lists){.known_count = known_count};
    for (size_t i = 0; i < KS_STANDINGS; i++)
        atomic_init(&lists->oldest_idle_ms[i], UINT64_MAX);
}

/* ---- what is to be done ---- */

void ks_connection_lists_add_ready(struct ks_connection_lists *lists, struct ks_connection_links *links)
{
    if (links->is_ready)
        return;
    links->is_ready = true;
    links->next_ready = lists->ready;
    lists->ready = links;
}

void ks_connection_lists_add_dirty(struct ks_connection_lists *lists, struct ks_connection_links *links)
{
    if (links->is_dirty || links->is_doomed)
        return;
    links->is_dirty = true;
    links->next_dirty = lists->dirty;
    lists->dirty = links;
}

static void link_doomed(struct ks_connection_lists *lists, struct ks_connection_links *links)
{
    links->next_dirty = lists->doomed;
    lists->doomed = links;
}

/* The doomed need a link of their own only where they are dirty, too; so these are moved over when they are
 * taken off that list. */
void ks_connection_lists_add_doomed(struct ks_connection_lists *lists, struct ks_connection_links *links)
{
    links->is_doomed = true;
    ks_connection_lists_leave_idle(lists, links);
    if (!links->is_dirty)
        link_doomed(lists, links);
}

struct ks_connection_links *ks_connection_lists_take_ready(struct ks_connection_lists *lists)
{
    struct ks_connection_links *links = lists->ready;
    if (links == NULL)
        return NULL;
    lists->ready = links->next_ready;
    links->is_ready = false;
    return links;
}

struct ks_connection_links *ks_connection_lists_take_dirty(struct ks_connection_lists *lists)
{
    struct ks_connection_links *links = NULL;
    while ((links = lists->dirty) != NULL) {
        lists->dirty = links->next_dirty;
        links->is_dirty = false;
        if (!links->is_doomed)
            return links;
        link_doomed(lists, links);
    }
    return NULL;
}

struct ks_connection_links *ks_connection_lists_take_doomed(struct ks_connection_lists *lists)
{
    struct ks_connection_links *links = lists->doomed;
    if (links == NULL || lists->ready != NULL)
        return NULL;
    lists->doomed = links->next_dirty;
    return links;
}

/* ---- who is idle ---- */

static void publish_oldest(struct ks_connection_lists *lists, const struct ks_idle_list *list)
{
    uint64_t oldest = list->oldest == NULL ? UINT64_MAX : list->oldest->idle_since_ms;
    atomic_store_explicit(&lists->oldest_idle_ms[list - lists->idle], oldest, memory_order_relaxed);
}

void ks_connection_lists_leave_idle(struct ks_connection_lists *lists, struct ks_connection_links *links)
{
    struct ks_idle_list *list = &lists->idle[links->standing];
    if (!links->is_idle)
        return;
    *(links->idle_older != NULL ? &links->idle_older->idle_newer : &list->oldest) = links->idle_newer;
    *(links->idle_newer != NULL ? &links->idle_newer->idle_older : &list->newest) = links->idle_older;
    links->is_idle = false;
    publish_oldest(lists, list);
}

void ks_connection_lists_enter_idle(struct ks_connection_lists *lists, struct ks_connection_links *links,
                                    uint64_t now_ms)
{
    struct ks_idle_list *list = &lists->idle[links->standing];
    ks_connection_lists_leave_idle(lists, links);
    links->is_idle = true;
    links->idle_since_ms = now_ms;
    links->idle_newer = NULL;
    links->idle_older = list->newest;
    if (list->newest != NULL)
        list->newest->idle_newer = links;
    else
        list->oldest = links;
    list->newest = links;
    publish_oldest(lists, list);
}

void ks_connection_lists_set_standing(struct ks_connection_lists *lists, struct ks_connection_links *links,
                                      enum ks_standing standing, uint64_t now_ms)
{
    bool idle = links->is_idle;
    if (links->standing == standing)
        return;
    ks_connection_lists_leave_idle(lists, links);
    if (links->standing == KS_STANDING_KNOWN)
        atomic_fetch_sub(lists->known_count, 1);
    if (standing == KS_STANDING_KNOWN)
        atomic_fetch_add(lists->known_count, 1);
    links->standing = (uint8_t)standing;
    if (idle)
        ks_connection_lists_enter_idle(lists, links, now_ms);
}

struct ks_connection_links *ks_connection_lists_longest_idle(const struct ks_connection_lists *lists,
                                                             enum ks_standing up_to)
{
    struct ks_connection_links *oldest = NULL;
    for (unsigned standing = 0; standing <= up_to && oldest == NULL; standing++)
        oldest = lists->idle[standing].oldest;
    return oldest;
}
