/* groups_internal.h — groups from within, shared by the files that serve them: groups.c has the table, and
 * lets members come and go; group_packets.c carries what they say, and frees a group behind the last packet.
 * Private to both; groups.c calls group_packets.c.
 *
 * Locks: groups->lock guards the table of groups, how many members each has, and their names; group->lock
 * guards the order of packets, the seats and how many sit on each. Never both at a time. Who sits on a seat
 * is its loop's own.
 */
#ifndef KS_SERVICE_CHAT_GROUPS_INTERNAL_H
#define KS_SERVICE_CHAT_GROUPS_INTERNAL_H

#include "base/counter.h"
#include "crypto/digest.h"
#include "service/chat/groups.h"

#include <pthread.h>

/* The members of a group on one loop. */
struct ks_seat {
    struct ks_seat *next;
    struct ks_loop *loop;
    unsigned count;            /* under group->lock */
    struct ks_member *members; /* the loop's */
};

struct ks_group {
    struct ks_groups *groups;
    _Atomic unsigned references; /* members, and packets on their way */
    unsigned number;
    uint64_t serial;
    int64_t since; /* wall seconds */
    uint8_t password[KS_SHA256_SIZE];
    unsigned member_count;   /* under groups->lock */
    struct ks_member *named; /* likewise: on the secure port all of them */
    pthread_mutex_t lock;
    _Atomic uint64_t messages; /* lines that members have said; written under the lock */
    uint64_t sequence;         /* of the latest packet */
    struct ks_seat *seats;
    unsigned seat_count;
};

/* What one loop counts, for metrics. */
struct ks_group_counts {
    _Alignas(KS_CACHE_LINE) _Atomic uint64_t messages;
    _Atomic uint64_t packets;
    _Atomic uint64_t deliveries;
    _Atomic uint64_t cut_off;
};

struct ks_groups {
    struct ks_group_counts counts[KS_LOOPS_LIMIT];
    struct ks_groups_limits limits;
    const struct ks_log *log;
    pthread_mutex_t lock;
    struct ks_group **by_number; /* place n holds group n + 1, or NULL */
    unsigned capacity;
    unsigned count;
    unsigned member_count;
    uint64_t last_serial;
    _Atomic size_t queued; /* bytes, of all counted queues */
};

/* What a member has said and not all loops have taken. The member's loop's; it outlives the member. */
struct ks_credit {
    struct ks_executor *executor;
    struct ks_member *member; /* NULL when it is gone */
    size_t used;
    unsigned tasks; /* that are on their way back to it: packets, and `heard` */
    bool wanted;    /* the member waits */
    struct ks_task heard;
};

/* Where the loop counts. */
static inline struct ks_group_counts *ks_group_counts_of(struct ks_groups *groups, const struct ks_loop *loop)
{
    return &groups->counts[loop->number % KS_LOOPS_LIMIT];
}

/* group_packets.c: gives a reference back, with the last of which the group goes; any thread. */
void ks_group_release(struct ks_group *group);

#endif
