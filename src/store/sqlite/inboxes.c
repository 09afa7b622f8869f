/* inboxes.c — see inboxes.h. One uthash table under one mutex, held for a look-up and some sums. */
#include "store/sqlite/inboxes.h"

#include "store/id_hash.h"
#include "store/table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A leased part. Allocated like tables, and for the same reason. */
struct lease {
    struct lease *prev, *next; /* older, newer */
    struct ks_part part;
};

struct inbox {
    UT_hash_handle hh;
    struct ks_client_id id;
    /* What was not delivered. */
    uint64_t count;
    uint64_t bytes;
    uint64_t last;  /* the highest id there was */
    uint64_t floor; /* all up to this id were delivered */
    /* What of that is leased. */
    uint64_t owner;
    uint64_t progress_ms;
    uint64_t leased_count;
    uint64_t leased_bytes;
    struct lease *leases; /* oldest first */
    /* Undeleted ones. */
    struct inbox *previous, *next;
    uint64_t expected_bytes; /* of messages that are about to be committed, … */
    uint32_t expected;       /* … and how many they are */
    uint32_t removals;       /* on their way */
    bool leased;             /* to `owner`, though perhaps without a part yet */
    bool undeleted;
};

struct ks_inboxes {
    pthread_mutex_t lock;
    struct inbox *inboxes;
    struct inbox *undeleted; /* longest waiting first */
    uint64_t count;          /* of all: what was not delivered */
    uint64_t bytes;
    const struct ks_clock *clock;
    uint64_t lease_lifetime_ms;
    const struct ks_store_limits *limits;
};

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

/* ---- inboxes ---- */

static struct inbox *inbox_find(struct ks_inboxes *inboxes, const struct ks_client_id *id)
{
    struct inbox *inbox = NULL;
    HASH_FIND_BYHASHVALUE(hh, inboxes->inboxes, id->bytes, sizeof id->bytes, ks_id_hash(id), inbox);
    return inbox;
}

/* The one there is, or a new one; NULL when out of memory. */
static struct inbox *inbox_get(struct ks_inboxes *inboxes, const struct ks_client_id *id)
{
    struct inbox *inbox = inbox_find(inboxes, id);
    if (inbox != NULL)
        return inbox;
    inbox = calloc(1, sizeof *inbox);
    if (inbox == NULL)
        return NULL;
    inbox->id = *id;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, inboxes->inboxes, inbox->id.bytes, sizeof inbox->id.bytes, ks_id_hash(id),
                                inbox);
    if (inbox->hh.tbl != NULL)
        return inbox;
    free(inbox);
    return NULL;
}

/* Everything that was leased and not delivered waits again. */
static void end_lease(struct inbox *inbox)
{
    struct lease *next = NULL;
    for (struct lease *lease = inbox->leases; lease != NULL; lease = next) {
        next = lease->next;
        ks_table_free(lease);
    }
    inbox->leases = NULL;
    inbox->leased_count = 0;
    inbox->leased_bytes = 0;
    inbox->leased = false;
}

/* What was not delivered is now so much. */
static void set_waiting(struct ks_inboxes *inboxes, struct inbox *inbox, uint64_t count, uint64_t bytes)
{
    inboxes->count += count - inbox->count; /* wraps round when it is less, and so does the sum */
    inboxes->bytes += bytes - inbox->bytes;
    inbox->count = count;
    inbox->bytes = bytes;
}

/* Frees an inbox that nobody needs any more. */
static void inbox_put(struct ks_inboxes *inboxes, struct inbox *inbox)
{
    if (inbox->count > 0 || inbox->expected > 0 || inbox->removals > 0 || inbox->undeleted)
        return;
    end_lease(inbox);
    HASH_DELETE(hh, inboxes->inboxes, inbox);
    free(inbox);
}

static void mark_undeleted(struct ks_inboxes *inboxes, struct inbox *inbox)
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
    struct inbox *inbox = inboxes->inboxes;
    struct inbox *next = NULL;
    HASH_CLEAR(hh, inboxes->inboxes);
    for (; inbox != NULL; inbox = next) {
        next = inbox->hh.next;
        end_lease(inbox);
        free(inbox);
    }
    pthread_mutex_destroy(&inboxes->lock);
    free(inboxes);
}

enum ks_result ks_inboxes_load(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                               const struct ks_part *waiting, bool known)
{
    pthread_mutex_lock(&inboxes->lock);
    struct inbox *inbox = inbox_get(inboxes, receiver);
    if (inbox != NULL) {
        inbox->last = waiting->last;
        set_waiting(inboxes, inbox, known ? waiting->count : 0, known ? waiting->bytes : 0);
        inbox->floor = known ? 0 : waiting->last;
        if (!known)
            mark_undeleted(inboxes, inbox);
    }
    pthread_mutex_unlock(&inboxes->lock);
    return inbox != NULL ? KS_OK : KS_NO_MEMORY;
}

/* ---- leases ---- */

static bool is_owner(const struct inbox *inbox, uint64_t owner)
{
    return inbox != NULL && inbox->leased && inbox->owner == owner;
}

/* Where the next part begins. */
static uint64_t lease_end(const struct inbox *inbox)
{
    return inbox->leases != NULL ? inbox->leases->prev->part.last : inbox->floor;
}

/* Makes the lease the owner's, if it may be. */
static bool take_lease(const struct ks_inboxes *inboxes, struct inbox *inbox, uint64_t owner, uint64_t now)
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

static enum ks_result add_part(struct inbox *inbox, const struct ks_part *part)
{
    struct lease *lease = ks_table_allocate(sizeof *lease);
    if (lease == NULL)
        return KS_NO_MEMORY;
    lease->part = *part;
    DL_APPEND(inbox->leases, lease);
    inbox->leased_count += part->count;
    inbox->leased_bytes += part->bytes;
    return KS_OK;
}

static void end_empty_lease(struct inbox *inbox)
{
    if (inbox->leases == NULL)
        end_lease(inbox);
}

/* All that is not leased, if it fits. */
static enum ks_result lease_rest(struct inbox *inbox, uint64_t size_limit, size_t overhead,
                                 struct ks_part *part)
{
    part->after = lease_end(inbox);
    part->last = inbox->last;
    uint64_t count = inbox->count - inbox->leased_count;
    uint64_t bytes = inbox->bytes - inbox->leased_bytes;
    if (count > 1 && bytes + count * overhead > size_limit)
        return KS_PENDING;
    part->count = count;
    part->bytes = bytes;
    enum ks_result result = count > 0 ? add_part(inbox, part) : KS_OK;
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
    struct inbox *inbox = inbox_find(inboxes, receiver);
    if (inbox != NULL && inbox->last > filed && inbox->count > 0)
        result = KS_MORE;
    else if (inbox != NULL && take_lease(inboxes, inbox, owner, ks_clock_monotonic_ms(inboxes->clock)))
        result = lease_rest(inbox, size_limit, overhead, part);
    pthread_mutex_unlock(&inboxes->lock);
    return result;
}

/* Leases a run that was found on disk, if it still begins where the lease ends. */
static enum ks_result lease_run(struct inbox *inbox, struct ks_part *part)
{
    if (part->after != lease_end(inbox)) {
        *part = (struct ks_part){.after = lease_end(inbox), .last = inbox->last};
        return KS_PENDING;
    }
    if (part->count == 0 || part->count > inbox->count - inbox->leased_count ||
        part->bytes > inbox->bytes - inbox->leased_bytes || part->last > inbox->last)
        return KS_IO;
    return add_part(inbox, part);
}

enum ks_result ks_inboxes_lease_run(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                                    uint64_t owner, struct ks_part *part)
{
    enum ks_result result = KS_NOT_FOUND;
    pthread_mutex_lock(&inboxes->lock);
    struct inbox *inbox = inbox_find(inboxes, receiver);
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
    struct inbox *inbox = inbox_find(inboxes, receiver);
    if (is_owner(inbox, owner))
        end_empty_lease(inbox);
    pthread_mutex_unlock(&inboxes->lock);
}

enum ks_result ks_inboxes_part(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                               uint64_t owner, uint64_t last, struct ks_part *part)
{
    const struct lease *lease = NULL;
    pthread_mutex_lock(&inboxes->lock);
    struct inbox *inbox = inbox_find(inboxes, receiver);
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

static void deliver_oldest(struct ks_inboxes *inboxes, struct inbox *inbox)
{
    struct lease *lease = inbox->leases;
    DL_DELETE(inbox->leases, lease);
    inbox->floor = lease->part.last;
    set_waiting(inboxes, inbox, inbox->count - lease->part.count, inbox->bytes - lease->part.bytes);
    inbox->leased_count -= lease->part.count;
    inbox->leased_bytes -= lease->part.bytes;
    inbox->removals++;
    ks_table_free(lease);
    end_empty_lease(inbox);
}

enum ks_result ks_inboxes_delivered(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                                    uint64_t owner, uint64_t last)
{
    pthread_mutex_lock(&inboxes->lock);
    struct inbox *inbox = inbox_find(inboxes, receiver);
    bool is_oldest = is_owner(inbox, owner) && inbox->leases != NULL && inbox->leases->part.last == last;
    if (is_oldest)
        deliver_oldest(inboxes, inbox);
    pthread_mutex_unlock(&inboxes->lock);
    return is_oldest ? KS_OK : KS_NOT_FOUND;
}

void ks_inboxes_waiting(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t *count,
                        uint64_t *bytes)
{
    pthread_mutex_lock(&inboxes->lock);
    const struct inbox *inbox = inbox_find(inboxes, receiver);
    *count = inbox != NULL ? inbox->count : 0;
    *bytes = inbox != NULL ? inbox->bytes : 0;
    pthread_mutex_unlock(&inboxes->lock);
}

void ks_inboxes_all_waiting(struct ks_inboxes *inboxes, uint64_t *count, uint64_t *bytes)
{
    pthread_mutex_lock(&inboxes->lock);
    *count = inboxes->count;
    *bytes = inboxes->bytes;
    pthread_mutex_unlock(&inboxes->lock);
}

void ks_inboxes_renew(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t owner)
{
    pthread_mutex_lock(&inboxes->lock);
    struct inbox *inbox = inbox_find(inboxes, receiver);
    if (is_owner(inbox, owner))
        inbox->progress_ms = ks_clock_monotonic_ms(inboxes->clock);
    pthread_mutex_unlock(&inboxes->lock);
}

void ks_inboxes_release(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t owner)
{
    pthread_mutex_lock(&inboxes->lock);
    struct inbox *inbox = inbox_find(inboxes, receiver);
    if (is_owner(inbox, owner))
        end_lease(inbox);
    pthread_mutex_unlock(&inboxes->lock);
}

/* ---- the writer's thread only ---- */

static bool passes(uint64_t limit, uint64_t sum)
{
    return limit != 0 && sum > limit;
}

static bool has_room(const struct ks_store_limits *limits, const struct inbox *inbox, uint64_t content_size)
{
    return !passes(atomic_load(&limits->waiting_messages), inbox->count + inbox->expected + 1) &&
           !passes(atomic_load(&limits->waiting_bytes), inbox->bytes + inbox->expected_bytes + content_size);
}

enum ks_result ks_inboxes_expect(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                                 uint64_t content_size)
{
    enum ks_result result = KS_NO_MEMORY;
    pthread_mutex_lock(&inboxes->lock);
    struct inbox *inbox = inbox_get(inboxes, receiver);
    if (inbox != NULL && has_room(inboxes->limits, inbox, content_size)) {
        inbox->expected++;
        inbox->expected_bytes += content_size;
        result = KS_OK;
    } else if (inbox != NULL) {
        inbox_put(inboxes, inbox);
        result = KS_REFUSED;
    }
    pthread_mutex_unlock(&inboxes->lock);
    return result;
}

void ks_inboxes_arrived(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t message_id,
                        uint64_t content_size)
{
    pthread_mutex_lock(&inboxes->lock);
    struct inbox *inbox = inbox_find(inboxes, receiver);
    if (inbox != NULL) { /* it is expected, so it is there */
        inbox->expected--;
        inbox->expected_bytes -= content_size;
        set_waiting(inboxes, inbox, inbox->count + 1, inbox->bytes + content_size);
        inbox->last = message_id;
    }
    pthread_mutex_unlock(&inboxes->lock);
}

void ks_inboxes_not_arrived(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                            uint64_t content_size)
{
    pthread_mutex_lock(&inboxes->lock);
    struct inbox *inbox = inbox_find(inboxes, receiver);
    if (inbox != NULL) { /* likewise */
        inbox->expected--;
        inbox->expected_bytes -= content_size;
        inbox_put(inboxes, inbox);
    }
    pthread_mutex_unlock(&inboxes->lock);
}

static void empty_inbox(struct ks_inboxes *inboxes, struct inbox *inbox)
{
    end_lease(inbox);
    set_waiting(inboxes, inbox, 0, 0);
    inbox->floor = inbox->last;
}

void ks_inboxes_abandon(struct ks_inboxes *inboxes, const struct ks_client_id *receiver)
{
    pthread_mutex_lock(&inboxes->lock);
    struct inbox *inbox = inbox_find(inboxes, receiver);
    if (inbox != NULL) {
        empty_inbox(inboxes, inbox);
        mark_undeleted(inboxes, inbox);
    }
    pthread_mutex_unlock(&inboxes->lock);
}

bool ks_inboxes_vacate(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t *up_to)
{
    pthread_mutex_lock(&inboxes->lock);
    struct inbox *inbox = inbox_find(inboxes, receiver);
    if (inbox != NULL) {
        empty_inbox(inboxes, inbox);
        inbox->removals++;
        *up_to = inbox->floor;
    }
    pthread_mutex_unlock(&inboxes->lock);
    return inbox != NULL;
}

void ks_inboxes_removed(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, bool gone)
{
    pthread_mutex_lock(&inboxes->lock);
    struct inbox *inbox = inbox_find(inboxes, receiver);
    if (inbox != NULL) { /* a removal is on its way, so it is there */
        inbox->removals--;
        if (!gone)
            mark_undeleted(inboxes, inbox);
        inbox_put(inboxes, inbox);
    }
    pthread_mutex_unlock(&inboxes->lock);
}

bool ks_inboxes_next_undeleted(struct ks_inboxes *inboxes, struct ks_client_id *receiver, uint64_t *up_to)
{
    pthread_mutex_lock(&inboxes->lock);
    struct inbox *inbox = inboxes->undeleted;
    if (inbox != NULL) {
        DL_DELETE2(inboxes->undeleted, inbox, previous, next);
        inbox->undeleted = false;
        inbox->removals++;
        *receiver = inbox->id;
        *up_to = inbox->floor;
    }
    pthread_mutex_unlock(&inboxes->lock);
    return inbox != NULL;
}
