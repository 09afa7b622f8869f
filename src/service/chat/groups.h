/* groups.h — the groups of the chat, their members, and one order of messages for all of them (protocol.md
 * §2). Private to src/service and src/server.
 *
 * Members sit on many loops. What is said goes out as a *packet*: some lines, counted, that are posted once
 * to each loop where members sit, under the group's lock; so every loop, and every member, sees the packets
 * of a group in one order. A member joins between two packets: it gets all that come later.
 *
 * A member belongs to its loop; what is said about its memory and functions here holds for that loop's
 * thread. Groups are counted: they go with their last member, and the last packet on its way.
 */
#ifndef KS_SERVICE_CHAT_GROUPS_H
#define KS_SERVICE_CHAT_GROUPS_H

#include "base/shared.h"
#include "net/connection.h"

struct ks_groups;
struct ks_group;
struct ks_seat;
struct ks_credit;

struct ks_groups_limits {
    _Atomic unsigned groups;
    _Atomic unsigned members;    /* of one group */
    _Atomic size_t member_queue; /* bytes that wait for one member; then it is cut off */
    _Atomic size_t
        queues; /* the same for all together; beyond, KS_GROUPS_SMALL_QUEUE is the limit for each */
};

enum {
    KS_GROUPS_SMALL_QUEUE = 256 * 1024,
    KS_GROUPS_CREDIT = 256 * 1024, /* bytes that a member may have said and not all loops have taken */
};

/* Part of a session. Zeros, but for `connection`, until it joins; from then on its place must not change. */
struct ks_member {
    struct ks_member *previous, *next; /* in its seat */
    struct ks_connection *connection;
    struct ks_group *group; /* NULL: in none */
    struct ks_seat *seat;
    struct ks_credit *credit;
    uint64_t joined_at;  /* it gets the packets after this one */
    size_t counted;      /* of its queue, in the sum of all */
    const char *cut_off; /* the setting whose limit its queue passed, and its connection was ended; or NULL */
    const char *name;    /* on the secure port: stays as it is in a group; NULL: names are not unique */
    const char *skeleton;              /* likewise: what no other member of the group may have */
    struct ks_member *earlier, *later; /* of those with a name, in the order of joining; under groups->lock */
    bool line_mode; /* texts end with LF and may be joined; else each goes out apart, without the LF */
    /* What it said was taken by all loops, so that it has credit again; only after ks_groups_has_credit said
     * no. */
    void (*may_go_on)(struct ks_member *member);
    /* What ks_groups_hear_out was asked for. */
    void (*has_heard)(struct ks_member *member);
};

/* KS_OK with *groups for ks_groups_free, after the last loop has ended; KS_NO_MEMORY. */
enum ks_result ks_groups_new(const struct ks_groups_limits *limits, const struct ks_log *log,
                             struct ks_groups **groups);
void ks_groups_free(struct ks_groups *groups); /* NULL is allowed */

/* From now on other limits count; who is there stays. Any thread. */
void ks_groups_set_limits(struct ks_groups *groups, const struct ks_groups_limits *limits);

/* How many groups there are. Any thread. */
unsigned ks_groups_count(struct ks_groups *groups);

/* What an operator may know of a group. */
struct ks_group_details {
    unsigned number;
    unsigned members;
    int64_t since;     /* wall seconds */
    uint64_t messages; /* lines that its members have said */
};

/* The next groups by number, after *number, which becomes that of the last one. Returns how many stand in
 * `details`, at most `limit`; 0 when there are no more. Any thread. */
size_t ks_groups_describe(struct ks_groups *groups, unsigned *number, struct ks_group_details *details,
                          size_t limit);

/* What the chat is doing, for metrics. */
struct ks_groups_statistics {
    uint64_t groups;
    uint64_t members;
    uint64_t messages;   /* lines that members have said, in all */
    uint64_t packets;    /* that they made */
    uint64_t deliveries; /* of packets to members */
    uint64_t cut_off;    /* members */
    size_t queued;       /* bytes, of all counted queues */
};
void ks_groups_statistics(struct ks_groups *groups, struct ks_groups_statistics *statistics); /* any thread */

/* Makes a group with the lowest free number, and `member` its first member. KS_OK with *number; KS_NO_SPACE
 * when there are too many; KS_NO_MEMORY; KS_CRYPTO. The password is any bytes; only its digest is kept. */
enum ks_result ks_groups_create(struct ks_groups *groups, const uint8_t *password, size_t size,
                                struct ks_member *member, unsigned *number);

/* The group that has this number now: true with *serial, which no other group ever has. */
bool ks_groups_find(struct ks_groups *groups, unsigned number, uint64_t *serial);

/* Makes `member` one of the group. KS_OK; KS_NOT_FOUND when that group is gone; KS_REFUSED for a wrong
 * password (compared in constant time); KS_EXISTS when another member's name is like this one's; KS_NO_SPACE
 * when it has too many; KS_NO_MEMORY; KS_CRYPTO. */
enum ks_result ks_groups_join(struct ks_groups *groups, unsigned number, uint64_t serial,
                              const uint8_t *password, size_t size, struct ks_member *member);

/* The number of the member's group. */
unsigned ks_groups_number(const struct ks_member *member);

/* The names of all members, where they have such, with ", " between them: as many as fit `capacity` with a
 * NUL. Returns how many were left out. */
unsigned ks_groups_names(const struct ks_member *member, char *text, size_t capacity);

/* Gives `lines` to all other members: each ends with LF, which members in chunk mode do not get unless
 * `with_newlines`. Takes over the caller's reference. KS_OK; KS_NO_MEMORY: nobody got anything. */
enum ks_result ks_groups_say(struct ks_member *member, struct ks_shared *lines, bool with_newlines);

/* Whether the member may say more now; if not, may_go_on comes. */
bool ks_groups_has_credit(struct ks_member *member);

/* Looks at the member's queue, counts it anew, and cuts the member off when it is over its limit: to be
 * called for a member whenever its connection is drained, and at its deadline. The deadline of a member's
 * connection belongs to its queue, which is looked at again while it is counted. */
void ks_groups_look_at_queue(struct ks_member *member);

/* has_heard comes, on the member's loop, when all that was said in the group until now has been given to the
 * member: what is on its way to the loop stands in front. Not when the member leaves before. Once. */
void ks_groups_hear_out(struct ks_member *member);

/* The member is none any more, and may go. `farewell`, lines as above, goes to the others; NULL for none.
 * Takes over the caller's reference. *deleted tells that it was the last, and the group is gone. */
void ks_groups_leave(struct ks_member *member, struct ks_shared *farewell, bool *deleted);

#endif
