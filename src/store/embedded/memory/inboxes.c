/* inboxes.c — see inboxes.h: what arrives, what leaves, and the sums. One mutex, held for a look-up and some
 * sums. */
#include "store/embedded/memory/inboxes_internal.h"

#include "store/embedded/memory/largest_senders.h"

#include <stdlib.h>
#include <string.h>

struct ks_inboxes *ks_inboxes_new(const struct ks_clock *clock, uint64_t lease_lifetime_ms,
                                  const struct ks_store_limits *limits)
{
    struct ks_inboxes *inboxes = calloc(1, sizeof *inboxes);
    if (inboxes == NULL)
        return NULL;
    pthread_mutex_init(&inboxes->lock, NULL);
    inboxes->clock = clock;
    inboxes->lease_lifetime_ms = lease_lifetime_ms;
    inboxes->limits = limits;
    return inboxes;
}

static void mark_undeleted(struct ks_inboxes *inboxes, struct ks_inbox *inbox)
{
    if (inbox->undeleted)
        return;
    inbox->undeleted = true;
    DL_APPEND2(inboxes->undeleted, inbox, previous, next);
}

void ks_inboxes_free(struct ks_inboxes *inboxes)
{
    if (inboxes == NULL)
        return;
    struct ks_inbox *inbox = inboxes->inboxes;
    struct ks_inbox *next = NULL;
    HASH_CLEAR(hh, inboxes->inboxes);
    for (; inbox != NULL; inbox = next) {
        next = inbox->hh.next;
        ks_inbox_forget_parts(inbox);
        ks_inbox_free_parts(&inbox->leaving);
        ks_largest_senders_free(inbox->senders);
        free(inbox);
    }
    pthread_mutex_destroy(&inboxes->lock);
    free(inboxes);
}

enum ks_result ks_inboxes_load(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                               const struct ks_part *waiting, bool known)
{
    pthread_mutex_lock(&inboxes->lock);
    struct ks_inbox *inbox = ks_inbox_get(inboxes, receiver);
    if (inbox != NULL) {
        inbox->last = waiting->last;
        ks_inbox_set_waiting(inboxes, inbox, known ? waiting->count : 0, known ? waiting->bytes : 0);
        inbox->vacated = !known;
        if (!known)
            mark_undeleted(inboxes, inbox);
    }
    pthread_mutex_unlock(&inboxes->lock);
    return inbox != NULL ? KS_OK : KS_NO_MEMORY;
}

/* ---- sums ---- */

void ks_inboxes_waiting(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t *count,
                        uint64_t *bytes)
{
    pthread_mutex_lock(&inboxes->lock);
    const struct ks_inbox *inbox = ks_inbox_find(inboxes, receiver);
    *count = inbox != NULL ? inbox->count : 0;
    *bytes = inbox != NULL ? inbox->bytes : 0;
    pthread_mutex_unlock(&inboxes->lock);
}

bool ks_inboxes_has(struct ks_inboxes *inboxes, const struct ks_client_id *receiver)
{
    pthread_mutex_lock(&inboxes->lock);
    bool has = ks_inbox_find(inboxes, receiver) != NULL;
    pthread_mutex_unlock(&inboxes->lock);
    return has;
}

void ks_inboxes_all_waiting(struct ks_inboxes *inboxes, uint64_t *count, uint64_t *bytes)
{
    pthread_mutex_lock(&inboxes->lock);
    *count = inboxes->count;
    *bytes = inboxes->bytes;
    pthread_mutex_unlock(&inboxes->lock);
}

/* ---- the writer's thread only ---- */

static bool passes(uint64_t limit, uint64_t sum)
{
    return limit != 0 && sum > limit;
}

/* The limit that the inbox would pass. */
static enum ks_store_limit passed_limit(const struct ks_store_limits *limits, const struct ks_inbox *inbox,
                                        uint64_t content_size)
{
    if (passes(atomic_load(&limits->waiting_messages), inbox->count + inbox->expected + 1))
        return KS_STORE_LIMIT_WAITING_MESSAGES;
    if (passes(atomic_load(&limits->waiting_bytes), inbox->bytes + inbox->expected_bytes + content_size))
        return KS_STORE_LIMIT_WAITING_BYTES;
    return KS_STORE_LIMIT_NONE;
}

/* Whether `has` of a sender, with its message, is more than the room that is left before the message. */
static bool passes_share(uint64_t limit, uint64_t waits, uint64_t has)
{
    return limit != 0 && (waits > limit || has > limit - waits);
}

/* The limit of which the sender would have more than its share, with `share` for it. Of who has all that
 * waits, this asks for no more than half of the limits. */
static enum ks_store_limit passed_share(const struct ks_store_limits *limits, const struct ks_inbox *inbox,
                                        const struct ks_largest_senders_share *share, uint64_t content_size)
{
    if (passes_share(atomic_load(&limits->waiting_messages), inbox->count + inbox->expected,
                     share->messages + 1))
        return KS_STORE_LIMIT_SHARE_OF_MESSAGES;
    if (passes_share(atomic_load(&limits->waiting_bytes), inbox->bytes + inbox->expected_bytes,
                     share->bytes + content_size))
        return KS_STORE_LIMIT_SHARE_OF_BYTES;
    return KS_STORE_LIMIT_NONE;
}

static enum ks_result judge(const struct ks_store_limits *limits, const struct ks_inbox *inbox,
                            const struct ks_client_id *sender, uint64_t content_size, bool can_wait,
                            enum ks_store_limit *limit)
{
    const struct ks_largest_senders_share all = {.messages = inbox->count + inbox->expected,
                                                 .bytes = inbox->bytes + inbox->expected_bytes};
    *limit = passed_limit(limits, inbox, content_size);
    if (*limit != KS_STORE_LIMIT_NONE)
        return KS_REFUSED;
    if (passed_share(limits, inbox, &all, content_size) == KS_STORE_LIMIT_NONE)
        return KS_OK; /* whoever has how much */
    if (inbox->senders == NULL)
        return can_wait ? KS_MORE : KS_OK;
    const struct ks_largest_senders_share share = ks_largest_senders_share_of(inbox->senders, sender);
    *limit = passed_share(limits, inbox, &share, content_size);
    return *limit == KS_STORE_LIMIT_NONE ? KS_OK : KS_REFUSED;
}

static void expect(struct ks_inbox *inbox, const struct ks_client_id *sender, uint64_t content_size)
{
    inbox->expected++;
    inbox->expected_bytes += content_size;
    if (inbox->senders != NULL)
        ks_largest_senders_add(inbox->senders, sender, content_size);
}

enum ks_result ks_inboxes_expect(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                                 const struct ks_client_id *sender, uint64_t content_size, bool can_wait,
                                 enum ks_store_limit *limit)
{
    enum ks_result result = KS_NO_MEMORY;
    pthread_mutex_lock(&inboxes->lock);
    struct ks_inbox *inbox = ks_inbox_get(inboxes, receiver);
    if (inbox != NULL)
        result = judge(inboxes->limits, inbox, sender, content_size, can_wait, limit);
    if (result == KS_OK)
        expect(inbox, sender, content_size);
    else if (inbox != NULL)
        ks_inbox_put(inboxes, inbox);
    pthread_mutex_unlock(&inboxes->lock);
    return result;
}

void ks_inboxes_arrived(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t message_id,
                        uint64_t content_size)
{
    pthread_mutex_lock(&inboxes->lock);
    struct ks_inbox *inbox = ks_inbox_find(inboxes, receiver);
    if (inbox != NULL) { /* it is expected, so it is there */
        inbox->expected--;
        inbox->expected_bytes -= content_size;
        ks_inbox_change_sums(inboxes, inbox, inbox->count + 1, inbox->bytes + content_size);
        inbox->last = message_id;
    }
    pthread_mutex_unlock(&inboxes->lock);
}

void ks_inboxes_not_arrived(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                            const struct ks_client_id *sender, uint64_t content_size)
{
    pthread_mutex_lock(&inboxes->lock);
    struct ks_inbox *inbox = ks_inbox_find(inboxes, receiver);
    if (inbox != NULL) { /* likewise */
        inbox->expected--;
        inbox->expected_bytes -= content_size;
        if (inbox->senders != NULL)
            ks_largest_senders_take(inbox->senders, sender, content_size);
        ks_inbox_put(inboxes, inbox);
    }
    pthread_mutex_unlock(&inboxes->lock);
}

/* Of several owners' parts the older ones may come back last: so none of them is first for sure. */
static uint64_t lowest(const struct ks_inbox_part *parts, uint64_t after)
{
    for (; parts != NULL; parts = parts->next)
        after = parts->part.after < after ? parts->part.after : after;
    return after;
}

/* All that waits has ids above this. */
static uint64_t waits_above(const struct ks_inbox *inbox)
{
    return lowest(inbox->leases, lowest(inbox->returned, inbox->tail));
}

void ks_inboxes_count_from(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t *after,
                           uint64_t *era)
{
    pthread_mutex_lock(&inboxes->lock);
    const struct ks_inbox *inbox = ks_inbox_find(inboxes, receiver);
    *after = inbox != NULL ? waits_above(inbox) : 0;
    *era = inbox != NULL ? inbox->era : 0;
    pthread_mutex_unlock(&inboxes->lock);
}

bool ks_inboxes_counted(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t era,
                        struct ks_largest_senders **senders)
{
    pthread_mutex_lock(&inboxes->lock);
    struct ks_inbox *inbox = ks_inbox_find(inboxes, receiver);
    bool is_over = inbox != NULL && inbox->era != era;
    if (inbox != NULL && !is_over) {
        ks_largest_senders_free(inbox->senders);
        inbox->senders = *senders;
        *senders = NULL;
    }
    pthread_mutex_unlock(&inboxes->lock);
    return !is_over;
}

static void empty_inbox(struct ks_inboxes *inboxes, struct ks_inbox *inbox)
{
    ks_inbox_forget_parts(inbox);
    ks_inbox_set_waiting(inboxes, inbox, 0, 0);
    inbox->tail = inbox->last;
    inbox->vacated = true;
}

void ks_inboxes_abandon(struct ks_inboxes *inboxes, const struct ks_client_id *receiver)
{
    pthread_mutex_lock(&inboxes->lock);
    struct ks_inbox *inbox = ks_inbox_find(inboxes, receiver);
    if (inbox != NULL) {
        empty_inbox(inboxes, inbox);
        mark_undeleted(inboxes, inbox);
    }
    pthread_mutex_unlock(&inboxes->lock);
}

bool ks_inboxes_vacate(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t *up_to)
{
    pthread_mutex_lock(&inboxes->lock);
    struct ks_inbox *inbox = ks_inbox_find(inboxes, receiver);
    if (inbox != NULL) {
        empty_inbox(inboxes, inbox);
        inbox->removals++;
        *up_to = inbox->last;
    }
    pthread_mutex_unlock(&inboxes->lock);
    return inbox != NULL;
}

/* The part whose removal has ended goes, or stays for another try; of a receiver that is no more, all goes
 * together. */
static void end_removal(struct ks_inbox *inbox, uint64_t after, bool gone)
{
    struct ks_inbox_part *part = inbox->leaving;
    while (part != NULL && part->part.after != after)
        part = part->next;
    if (part == NULL)
        return;
    DL_DELETE(inbox->leaving, part);
    if (gone || inbox->vacated)
        ks_table_free(part);
    else
        DL_APPEND(inbox->staying, part);
}

void ks_inboxes_forget(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t message_id,
                       uint64_t size)
{
    pthread_mutex_lock(&inboxes->lock);
    struct ks_inbox *inbox = ks_inbox_find(inboxes, receiver);
    if (inbox != NULL) {
        if (ks_inbox_forget(inbox, message_id, size))
            ks_inbox_set_waiting(inboxes, inbox, inbox->count - 1, inbox->bytes - size);
        ks_inbox_put(inboxes, inbox);
    }
    pthread_mutex_unlock(&inboxes->lock);
}

void ks_inboxes_removed(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t after,
                        bool gone)
{
    pthread_mutex_lock(&inboxes->lock);
    struct ks_inbox *inbox = ks_inbox_find(inboxes, receiver);
    if (inbox != NULL) { /* a removal is on its way, so it is there */
        inbox->removals--;
        end_removal(inbox, after, gone);
        if (!gone)
            mark_undeleted(inboxes, inbox);
        ks_inbox_put(inboxes, inbox);
    }
    pthread_mutex_unlock(&inboxes->lock);
}

/* What of an undeleted inbox is to be deleted next; it is on its way then. */
static struct ks_part take_staying(struct ks_inboxes *inboxes, struct ks_inbox *inbox)
{
    struct ks_inbox_part *part = inbox->staying;
    DL_DELETE2(inboxes->undeleted, inbox, previous, next);
    inbox->undeleted = false;
    inbox->removals++;
    if (part == NULL)
        return (struct ks_part){.last = inbox->last};
    DL_DELETE(inbox->staying, part);
    DL_APPEND(inbox->leaving, part);
    if (inbox->staying != NULL)
        mark_undeleted(inboxes, inbox);
    return part->part;
}

bool ks_inboxes_next_undeleted(struct ks_inboxes *inboxes, struct ks_client_id *receiver, uint64_t *after,
                               uint64_t *up_to)
{
    pthread_mutex_lock(&inboxes->lock);
    struct ks_inbox *inbox = inboxes->undeleted;
    if (inbox != NULL) {
        struct ks_part part = take_staying(inboxes, inbox);
        *receiver = inbox->id;
        *after = part.after;
        *up_to = part.last;
    }
    pthread_mutex_unlock(&inboxes->lock);
    return inbox != NULL;
}
