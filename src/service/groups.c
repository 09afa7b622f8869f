/* groups.c — see groups.h.
 *
 * Locks: groups->lock guards the table of groups and how many members each has; group->lock guards the order
 * of packets, the seats and how many sit on each. Never both at a time. Who sits on a seat is its loop's own.
 */
#include "service/groups.h"

#include "base/counter.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/secret.h"
#include "wire/chat.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    GROUPS_AT_FIRST = 16,
    COPIED_PACKET = 1024,      /* bytes up to which a copy is cheaper than a reference */
    COUNTED_QUEUE = 64 * 1024, /* shorter ones are not counted */
    LOOK_AGAIN_MS = 1000,      /* at a queue that is counted, when nothing more is said */
};

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
    unsigned member_count; /* under groups->lock */
    pthread_mutex_t lock;
    _Atomic uint64_t messages; /* lines that members have said; written under the lock */
    uint64_t sequence;         /* of the latest packet */
    struct ks_seat *seats;
    unsigned seat_count;
};

/* What one loop counts, for metrics. */
struct loop_counts {
    _Alignas(KS_CACHE_LINE) _Atomic uint64_t messages;
    _Atomic uint64_t packets;
    _Atomic uint64_t deliveries;
    _Atomic uint64_t cut_off;
};

struct ks_groups {
    struct loop_counts counts[KS_LOOPS_LIMIT];
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
    unsigned packets;
    bool wanted; /* the member waits */
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

/* ---- the table ---- */

enum ks_result ks_groups_new(const struct ks_groups_limits *limits, const struct ks_log *log,
                             struct ks_groups **groups)
{
    struct ks_groups *created = aligned_alloc(_Alignof(struct ks_groups), sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    memset(created, 0, sizeof *created);
    ks_groups_set_limits(created, limits);
    created->log = log;
    pthread_mutex_init(&created->lock, NULL);
    *groups = created;
    return KS_OK;
}

void ks_groups_set_limits(struct ks_groups *groups, const struct ks_groups_limits *limits)
{
    groups->limits.groups = limits->groups;
    groups->limits.members = limits->members;
    groups->limits.member_queue = limits->member_queue;
    groups->limits.queues = limits->queues;
}

void ks_groups_free(struct ks_groups *groups)
{
    if (groups == NULL)
        return;
    pthread_mutex_destroy(&groups->lock);
    free(groups->by_number);
    free(groups);
}

unsigned ks_groups_count(struct ks_groups *groups)
{
    pthread_mutex_lock(&groups->lock);
    unsigned count = groups->count;
    pthread_mutex_unlock(&groups->lock);
    return count;
}

/* Where the loop counts. */
static struct loop_counts *counts_of(struct ks_groups *groups, const struct ks_loop *loop)
{
    return &groups->counts[loop->number % KS_LOOPS_LIMIT];
}

void ks_groups_statistics(struct ks_groups *groups, struct ks_groups_statistics *statistics)
{
    *statistics =
        (struct ks_groups_statistics){.queued = atomic_load_explicit(&groups->queued, memory_order_relaxed)};
    pthread_mutex_lock(&groups->lock);
    statistics->groups = groups->count;
    statistics->members = groups->member_count;
    pthread_mutex_unlock(&groups->lock);
    for (size_t i = 0; i < KS_LOOPS_LIMIT; i++) {
        const struct loop_counts *counts = &groups->counts[i];
        statistics->messages += ks_counted(&counts->messages);
        statistics->packets += ks_counted(&counts->packets);
        statistics->deliveries += ks_counted(&counts->deliveries);
        statistics->cut_off += ks_counted(&counts->cut_off);
    }
}

size_t ks_groups_describe(struct ks_groups *groups, unsigned *number, struct ks_group_details *details,
                          size_t limit)
{
    size_t count = 0;
    pthread_mutex_lock(&groups->lock);
    for (unsigned place = *number; place < groups->capacity && count < limit; place++) {
        struct ks_group *group = groups->by_number[place];
        if (group == NULL)
            continue;
        details[count++] = (struct ks_group_details){
            .number = group->number,
            .members = group->member_count,
            .since = group->since,
            .messages = atomic_load_explicit(&group->messages, memory_order_relaxed)};
        *number = group->number;
    }
    pthread_mutex_unlock(&groups->lock);
    return count;
}

static void group_release(struct ks_group *group)
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

/* Under the lock. The lowest free place; KS_NO_SPACE or KS_NO_MEMORY when there is none. */
static enum ks_result find_place(struct ks_groups *groups, unsigned *place)
{
    if (groups->count >= groups->limits.groups)
        return KS_NO_SPACE;
    for (*place = 0; *place < groups->capacity; ++*place)
        if (groups->by_number[*place] == NULL)
            return KS_OK;
    unsigned capacity = groups->capacity == 0 ? GROUPS_AT_FIRST : groups->capacity * 2;
    struct ks_group **grown = realloc(groups->by_number, capacity * sizeof(struct ks_group *));
    if (grown == NULL)
        return KS_NO_MEMORY;
    memset(grown + groups->capacity, 0, (capacity - groups->capacity) * sizeof(struct ks_group *));
    groups->by_number = grown;
    groups->capacity = capacity;
    return KS_OK;
}

/* Under the lock. NULL when there is none. */
static struct ks_group *group_numbered(const struct ks_groups *groups, unsigned number)
{
    return number > 0 && number <= groups->capacity ? groups->by_number[number - 1] : NULL;
}

bool ks_groups_find(struct ks_groups *groups, unsigned number, uint64_t *serial)
{
    pthread_mutex_lock(&groups->lock);
    const struct ks_group *group = group_numbered(groups, number);
    if (group != NULL)
        *serial = group->serial;
    pthread_mutex_unlock(&groups->lock);
    return group != NULL;
}

/* ---- coming ---- */

static struct ks_credit *credit_new(struct ks_member *member)
{
    struct ks_credit *credit = calloc(1, sizeof *credit);
    if (credit == NULL)
        return NULL;
    credit->executor = &member->connection->loop->executor;
    credit->member = member;
    return credit;
}

/* Under group->lock. The loop's seat, or `spare`, which then is it and no longer the caller's. */
static struct ks_seat *seat_on(struct ks_group *group, struct ks_loop *loop, struct ks_seat **spare)
{
    struct ks_seat *seat = NULL;
    LL_FOREACH(group->seats, seat)
    if (seat->loop == loop)
        return seat;
    seat = *spare;
    *spare = NULL;
    seat->loop = loop;
    LL_PREPEND(group->seats, seat);
    group->seat_count++;
    return seat;
}

/* The member is counted in the group already, and has its credit. */
static void sit_down(struct ks_group *group, struct ks_member *member, struct ks_seat *spare)
{
    pthread_mutex_lock(&group->lock);
    struct ks_seat *seat = seat_on(group, member->connection->loop, &spare);
    seat->count++;
    member->joined_at = group->sequence;
    pthread_mutex_unlock(&group->lock);
    free(spare);
    member->group = group;
    member->seat = seat;
    DL_APPEND2(seat->members, member, previous, next);
}

static struct ks_group *group_new(struct ks_groups *groups, const uint8_t password[static KS_SHA256_SIZE],
                                  int64_t now)
{
    struct ks_group *group = calloc(1, sizeof *group);
    if (group == NULL)
        return NULL;
    group->groups = groups;
    group->since = now;
    atomic_init(&group->references, 1);
    group->member_count = 1;
    memcpy(group->password, password, KS_SHA256_SIZE);
    pthread_mutex_init(&group->lock, NULL);
    return group;
}

static enum ks_result publish(struct ks_groups *groups, struct ks_group *group)
{
    unsigned place = 0;
    pthread_mutex_lock(&groups->lock);
    enum ks_result result = find_place(groups, &place);
    if (result == KS_OK) {
        group->number = place + 1;
        group->serial = ++groups->last_serial;
        groups->by_number[place] = group;
        groups->count++;
        groups->member_count++;
    }
    pthread_mutex_unlock(&groups->lock);
    return result;
}

/* What a member needs before it sits down. False, and nothing made, when out of memory. */
static bool prepare_member(struct ks_member *member, struct ks_seat **spare)
{
    *spare = calloc(1, sizeof **spare);
    member->credit = credit_new(member);
    if (*spare != NULL && member->credit != NULL)
        return true;
    free(*spare);
    free(member->credit);
    member->credit = NULL;
    return false;
}

static enum ks_result unprepare_member(struct ks_member *member, struct ks_seat *spare, enum ks_result result)
{
    free(spare);
    free(member->credit);
    member->credit = NULL;
    return result;
}

/* Makes a group with `member` prepared to be its first. */
static enum ks_result found_group(struct ks_groups *groups, const uint8_t digest[static KS_SHA256_SIZE],
                                  const struct ks_member *member, struct ks_group **group)
{
    *group = group_new(groups, digest, ks_clock_wall_seconds(member->connection->loop->clock));
    if (*group == NULL)
        return KS_NO_MEMORY;
    enum ks_result result = publish(groups, *group);
    if (result != KS_OK)
        group_release(*group);
    return result;
}

enum ks_result ks_groups_create(struct ks_groups *groups, const uint8_t *password, size_t size,
                                struct ks_member *member, unsigned *number)
{
    uint8_t digest[KS_SHA256_SIZE];
    struct ks_seat *spare = NULL;
    struct ks_group *group = NULL;
    if (!prepare_member(member, &spare))
        return KS_NO_MEMORY;
    enum ks_result result = ks_sha256(password, size, digest);
    if (result == KS_OK)
        result = found_group(groups, digest, member, &group);
    ks_secret_wipe(digest, sizeof digest);
    if (result != KS_OK)
        return unprepare_member(member, spare, result);
    *number = group->number;
    sit_down(group, member, spare);
    return KS_OK;
}

/* Counts a new member in. KS_OK with *group, which the member then holds. */
static enum ks_result admit(struct ks_groups *groups, unsigned number, uint64_t serial,
                            const uint8_t digest[static KS_SHA256_SIZE], struct ks_group **group)
{
    enum ks_result result = KS_OK;
    pthread_mutex_lock(&groups->lock);
    struct ks_group *found = group_numbered(groups, number);
    if (found == NULL || found->serial != serial)
        result = KS_NOT_FOUND;
    else if (!ks_secret_equal(found->password, digest, KS_SHA256_SIZE))
        result = KS_REFUSED;
    else if (found->member_count >= groups->limits.members)
        result = KS_NO_SPACE;
    if (result == KS_OK) {
        found->member_count++;
        groups->member_count++;
        atomic_fetch_add_explicit(&found->references, 1, memory_order_relaxed);
        *group = found;
    }
    pthread_mutex_unlock(&groups->lock);
    return result;
}

enum ks_result ks_groups_join(struct ks_groups *groups, unsigned number, uint64_t serial,
                              const uint8_t *password, size_t size, struct ks_member *member)
{
    uint8_t digest[KS_SHA256_SIZE];
    struct ks_seat *spare = NULL;
    struct ks_group *group = NULL;
    if (!prepare_member(member, &spare))
        return KS_NO_MEMORY;
    enum ks_result result = ks_sha256(password, size, digest);
    if (result == KS_OK)
        result = admit(groups, number, serial, digest, &group);
    ks_secret_wipe(digest, sizeof digest);
    if (result != KS_OK)
        return unprepare_member(member, spare, result);
    sit_down(group, member, spare);
    return KS_OK;
}

unsigned ks_groups_number(const struct ks_member *member)
{
    return member->group->number;
}

/* ---- packets ---- */

static void packet_free(struct packet *packet)
{
    group_release(packet->group);
    ks_shared_release(packet->lines);
    free(packet);
}

static void packet_delivered(struct ks_task *task)
{
    struct packet *packet = KS_CONTAINER_OF(task, struct packet, delivered);
    struct ks_credit *credit = packet->credit;
    credit->used -= packet->lines->capacity;
    credit->packets--;
    packet_free(packet);
    if (credit->member == NULL) {
        if (credit->packets == 0)
            free(credit);
    } else if (credit->wanted && credit->used <= KS_GROUPS_CREDIT / 2) {
        credit->wanted = false;
        credit->member->may_go_on(credit->member);
    }
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
    ks_count(&counts_of(packet->group->groups, delivery->seat->loop)->deliveries, given);
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
    struct loop_counts *counts = counts_of(group->groups, member->connection->loop);
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
        member->credit->packets++;
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

static bool is_over_limit(struct ks_member *member)
{
    const struct ks_groups_limits *limits = &member->group->groups->limits;
    size_t memory = ks_connection_output_memory(member->connection);
    size_t all = count_queue(member, memory);
    return memory > (all > limits->queues ? KS_GROUPS_SMALL_QUEUE : limits->member_queue);
}

void ks_groups_look_at_queue(struct ks_member *member)
{
    if (is_over_limit(member)) { /* all of it may have come in this turn of the loop */
        ks_connection_flush(member->connection);
        if (is_over_limit(member)) {
            member->cut_off = true;
            ks_count(&counts_of(member->group->groups, member->connection->loop)->cut_off, 1);
            ks_connection_abort(member->connection);
            return;
        }
    }
    if (member->counted > 0) /* no event tells that the last of it is gone */
        ks_connection_set_deadline(member->connection, LOOK_AGAIN_MS);
}

/* ---- going ---- */

/* Packets on their way hold a credit, too, which gcc's analyser does not see. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

static void stand_up(struct ks_group *group, struct ks_member *member)
{
    struct ks_seat *seat = member->seat;
    DL_DELETE2(seat->members, member, previous, next);
    pthread_mutex_lock(&group->lock);
    seat->count--;
    pthread_mutex_unlock(&group->lock);
    member->seat = NULL;
    atomic_fetch_sub_explicit(&group->groups->queued, member->counted, memory_order_relaxed);
    member->counted = 0;
}

/* True when it was the last. */
static bool count_out(struct ks_groups *groups, struct ks_group *group)
{
    pthread_mutex_lock(&groups->lock);
    bool last = --group->member_count == 0;
    groups->member_count--;
    if (last) {
        groups->by_number[group->number - 1] = NULL;
        groups->count--;
    }
    pthread_mutex_unlock(&groups->lock);
    return last;
}

static void close_credit(struct ks_credit *credit)
{
    credit->member = NULL;
    if (credit->packets == 0)
        free(credit);
}

void ks_groups_leave(struct ks_member *member, struct ks_shared *farewell, bool *deleted)
{
    struct ks_group *group = member->group;
    stand_up(group, member);
    if (farewell != NULL)
        ks_groups_say(member, farewell, true); /* out of memory nobody hears of it */
    *deleted = count_out(group->groups, group);
    close_credit(member->credit);
    member->credit = NULL;
    member->group = NULL;
    group_release(group);
}
