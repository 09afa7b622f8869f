/* groups.c — see groups.h and groups_internal.h: the table of groups, and members who come and go. Calls
 * group_packets.c, never the other way round. */
#include "service/chat/groups_internal.h"

#include "crypto/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { GROUPS_AT_FIRST = 16 };

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

void ks_groups_statistics(struct ks_groups *groups, struct ks_groups_statistics *statistics)
{
    *statistics =
        (struct ks_groups_statistics){.queued = atomic_load_explicit(&groups->queued, memory_order_relaxed)};
    pthread_mutex_lock(&groups->lock);
    statistics->groups = groups->count;
    statistics->members = groups->member_count;
    pthread_mutex_unlock(&groups->lock);
    for (size_t i = 0; i < KS_LOOPS_LIMIT; i++) {
        const struct ks_group_counts *counts = &groups->counts[i];
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

/* Under groups->lock. */
static void put_name(struct ks_group *group, struct ks_member *member)
{
    if (member->name != NULL)
        DL_APPEND2(group->named, member, earlier, later);
}

/* Under groups->lock: whether another member has a name like this one's. */
static bool has_name(const struct ks_group *group, const struct ks_member *member)
{
    const struct ks_member *other = member->name != NULL ? group->named : NULL;
    while (other != NULL && strcmp(other->skeleton, member->skeleton) != 0)
        other = other->later;
    return other != NULL;
}

static enum ks_result publish(struct ks_groups *groups, struct ks_group *group, struct ks_member *member)
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
        put_name(group, member);
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
                                  struct ks_member *member, struct ks_group **group)
{
    *group = group_new(groups, digest, ks_clock_wall_seconds(member->connection->loop->clock));
    if (*group == NULL)
        return KS_NO_MEMORY;
    enum ks_result result = publish(groups, *group, member);
    if (result != KS_OK)
        ks_group_release(*group);
    return result;
}

/* Counts a new member in. KS_OK with *group, which the member then holds. */
static enum ks_result admit(struct ks_groups *groups, unsigned number, uint64_t serial,
                            const uint8_t digest[static KS_SHA256_SIZE], struct ks_member *member,
                            struct ks_group **group)
{
    enum ks_result result = KS_OK;
    pthread_mutex_lock(&groups->lock);
    struct ks_group *found = group_numbered(groups, number);
    if (found == NULL || found->serial != serial)
        result = KS_NOT_FOUND;
    else if (!ks_secret_equal(found->password, digest, KS_SHA256_SIZE))
        result = KS_REFUSED;
    else if (has_name(found, member))
        result = KS_EXISTS;
    else if (found->member_count >= groups->limits.members)
        result = KS_NO_SPACE;
    if (result == KS_OK) {
        found->member_count++;
        put_name(found, member);
        groups->member_count++;
        atomic_fetch_add_explicit(&found->references, 1, memory_order_relaxed);
        *group = found;
    }
    pthread_mutex_unlock(&groups->lock);
    return result;
}

/* Into the group with that number and serial; with serial 0, which none has, into a new one. KS_OK with
 * *group. */
static enum ks_result enter_group(struct ks_groups *groups, unsigned number, uint64_t serial,
                                  const uint8_t *password, size_t size, struct ks_member *member,
                                  struct ks_group **group)
{
    uint8_t digest[KS_SHA256_SIZE];
    struct ks_seat *spare = NULL;
    if (!prepare_member(member, &spare))
        return KS_NO_MEMORY;
    enum ks_result result = ks_sha256(password, size, digest);
    if (result == KS_OK)
        result = serial == 0 ? found_group(groups, digest, member, group)
                             : admit(groups, number, serial, digest, member, group);
    ks_secret_wipe(digest, sizeof digest);
    if (result != KS_OK)
        return unprepare_member(member, spare, result);
    sit_down(*group, member, spare);
    return KS_OK;
}

enum ks_result ks_groups_create(struct ks_groups *groups, const uint8_t *password, size_t size,
                                struct ks_member *member, unsigned *number)
{
    struct ks_group *group = NULL;
    enum ks_result result = enter_group(groups, 0, 0, password, size, member, &group);
    if (result == KS_OK)
        *number = group->number;
    return result;
}

enum ks_result ks_groups_join(struct ks_groups *groups, unsigned number, uint64_t serial,
                              const uint8_t *password, size_t size, struct ks_member *member)
{
    struct ks_group *group = NULL;
    return serial == 0 ? KS_NOT_FOUND : enter_group(groups, number, serial, password, size, member, &group);
}

unsigned ks_groups_names(const struct ks_member *member, char *text, size_t capacity)
{
    struct ks_groups *groups = member->group->groups;
    size_t used = 0;
    unsigned told = 0;
    text[0] = '\0';
    pthread_mutex_lock(&groups->lock);
    for (const struct ks_member *other = member->group->named; other != NULL; other = other->later) {
        size_t size = strlen(other->name) + (told > 0 ? 2 : 0);
        if (size >= capacity - used)
            break;
        snprintf(text + used, capacity - used, "%s%s", told > 0 ? ", " : "", other->name);
        used += size;
        told++;
    }
    unsigned left_out = member->group->member_count - told;
    pthread_mutex_unlock(&groups->lock);
    return left_out;
}

unsigned ks_groups_number(const struct ks_member *member)
{
    return member->group->number;
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
static bool count_out(struct ks_groups *groups, struct ks_group *group, struct ks_member *member)
{
    pthread_mutex_lock(&groups->lock);
    if (member->name != NULL)
        DL_DELETE2(group->named, member, earlier, later);
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
    if (credit->tasks == 0)
        free(credit);
}

void ks_groups_leave(struct ks_member *member, struct ks_shared *farewell, bool *deleted)
{
    struct ks_group *group = member->group;
    stand_up(group, member);
    if (farewell != NULL)
        ks_groups_say(member, farewell, true); /* out of memory nobody hears of it */
    *deleted = count_out(group->groups, group, member);
    close_credit(member->credit);
    member->credit = NULL;
    member->group = NULL;
    ks_group_release(group);
}
