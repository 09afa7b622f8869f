/* leases.c — who has which part of what waits for a receiver: the leases of inboxes.h.
 *
 * Ids of a receiver ascend, and all parts are disjoint ranges of them: the leased, those that settle, and
 * those that came back and wait before the tail. What comes back where the tail begins becomes tail again;
 * so as long as nobody has got what came later, everything waits in order.
 */
#include "store/embedded/memory/inboxes_internal.h"

static bool is_owner(const struct ks_inbox *inbox, uint64_t owner)
{
    return inbox != NULL && inbox->leased && inbox->owner == owner;
}

void ks_inbox_free_parts(struct ks_inbox_part **parts)
{
    struct ks_inbox_part *next = NULL;
    for (struct ks_inbox_part *part = *parts; part != NULL; part = next) {
        next = part->next;
        ks_table_free(part);
    }
    *parts = NULL;
}

void ks_inbox_forget_parts(struct ks_inbox *inbox)
{
    ks_inbox_free_parts(&inbox->leases);
    ks_inbox_free_parts(&inbox->returned);
    ks_inbox_free_parts(&inbox->settling);
    ks_inbox_free_parts(&inbox->staying);
    inbox->leased_count = 0;
    inbox->leased_bytes = 0;
    inbox->returned_count = 0;
    inbox->returned_bytes = 0;
    inbox->settling_count = 0;
    inbox->leased = false;
}

/* Takes the last out of a list that is not empty. */
static struct ks_inbox_part *take_last(struct ks_inbox_part **parts)
{
    /* A head's prev is the last, the head only where it is alone: clang's analyzer cannot know that.
     * NOLINTBEGIN(clang-analyzer-core.NullDereference) */
    struct ks_inbox_part *last = (*parts)->prev;
    DL_DELETE(*parts, last);
    /* NOLINTEND(clang-analyzer-core.NullDereference) */
    return last;
}

/* ---- what comes back ---- */

/* What came back last may be tail again. */
static void return_to_tail(struct ks_inbox *inbox)
{
    while (inbox->returned != NULL && inbox->returned->prev->part.last == inbox->tail) {
        struct ks_inbox_part *last = take_last(&inbox->returned);
        inbox->returned_count -= last->part.count;
        inbox->returned_bytes -= last->part.bytes;
        inbox->tail = last->part.after;
        ks_table_free(last);
    }
}

/* A part that is in no list waits again, before all others. Of several the newest comes back first, so they
 * stay in order, and are one again. */
static void put_back(struct ks_inbox *inbox, struct ks_inbox_part *part)
{
    struct ks_inbox_part *first = inbox->returned;
    inbox->returned_count += part->part.count;
    inbox->returned_bytes += part->part.bytes;
    if (first != NULL && first->part.after == part->part.last) {
        first->part.after = part->part.after;
        first->part.count += part->part.count;
        first->part.bytes += part->part.bytes;
        ks_table_free(part);
    } else {
        DL_PREPEND(inbox->returned, part);
    }
    return_to_tail(inbox);
}

static void end_lease(struct ks_inbox *inbox)
{
    while (inbox->leases != NULL)
        put_back(inbox, take_last(&inbox->leases));
    inbox->leased_count = 0;
    inbox->leased_bytes = 0;
    inbox->leased = false;
}

static void end_empty_lease(struct ks_inbox *inbox)
{
    if (inbox->leases == NULL)
        end_lease(inbox);
}

static void unsettle(struct ks_inboxes *inboxes, struct ks_inbox *inbox, struct ks_inbox_part *part)
{
    DL_DELETE(inbox->settling, part);
    inbox->settling_count--;
    ks_inbox_set_waiting(inboxes, inbox, inbox->count + part->part.count, inbox->bytes + part->part.bytes);
    put_back(inbox, part);
}

static void unsettle_all_of(struct ks_inboxes *inboxes, struct ks_inbox *inbox, uint64_t owner)
{
    struct ks_inbox_part *part = inbox->settling != NULL ? inbox->settling->prev : NULL;
    while (part != NULL) {
        struct ks_inbox_part *older = part != inbox->settling ? part->prev : NULL;
        if (part->owner == owner)
            unsettle(inboxes, inbox, part);
        part = older;
    }
}

/* ---- leasing ---- */

/* Makes the lease the owner's, if it may be. */
static bool take_lease(const struct ks_inboxes *inboxes, struct ks_inbox *inbox, uint64_t owner, uint64_t now)
{
    if (inbox->leased && inbox->owner != owner) {
        if (now - inbox->progress_ms < inboxes->lease_lifetime_ms)
            return false;
        end_lease(inbox);
    }
    inbox->leased = true;
    inbox->owner = owner;
    inbox->progress_ms = now;
    return true;
}

/* The range that the next part begins: what came back first, or the tail. */
static struct ks_part next_range(const struct ks_inbox *inbox)
{
    if (inbox->returned != NULL)
        return inbox->returned->part;
    return (struct ks_part){.after = inbox->tail,
                            .last = inbox->last,
                            .count = inbox->count - inbox->leased_count,
                            .bytes = inbox->bytes - inbox->leased_bytes};
}

/* Takes `part`, the beginning of what came back first, out of it. NULL when out of memory. */
static struct ks_inbox_part *take_returned(struct ks_inbox *inbox, const struct ks_part *part)
{
    struct ks_inbox_part *first = inbox->returned;
    struct ks_inbox_part *taken = first;
    if (part->last == first->part.last) {
        DL_DELETE(inbox->returned, first);
    } else {
        taken = ks_table_allocate(sizeof *taken);
        if (taken == NULL)
            return NULL;
        first->part.after = part->last;
        first->part.count -= part->count;
        first->part.bytes -= part->bytes;
    }
    inbox->returned_count -= part->count;
    inbox->returned_bytes -= part->bytes;
    return taken;
}

/* Leases `part`, the beginning of the next range. */
static enum ks_result lease_part(struct ks_inbox *inbox, struct ks_part *part)
{
    bool from_tail = inbox->returned == NULL;
    struct ks_inbox_part *lease = from_tail ? ks_table_allocate(sizeof *lease) : take_returned(inbox, part);
    if (lease == NULL)
        return KS_NO_MEMORY;
    if (from_tail)
        inbox->tail = part->last;
    inbox->leased_count += part->count;
    inbox->leased_bytes += part->bytes;
    part->more = inbox->count > inbox->leased_count;
    lease->part = *part;
    DL_APPEND(inbox->leases, lease);
    return KS_OK;
}

/* All of the next range, if it fits. */
static enum ks_result lease_range(struct ks_inbox *inbox, uint64_t size_limit, size_t overhead,
                                  struct ks_part *part)
{
    *part = next_range(inbox);
    if (part->count > 1 && part->bytes + part->count * overhead > size_limit)
        return KS_PENDING;
    enum ks_result result = part->count > 0 ? lease_part(inbox, part) : KS_OK;
    end_empty_lease(inbox);
    return result;
}

enum ks_result ks_inboxes_lease(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                                uint64_t owner, uint64_t filed, uint64_t size_limit, size_t overhead,
                                struct ks_part *part)
{
    enum ks_result result = KS_OK;
    *part = (struct ks_part){0};
    pthread_mutex_lock(&inboxes->lock);
    struct ks_inbox *inbox = ks_inbox_find(inboxes, receiver);
    if (inbox != NULL && inbox->last > filed && inbox->count > 0)
        result = KS_MORE;
    else if (inbox != NULL && take_lease(inboxes, inbox, owner, ks_clock_monotonic_ms(inboxes->clock)))
        result = lease_range(inbox, size_limit, overhead, part);
    pthread_mutex_unlock(&inboxes->lock);
    return result;
}

/* Whether there can be such a run at the beginning of the range. A message that was forgotten may have been
 * the range's last. */
static bool is_within(const struct ks_part *part, const struct ks_part *range)
{
    if (part->count == range->count)
        return part->bytes == range->bytes && part->last <= range->last;
    return part->count > 0 && part->count < range->count && part->bytes <= range->bytes &&
           part->last < range->last;
}

/* Leases a run that was found on disk, if it still begins where the next part does. */
static enum ks_result lease_run(struct ks_inbox *inbox, struct ks_part *part)
{
    struct ks_part range = next_range(inbox);
    if (part->after != range.after) {
        *part = (struct ks_part){.after = range.after, .last = range.last};
        return KS_PENDING;
    }
    if (!is_within(part, &range))
        return KS_IO;
    if (part->count == range.count)
        part->last = range.last;
    return lease_part(inbox, part);
}

enum ks_result ks_inboxes_lease_run(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                                    uint64_t owner, struct ks_part *part)
{
    enum ks_result result = KS_NOT_FOUND;
    pthread_mutex_lock(&inboxes->lock);
    struct ks_inbox *inbox = ks_inbox_find(inboxes, receiver);
    if (inbox != NULL && inbox->count > inbox->leased_count &&
        take_lease(inboxes, inbox, owner, ks_clock_monotonic_ms(inboxes->clock))) {
        result = lease_run(inbox, part);
        if (result != KS_PENDING)
            end_empty_lease(inbox);
    }
    pthread_mutex_unlock(&inboxes->lock);
    return result;
}

void ks_inboxes_lease_nothing(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t owner)
{
    pthread_mutex_lock(&inboxes->lock);
    struct ks_inbox *inbox = ks_inbox_find(inboxes, receiver);
    if (is_owner(inbox, owner))
        end_empty_lease(inbox);
    pthread_mutex_unlock(&inboxes->lock);
}

enum ks_result ks_inboxes_part(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                               uint64_t owner, uint64_t last, struct ks_part *part)
{
    const struct ks_inbox_part *lease = NULL;
    pthread_mutex_lock(&inboxes->lock);
    struct ks_inbox *inbox = ks_inbox_find(inboxes, receiver);
    if (is_owner(inbox, owner)) {
        lease = inbox->leases;
        while (lease != NULL && lease->part.last != last)
            lease = lease->next;
    }
    if (lease != NULL) {
        *part = lease->part;
        inbox->progress_ms = ks_clock_monotonic_ms(inboxes->clock);
    }
    pthread_mutex_unlock(&inboxes->lock);
    return lease != NULL ? KS_OK : KS_NOT_FOUND;
}

void ks_inboxes_renew(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t owner)
{
    pthread_mutex_lock(&inboxes->lock);
    struct ks_inbox *inbox = ks_inbox_find(inboxes, receiver);
    if (is_owner(inbox, owner))
        inbox->progress_ms = ks_clock_monotonic_ms(inboxes->clock);
    pthread_mutex_unlock(&inboxes->lock);
}

void ks_inboxes_release(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t owner)
{
    pthread_mutex_lock(&inboxes->lock);
    struct ks_inbox *inbox = ks_inbox_find(inboxes, receiver);
    if (is_owner(inbox, owner))
        end_lease(inbox);
    if (inbox != NULL)
        unsettle_all_of(inboxes, inbox, owner);
    pthread_mutex_unlock(&inboxes->lock);
}

/* ---- forgetting ---- */

static struct ks_inbox_part *part_with(struct ks_inbox_part *parts, uint64_t message_id)
{
    while (parts != NULL && (message_id <= parts->part.after || message_id > parts->part.last))
        parts = parts->next;
    return parts;
}

/* Ends the lease of this part and of all that are newer. */
static void end_leases_from(struct ks_inbox *inbox, const struct ks_inbox_part *oldest)
{
    bool more = true;
    while (more) {
        struct ks_inbox_part *newest = take_last(&inbox->leases);
        more = newest != oldest;
        inbox->leased_count -= newest->part.count;
        inbox->leased_bytes -= newest->part.bytes;
        put_back(inbox, newest);
    }
    end_empty_lease(inbox);
}

/* True when nothing is left of the part, which is in no list then. */
static bool take_out_of(struct ks_inbox_part **parts, struct ks_inbox_part *part, uint64_t size)
{
    part->part.count--;
    part->part.bytes -= size;
    if (part->part.count > 0)
        return false;
    DL_DELETE(*parts, part);
    ks_table_free(part);
    return true;
}

bool ks_inbox_forget(struct ks_inbox *inbox, uint64_t message_id, uint64_t size)
{
    struct ks_inbox_part *settling = part_with(inbox->settling, message_id);
    if (settling != NULL) {
        if (take_out_of(&inbox->settling, settling, size))
            inbox->settling_count--;
        return false;
    }
    const struct ks_inbox_part *leased = part_with(inbox->leases, message_id);
    if (leased != NULL)
        end_leases_from(inbox, leased);
    struct ks_inbox_part *returned = part_with(inbox->returned, message_id);
    if (returned == NULL)
        return message_id > inbox->tail && inbox->count > inbox->leased_count + inbox->returned_count;
    inbox->returned_count--;
    inbox->returned_bytes -= size;
    (void)take_out_of(&inbox->returned, returned, size);
    return true;
}

/* ---- settling ---- */

/* The owner's newest settling part, if it ends where `part` begins. */
static struct ks_inbox_part *settling_before(const struct ks_inbox *inbox, const struct ks_inbox_part *part,
                                             uint64_t owner)
{
    struct ks_inbox_part *newest = inbox->settling != NULL ? inbox->settling->prev : NULL;
    bool joins = newest != NULL && newest->owner == owner && newest->part.last == part->part.after;
    return joins ? newest : NULL;
}

/* The oldest leased part settles. */
static void settle_oldest(struct ks_inboxes *inboxes, struct ks_inbox *inbox, struct ks_inbox_part *before)
{
    struct ks_inbox_part *part = inbox->leases;
    DL_DELETE(inbox->leases, part);
    inbox->leased_count -= part->part.count;
    inbox->leased_bytes -= part->part.bytes;
    ks_inbox_set_waiting(inboxes, inbox, inbox->count - part->part.count, inbox->bytes - part->part.bytes);
    if (before != NULL) {
        before->part.last = part->part.last;
        before->part.count += part->part.count;
        before->part.bytes += part->part.bytes;
        ks_table_free(part);
    } else {
        part->owner = inbox->owner;
        DL_APPEND(inbox->settling, part);
        inbox->settling_count++;
    }
    end_empty_lease(inbox);
}

enum ks_result ks_inboxes_settle(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                                 uint64_t owner, uint64_t last, bool *joins)
{
    enum ks_result result = KS_NOT_FOUND;
    pthread_mutex_lock(&inboxes->lock);
    struct ks_inbox *inbox = ks_inbox_find(inboxes, receiver);
    if (is_owner(inbox, owner) && inbox->leases != NULL && inbox->leases->part.last == last) {
        struct ks_inbox_part *before = *joins ? settling_before(inbox, inbox->leases, owner) : NULL;
        *joins = before != NULL;
        result = before != NULL || inbox->settling_count < KS_SETTLING_LIMIT ? KS_OK : KS_REFUSED;
        if (result == KS_OK)
            settle_oldest(inboxes, inbox, before);
    }
    pthread_mutex_unlock(&inboxes->lock);
    return result;
}

enum ks_result ks_inboxes_delivered(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                                    uint64_t owner, uint64_t last, uint64_t *after)
{
    pthread_mutex_lock(&inboxes->lock);
    struct ks_inbox *inbox = ks_inbox_find(inboxes, receiver);
    struct ks_inbox_part *part = inbox != NULL ? inbox->settling : NULL;
    while (part != NULL && (part->owner != owner || part->part.last != last))
        part = part->next;
    if (part != NULL) {
        DL_DELETE(inbox->settling, part);
        DL_APPEND(inbox->leaving, part);
        inbox->settling_count--;
        inbox->removals++;
        *after = part->part.after;
    }
    pthread_mutex_unlock(&inboxes->lock);
    return part != NULL ? KS_OK : KS_NOT_FOUND;
}
