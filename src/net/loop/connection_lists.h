/* connection_lists.h — which of a worker's connections have something to be done, and which have been idle
 * for how long. It knows nothing of what a connection is: each has *links* within it, and whoever takes links
 * off a list knows whose they are. Owned by the worker, its thread alone, but for what is atomic. Private to
 * src/net.
 *
 * Glossary. *ready*: a connection with kept input to be offered again. *dirty*: one with output to be sent.
 * *doomed*: one whose `closed` is due. The three lists are worked off in that order just before the loop
 * waits for the network again, so that everything that one turn brought forth leaves in one send per
 * connection.
 */
#ifndef KS_NET_LOOP_CONNECTION_LISTS_H
#define KS_NET_LOOP_CONNECTION_LISTS_H

#include "net/connection.h"

/* Zeroed at first: on no list, KS_STANDING_SILENT. */
struct ks_connection_links {
    struct ks_connection_links *next_ready;
    struct ks_connection_links *next_dirty; /* also links the doomed */
    struct ks_connection_links *idle_older;
    struct ks_connection_links *idle_newer;
    uint64_t idle_since_ms;
    uint8_t standing; /* enum ks_standing */
    bool is_ready : 1;
    bool is_dirty : 1;
    bool is_doomed : 1;
    bool is_idle : 1;
};

/* Idle connections of one standing. */
struct ks_idle_list {
    struct ks_connection_links *oldest;
    struct ks_connection_links *newest;
};

struct ks_connection_lists {
    struct ks_connection_links *ready;
    struct ks_connection_links *dirty;
    struct ks_connection_links *doomed;
    struct ks_idle_list idle[KS_STANDINGS];
    _Atomic unsigned *known_count; /* connections with KS_STANDING_KNOWN, of all workers */
    /* Since when the oldest is idle; UINT64_MAX when nobody is. Any thread may read it. */
    _Atomic uint64_t oldest_idle_ms[KS_STANDINGS];
};

/* Empty lists. */
void ks_connection_lists_init(struct ks_connection_lists *lists, _Atomic unsigned *known_count);

/* Kept input is to be offered again. */
void ks_connection_lists_add_ready(struct ks_connection_lists *lists, struct ks_connection_links *links);

/* Output is to be sent. Nothing happens to one that is doomed. */
void ks_connection_lists_add_dirty(struct ks_connection_lists *lists, struct ks_connection_links *links);

/* It is over; once. It is idle no more. */
void ks_connection_lists_add_doomed(struct ks_connection_lists *lists, struct ks_connection_links *links);

/* Take the newest off a list; NULL when there is none. Of the dirty, those that are doomed go to the doomed
 * instead. Nobody who is still ready is among the doomed, or it would be freed while it is on a list: that
 * waits until there is nobody ready. */
struct ks_connection_links *ks_connection_lists_take_ready(struct ks_connection_lists *lists);
struct ks_connection_links *ks_connection_lists_take_dirty(struct ks_connection_lists *lists);
struct ks_connection_links *ks_connection_lists_take_doomed(struct ks_connection_lists *lists);

/* Whether nobody is ready, dirty or doomed. */
static inline bool ks_connection_lists_are_worked_off(const struct ks_connection_lists *lists)
{
    return lists->ready == NULL && lists->dirty == NULL && lists->doomed == NULL;
}

/* Nothing is in flight, since `now_ms`, also where it was idle before; or something is. */
void ks_connection_lists_enter_idle(struct ks_connection_lists *lists, struct ks_connection_links *links,
                                    uint64_t now_ms);
void ks_connection_lists_leave_idle(struct ks_connection_lists *lists, struct ks_connection_links *links);

/* Who the peer is; one that is idle has been so since `now_ms`, if that is a change. */
void ks_connection_lists_set_standing(struct ks_connection_lists *lists, struct ks_connection_links *links,
                                      enum ks_standing standing, uint64_t now_ms);

/* The longest-idle connection of the lowest standing up to this one; NULL when nobody is idle. */
struct ks_connection_links *ks_connection_lists_longest_idle(const struct ks_connection_lists *lists,
                                                             enum ks_standing up_to);

#endif
