/* group_packets.c — see groups.h and groups_internal.h: what members say, on its way to the others. One
 * packet for each read of a member, one delivery of it for each loop that has members.
 */
#include "service/chat/groups_internal.h"

#include "base/text.h"
#include "crypto/secret.h"
#include "wire/chat_codec.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    COPIED_PACKET = 1024,      /* bytes up to which a copy is cheaper than a reference */
    COUNTED_QUEUE = 64 * 1024, /* shorter ones are not counted */
    LOOK_AGAIN_MS = 1000,      /* at a queue that is counted, when nothing more is said */
};

struct packet;

struct delivery {
    struct ks_task task;
    struct packet *packet;
    struct ks_seat *seat;
};

struct packet {
    _Atomic unsigned left; /* deliveries */
    struct ks_group *group;
    struct ks_shared *lines;
    struct ks_credit *credit;
    const struct ks_member *speaker; /* gets nothing; may be gone */
    uint64_t sequence;
    bool with_newlines;
    struct ks_task delivered; /* on the speaker's loop */
    struct delivery deliveries[];
};

/* ---- packets ---- */

void ks_group_release(struct ks_group *group)
{
    if (atomic_fetch_sub_explicit(&group->references, 1, memory_order_acq_rel) != 1)
        return;
    struct ks_seat *seat = group->seats;
    while (seat != NULL) {
        struct ks_seat *next = seat->next;
        free(seat);
        seat = next;
    }
    pthread_mutex_destroy(&group->lock);
    ks_secret_wipe(group->password, sizeof group->password);
    free(group);
}

static void packet_free(struct packet *packet)
{
    ks_group_release(packet->group);
    ks_shared_release(packet->lines);
    free(packet);
}

/* A task has come back. The member; NULL when it is gone, and the credit with its last task. */
static struct ks_member *member_at_return(struct ks_credit *credit)
{
    struct ks_member *member = credit->member;
    credit->tasks--;
    if (member == NULL && credit->tasks == 0)
        free(credit);
    return member;
}

static void packet_delivered(struct ks_task *task)
{
    struct packet *packet = KS_CONTAINER_OF(task, struct packet, delivered);
    struct ks_credit *credit = packet->credit;
    credit->used -= packet->lines->capacity;
    packet_free(packet);
    struct ks_member *member = member_at_return(credit);
    if (member != NULL && credit->wanted && credit->used <= KS_GROUPS_CREDIT / 2) {
        credit->wanted = false;
        member->may_go_on(member);
    }
}

static void has_heard(struct ks_task *task)
{
    struct ks_member *member = member_at_return(KS_CONTAINER_OF(task, struct ks_credit, heard));
    if (member != NULL)
        member->has_heard(member);
}

void ks_groups_hear_out(struct ks_member *member)
{
    struct ks_credit *credit = member->credit;
    credit->tasks++;
    credit->heard.run = has_heard;
    /* Under the lock: a packet that others have already may not be posted to this loop yet. */
    pthread_mutex_lock(&member->group->lock);
    ks_executor_post(credit->executor, &credit->heard);
    pthread_mutex_unlock(&member->group->lock);
}

/* One text to a member in chunk mode: nothing that it reads at once is cut short by its small buffer. */
static void give_apart(const struct ks_member *member, const uint8_t *text, size_t size)
{
    while (size > 0) {
        size_t part = ks_text_cut(text, size, KS_CHAT_SEND_LIMIT);
        ks_connection_write_apart(member->connection, text, part);
        text += part;
        size -= part;
    }
}

static void give_lines_apart(const struct ks_member *member, const struct packet *packet)
{
    const uint8_t *text = packet->lines->bytes;
    size_t left = packet->lines->size;
    while (left > 0) {
        const uint8_t *end = memchr(text, '\n', left);
        size_t size = end != NULL ? (size_t)(end - text) : left;
        size_t taken = end != NULL ? size + 1 : left;
        give_apart(member, text, packet->with_newlines ? taken : size);
        text += taken;
        left -= taken;
    }
}

static void give_packet(struct ks_member *member, const struct packet *packet)
{
    struct ks_shared *lines = packet->lines;
    if (!member->line_mode)
        give_lines_apart(member, packet);
    else if (lines->size <= COPIED_PACKET)
        ks_connection_write(member->connection, lines->bytes, lines->size);
    else
        ks_connection_write_shared(member->connection, lines, 0, lines->size, false);
    ks_groups_look_at_queue(member);
}

static void deliver(struct ks_task *task)
{
    const struct delivery *delivery = KS_CONTAINER_OF(task, struct delivery, task);
    struct packet *packet = delivery->packet;
    struct ks_member *member = NULL;
    uint64_t given = 0;
    DL_FOREACH(delivery->seat->members, member)
    if (member->joined_at < packet->sequence && member != packet->speaker) {
        give_packet(member, packet);
        given++;
    }
    ks_count(&ks_group_counts_of(packet->group->groups, delivery->seat->loop)->deliveries, given);
    if (atomic_fetch_sub_explicit(&packet->left, 1, memory_order_acq_rel) == 1)
        ks_executor_post(packet->credit->executor, &packet->delivered);
}

/* Under group->lock: every seat that is taken gets its delivery, all in this place of the order. */
static void post_deliveries(struct ks_group *group, struct packet *packet)
{
    unsigned count = 0;
    struct ks_seat *seat = NULL;
    packet->sequence = ++group->sequence;
    LL_FOREACH(group->seats, seat)
    if (seat->count > 0)
        packet->deliveries[count++] =
            (struct delivery){.task = {.run = deliver}, .packet = packet, .seat = seat};
    atomic_init(&packet->left, count);
    for (unsigned i = 0; i < count; i++)
        ks_executor_post(&packet->deliveries[i].seat->loop->executor, &packet->deliveries[i].task);
}

static struct packet *packet_new(struct ks_group *group, struct ks_member *member, struct ks_shared *lines)
{
    struct packet *packet = malloc(sizeof *packet + group->seat_count * sizeof packet->deliveries[0]);
    if (packet == NULL)
        return NULL;
    *packet = (struct packet){.group = group,
                              .lines = lines,
                              .credit = member->credit,
                              .speaker = member,
                              .delivered = {.run = packet_delivered}};
    return packet;
}

static bool is_alone(const struct ks_group *group, const struct ks_member *member)
{
    unsigned others = 0;
    const struct ks_seat *seat = NULL;
    LL_FOREACH(group->seats, seat)
    others += seat->count;
    return others == (member->seat != NULL ? 1U : 0U);
}

static uint64_t count_lines(const struct ks_shared *lines)
{
    uint64_t count = 0;
    const uint8_t *end = lines->bytes + lines->size;
    const uint8_t *next = lines->bytes;
    while (next < end && (next = memchr(next, '\n', (size_t)(end - next))) != NULL) {
        next++;
        count++;
    }
    return count;
}

enum ks_result ks_groups_say(struct ks_member *member, struct ks_shared *lines, bool with_newlines)
{
    struct ks_group *group = member->group;
    struct packet *packet = NULL;
    struct ks_group_counts *counts = ks_group_counts_of(group->groups, member->connection->loop);
    uint64_t said = with_newlines ? 0 : count_lines(lines); /* else it is what we tell of members */
    ks_count(&counts->messages, said);
    pthread_mutex_lock(&group->lock);
    ks_count(&group->messages, said);
    bool alone = is_alone(group, member);
    if (!alone)
        packet = packet_new(group, member, lines);
    if (packet != NULL) {
        packet->with_newlines = with_newlines;
        member->credit->used += lines->capacity;
        member->credit->tasks++;
        atomic_fetch_add_explicit(&group->references, 1, memory_order_relaxed);
        post_deliveries(group, packet);
        ks_count(&counts->packets, 1);
    }
    pthread_mutex_unlock(&group->lock);
    if (packet == NULL)
        ks_shared_release(lines);
    return packet != NULL || alone ? KS_OK : KS_NO_MEMORY;
}

bool ks_groups_has_credit(struct ks_member *member)
{
    if (member->credit->used < KS_GROUPS_CREDIT)
        return true;
    member->credit->wanted = true;
    return false;
}

/* Returns how long all counted queues are. */
static size_t count_queue(struct ks_member *member, size_t memory)
{
    struct ks_groups *groups = member->group->groups;
    size_t counted = memory > COUNTED_QUEUE ? memory : 0;
    size_t difference = counted - member->counted; /* wraps round when it is negative, and so does the sum */
    member->counted = counted;
    if (difference == 0)
        return atomic_load_explicit(&groups->queued, memory_order_relaxed);
    return atomic_fetch_add_explicit(&groups->queued, difference, memory_order_relaxed) + difference;
}

/* The setting whose limit the member's queue has passed; NULL for none. */
static const char *passed_limit(struct ks_member *member)
{
    const struct ks_groups_limits *limits = &member->group->groups->limits;
    size_t memory = ks_connection_output_memory(member->connection);
    size_t all = count_queue(member, memory);
    if (memory > limits->member_queue)
        return "member-queue";
    return all > limits->queues && memory > KS_GROUPS_SMALL_QUEUE ? "chat-queues" : NULL;
}

void ks_groups_look_at_queue(struct ks_member *member)
{
    if (passed_limit(member) != NULL) { /* all of it may have come in this turn of the loop */
        ks_connection_flush(member->connection);
        member->cut_off = passed_limit(member);
        if (member->cut_off != NULL) {
            ks_count(&ks_group_counts_of(member->group->groups, member->connection->loop)->cut_off, 1);
            ks_connection_abort(member->connection);
            return;
        }
    }
    if (member->counted > 0) /* no event tells that the last of it is gone */
        ks_connection_set_deadline(member->connection, LOOK_AGAIN_MS);
}
