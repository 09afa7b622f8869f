/* fake_store_messages.c — messages that wait in the store in memory (fake_store.h), and their leases: a list
 * of all, in the order of ids, in which each says who has it. */
#include "support/fake_store_internal.h"

#include <stdlib.h>

static bool is_for(const struct fake_message *message, const struct ks_client_id *receiver)
{
    return fake_store_same(&message->receiver, receiver);
}

static bool is_leased(const struct fake_message *message)
{
    return message->owner != 0 && !message->settles;
}

static void give_up(struct fake_message *message)
{
    message->owner = 0;
    message->part = 0;
    message->settles = false;
}

static void message_free(struct fake_store *store, struct fake_message **link)
{
    struct fake_message *message = *link;
    *link = message->next;
    if (message->next == NULL)
        store->end = link;
    ks_buffer_free(&message->content);
    free(message);
}

void fake_store_empty_inbox(struct fake_store *store, const struct ks_client_id *receiver)
{
    struct fake_message **link = &store->messages;
    while (*link != NULL)
        if (receiver == NULL || is_for(*link, receiver))
            message_free(store, link);
        else
            link = &(*link)->next;
}

void fake_store_end_leases(struct fake_store *store)
{
    for (struct fake_message *message = store->messages; message != NULL; message = message->next)
        give_up(message);
}

/* ---- sums ---- */

void fake_store_sum_messages(const struct fake_store *store, const struct ks_client_id *receiver,
                             uint64_t *messages, uint64_t *bytes)
{
    *messages = 0;
    *bytes = 0;
    for (const struct fake_message *message = store->messages; message != NULL; message = message->next) {
        if (!is_for(message, receiver) || message->settles)
            continue;
        ++*messages;
        *bytes += message->content.size;
    }
}

unsigned fake_store_waiting(const struct fake_store *store, const struct ks_client_id *receiver)
{
    unsigned count = 0;
    for (const struct fake_message *message = store->messages; message != NULL; message = message->next)
        if (is_for(message, receiver))
            count++;
    return count;
}

unsigned fake_store_leased(const struct fake_store *store, const struct ks_client_id *receiver)
{
    unsigned count = 0;
    for (const struct fake_message *message = store->messages; message != NULL; message = message->next)
        if (is_for(message, receiver) && is_leased(message))
            count++;
    return count;
}

unsigned fake_store_settling(const struct fake_store *store, const struct ks_client_id *receiver)
{
    unsigned count = 0;
    for (const struct fake_message *message = store->messages; message != NULL; message = message->next)
        if (is_for(message, receiver) && message->settles)
            count++;
    return count;
}

/* ---- append ---- */

/* Whether `has` of a sender, with its message, is more than the room that was left before it. */
static bool passes_share(uint64_t limit, uint64_t waits, uint64_t has)
{
    return limit != 0 && (waits > limit || has > limit - waits);
}

static enum ks_store_limit passed_limit(const struct fake_store *store,
                                        const struct ks_store_append_message *request)
{
    uint64_t count = 0;
    uint64_t bytes = 0;
    uint64_t senders = 1;
    uint64_t senders_bytes = request->content_size;
    if (store->limits == NULL)
        return KS_STORE_LIMIT_NONE;
    uint64_t count_limit = atomic_load(&store->limits->waiting_messages);
    uint64_t byte_limit = atomic_load(&store->limits->waiting_bytes);
    fake_store_sum_messages(store, &request->receiver, &count, &bytes);
    for (const struct fake_message *message = store->messages; message != NULL; message = message->next) {
        bool is_senders = is_for(message, &request->receiver) && !message->settles &&
                          fake_store_same(&message->head.sender, &request->sender);
        senders += is_senders ? 1 : 0;
        senders_bytes += is_senders ? message->content.size : 0;
    }
    if (fake_store_passes(count_limit, count + 1))
        return KS_STORE_LIMIT_WAITING_MESSAGES;
    if (fake_store_passes(byte_limit, bytes + request->content_size))
        return KS_STORE_LIMIT_WAITING_BYTES;
    if (passes_share(count_limit, count, senders))
        return KS_STORE_LIMIT_SHARE_OF_MESSAGES;
    return passes_share(byte_limit, bytes, senders_bytes) ? KS_STORE_LIMIT_SHARE_OF_BYTES
                                                          : KS_STORE_LIMIT_NONE;
}

static enum ks_result add_message(struct fake_store *store, struct ks_store_append_message *request)
{
    const uint8_t *content = request->stage != NULL ? request->stage->file.content.bytes : request->content;
    struct fake_message *message = calloc(1, sizeof *message);
    if (message == NULL)
        return KS_NO_MEMORY;
    message->content = ks_buffer_empty(0);
    if (ks_buffer_append(&message->content, content, request->content_size) != KS_OK) {
        free(message);
        return KS_NO_MEMORY;
    }
    message->receiver = request->receiver;
    message->head = (struct ks_stored_message){.message_id = ++store->last_message_id,
                                               .sender = request->sender,
                                               .type = request->type,
                                               .content_size = request->content_size};
    *store->end = message;
    store->end = &message->next;
    request->message_id = message->head.message_id;
    return KS_OK;
}

/* Whether the stage, if there is one, has what the request says. */
static enum ks_result judge_stage(const struct ks_store_append_message *request)
{
    const struct ks_stage *stage = request->stage;
    if (stage == NULL)
        return request->content_size > KS_MESSAGE_IN_MEMORY_LIMIT ? KS_TOO_LARGE : KS_OK;
    if (stage->failure != KS_OK)
        return stage->failure;
    bool fits = stage->complete && stage->purpose == KS_STAGE_MESSAGE &&
                stage->file.content.size == request->content_size;
    return fits ? KS_OK : KS_INVALID;
}

static enum ks_result append(struct ks_store *store, struct ks_store_append_message *request)
{
    struct fake_store *fake = fake_store_of(store);
    enum ks_result result = judge_stage(request);
    if (result != KS_OK)
        return result;
    if (request->stage == NULL && fake_store_is_short(fake)) {
        request->limit = KS_STORE_LIMIT_FREE_SPACE;
        return KS_NO_SPACE;
    }
    if (fake_store_find(store, &request->receiver) == NULL)
        return KS_NOT_FOUND;
    enum ks_result failure = fake_store_take_failure(store);
    if (failure != KS_OK)
        return failure;
    request->limit = passed_limit(fake, request);
    return request->limit != KS_STORE_LIMIT_NONE ? KS_REFUSED : add_message(fake, request);
}

void fake_store_append_message(struct ks_store *store, struct ks_store_append_message *request)
{
    enum ks_result result = append(store, request);
    if (request->stage != NULL)
        fake_store_stage_free(store, request->stage);
    struct fake_store *fake = fake_store_of(store);
    bool later = fake->later;
    fake->later = later || fake->later_appends;
    fake_store_complete(store, &request->request, result);
    fake->later = later;
}

/* ---- leases ---- */

static void note_progress(struct fake_store *store, const struct ks_client_id *receiver, uint64_t owner)
{
    for (struct fake_message *message = store->messages; message != NULL; message = message->next)
        if (is_for(message, receiver) && is_leased(message) && message->owner == owner)
            message->progress_ms = fake_store_now_ms(store);
}

/* Nothing is leased to two owners: false while another one holds on; else it has lost what it had. */
static bool take_over(struct fake_store *store, const struct ks_store_lease_waiting *request)
{
    uint64_t now = fake_store_now_ms(store);
    for (struct fake_message *message = store->messages; message != NULL; message = message->next) {
        if (!is_for(message, &request->receiver) || !is_leased(message) || message->owner == request->owner)
            continue;
        if (now - message->progress_ms < KS_LEASE_LIFETIME_MS)
            return false;
        give_up(message);
    }
    return true;
}

static bool joins_part(const struct fake_message *message, const struct ks_store_lease_waiting *request)
{
    uint64_t size = request->size + request->overhead + message->head.content_size;
    return request->count == 0 || size <= request->size_limit;
}

/* The oldest run that waits, as far as it fits. */
static void lease(struct fake_store *store, struct ks_store_lease_waiting *request)
{
    bool is_over = false;
    for (struct fake_message *message = store->messages; message != NULL; message = message->next) {
        if (!is_for(message, &request->receiver))
            continue;
        if (message->owner != 0) {
            is_over = request->count > 0; /* a part is one run */
            request->after = is_over ? request->after : message->head.message_id;
            continue;
        }
        is_over = is_over || !joins_part(message, request);
        request->more = is_over;
        if (is_over)
            break;
        message->owner = request->owner;
        request->count++;
        request->size += request->overhead + message->head.content_size;
        request->last = message->head.message_id;
    }
    for (struct fake_message *message = store->messages; message != NULL; message = message->next)
        if (is_for(message, &request->receiver) && message->owner != 0 && message->part == 0)
            message->part = request->last;
}

void fake_store_lease_waiting(struct ks_store *store, struct ks_store_lease_waiting *request)
{
    struct fake_store *fake = fake_store_of(store);
    request->count = 0;
    request->size = 0;
    request->after = 0;
    request->last = 0;
    request->more = false;
    enum ks_result failure = fake_store_take_failure(store);
    if (failure == KS_OK && take_over(fake, request)) {
        lease(fake, request);
        note_progress(fake, &request->receiver, request->owner);
    }
    fake_store_complete(store, &request->request, failure);
}

/* ---- reading ---- */

static bool is_of_part(const struct fake_message *message, const struct ks_store_lease_read *request)
{
    return is_for(message, &request->receiver) && is_leased(message) && message->owner == request->owner &&
           message->part == request->last;
}

/* The first message of the part above this id. */
static const struct fake_message *next_of_part(const struct fake_store *store,
                                               const struct ks_store_lease_read *request, uint64_t above)
{
    for (const struct fake_message *message = store->messages; message != NULL; message = message->next)
        if (is_of_part(message, request) && message->head.message_id > above)
            return message;
    return NULL;
}

/* False when the page is full. */
static bool give(struct ks_store_lease_read *request, const struct fake_message *message)
{
    struct ks_message_cursor *cursor = &request->cursor;
    if (cursor->next == 0) {
        if (request->capacity - request->size < request->overhead)
            return false;
        request->encode(request->context, &message->head, request->bytes + request->size);
        request->size += request->overhead;
        cursor->next = message->head.message_id;
        cursor->offset = 0;
    }
    size_t room = request->capacity - request->size;
    size_t left = message->content.size - (size_t)cursor->offset;
    size_t part = left < room ? left : room;
    if (part > 0)
        memcpy(request->bytes + request->size, message->content.bytes + cursor->offset, part);
    request->size += part;
    cursor->offset += part;
    if (part < left)
        return false;
    *cursor = (struct ks_message_cursor){.message_id = message->head.message_id,
                                         .given = cursor->given + 1,
                                         .given_size = cursor->given_size + message->content.size};
    return true;
}

static enum ks_result read_part(struct ks_store *store, struct ks_store_lease_read *request)
{
    struct fake_store *fake = fake_store_of(store);
    const struct fake_message *message = NULL;
    request->size = 0;
    if (request->capacity <= request->overhead)
        return KS_INVALID;
    enum ks_result failure = fake_store_take_failure(store);
    if (failure != KS_OK)
        return failure;
    if (next_of_part(fake, request, 0) == NULL)
        return KS_NOT_FOUND;
    note_progress(fake, &request->receiver, request->owner);
    do
        message = next_of_part(fake, request, request->cursor.message_id);
    while (message != NULL && give(request, message));
    return KS_OK;
}

void fake_store_lease_read(struct ks_store *store, struct ks_store_lease_read *request)
{
    fake_store_complete(store, &request->request, read_part(store, request));
}

/* ---- settling ---- */

/* The owner's oldest leased part: 0 when it has none. *before: of the settling part that it would join, or 0.
 */
static uint64_t oldest_part(const struct fake_store *store, const struct ks_client_id *receiver,
                            uint64_t owner, uint64_t *before)
{
    *before = 0;
    for (const struct fake_message *message = store->messages; message != NULL; message = message->next) {
        if (!is_for(message, receiver))
            continue;
        if (is_leased(message) && message->owner == owner)
            return message->part;
        *before = message->owner == owner ? message->part : 0;
    }
    return 0;
}

static unsigned count_settling_parts(const struct fake_store *store, const struct ks_client_id *receiver)
{
    unsigned count = 0;
    for (const struct fake_message *message = store->messages; message != NULL; message = message->next)
        if (is_for(message, receiver) && message->settles && message->part == message->head.message_id)
            count++;
    return count;
}

enum ks_result fake_store_lease_settle(struct ks_store *store, const struct ks_client_id *receiver,
                                       uint64_t owner, uint64_t last, bool *joins)
{
    struct fake_store *fake = fake_store_of(store);
    uint64_t before = 0;
    if (oldest_part(fake, receiver, owner, &before) != last)
        return KS_NOT_FOUND;
    before = *joins ? before : 0;
    *joins = before != 0;
    if (before == 0 && (fake->settles_no_more || count_settling_parts(fake, receiver) >= FAKE_SETTLING_LIMIT))
        return KS_REFUSED;
    for (struct fake_message *message = fake->messages; message != NULL; message = message->next) {
        bool joined = before != 0 && message->settles && message->part == before;
        if (!is_for(message, receiver) || message->owner != owner || (message->part != last && !joined))
            continue;
        message->settles = true;
        message->part = last;
    }
    return KS_OK;
}

void fake_store_lease_delivered(struct ks_store *store, struct ks_store_lease_delivered *request)
{
    struct fake_store *fake = fake_store_of(store);
    enum ks_result result = KS_NOT_FOUND;
    struct fake_message **link = &fake->messages;
    while (*link != NULL) {
        const struct fake_message *message = *link;
        if (is_for(message, &request->receiver) && message->owner == request->owner && message->settles &&
            message->part == request->last) {
            result = KS_OK;
            message_free(fake, link);
        } else {
            link = &(*link)->next;
        }
    }
    fake_store_complete(store, &request->request, result);
}

void fake_store_lease_renew(struct ks_store *store, const struct ks_client_id *receiver, uint64_t owner)
{
    fake_store_of(store)->renewals++;
    note_progress(fake_store_of(store), receiver, owner);
}

void fake_store_lease_release(struct ks_store *store, const struct ks_client_id *receiver, uint64_t owner)
{
    for (struct fake_message *message = fake_store_of(store)->messages; message != NULL;
         message = message->next)
        if (is_for(message, receiver) && message->owner == owner)
            give_up(message);
}
