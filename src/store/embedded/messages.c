/* messages.c — see messages.h. */
#include "store/embedded/messages.h"

#include "store/embedded/engine.h"
#include "store/reply.h"

#include <string.h>

enum { FILED_AT_ONCE = 64 * 1024 }; /* bytes in the journal: some hundred messages, a millisecond */

/* ---- append ---- */

/* The low 32 bits go over the wire, where 0 means none. */
static uint64_t next_message_id(struct ks_engine *engine)
{
    uint64_t *last = &engine->filing.last_message_id;
    do
        ++*last;
    while ((uint32_t)*last == 0);
    return *last;
}

/* KS_MORE when it has to be counted first who has how much, and the message can wait. */
static enum ks_result apply(struct ks_engine *engine, struct ks_store_append_message *request,
                            const char *place, bool can_wait)
{
    const struct ks_user_entry *receiver = ks_users_find(engine->users, &request->receiver);
    if (receiver == NULL || !receiver->published || receiver->leaving)
        return KS_NOT_FOUND;
    enum ks_result result = engine->writer.failure;
    if (result == KS_OK)
        result = ks_inboxes_expect(engine->inboxes, &request->receiver, &request->sender,
                                   request->content_size, can_wait, &request->limit);
    if (result != KS_OK)
        return result;
    request->message_id = next_message_id(engine);
    request->place = place;
    ks_appending_add(&engine->appending, request);
    return KS_OK;
}

/* What is on disk already goes before the count, which then is for the next one, and so does what was sent
 * before it. */
enum ks_result ks_messages_apply(struct ks_engine *engine, struct ks_store_append_message *request,
                                 const char *place)
{
    ks_counting_go_on(&engine->counting, &request->receiver);
    enum ks_result result = apply(engine, request, place, true);
    if (result != KS_MORE)
        return result;
    /* Without memory, the next one tries again. */
    (void)ks_counting_begin(&engine->counting, &request->receiver, NULL);
    return apply(engine, request, place, false);
}

enum ks_result ks_messages_settle(struct ks_engine *engine, const struct ks_store_append_message *request)
{
    enum ks_result result = ks_appending_result(&engine->appending);
    if (result == KS_OK)
        ks_inboxes_arrived(engine->inboxes, &request->receiver, request->message_id, request->content_size);
    else
        ks_inboxes_not_arrived(engine->inboxes, &request->receiver, &request->sender, request->content_size);
    return result;
}

static struct ks_store_append_message *append_of(struct ks_task *task)
{
    return KS_CONTAINER_OF(task, struct ks_store_append_message, request.task);
}

static void settle_append(struct ks_task *task)
{
    struct ks_store_append_message *request = append_of(task);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    enum ks_result result = request->request.result;
    if (result == KS_OK)
        result = ks_messages_settle(engine, request);
    ks_reply_post(&request->request, result);
}

static void has_applied(struct ks_engine *engine, struct ks_store_append_message *request,
                        enum ks_result result)
{
    request->request.result = result;
    ks_database_writer_settle_later(&engine->writer, &request->request.task, settle_append);
}

static void apply_append(struct ks_task *task)
{
    struct ks_store_append_message *request = append_of(task);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    enum ks_result result = KS_MORE;
    if (!ks_counting_is_awaited(&engine->counting, &request->receiver))
        result = apply(engine, request, NULL, true);
    if (result == KS_MORE &&
        (result = ks_counting_begin(&engine->counting, &request->receiver, request)) == KS_OK)
        return; /* until it is counted */
    has_applied(engine, request, result);
}

void ks_messages_apply_counted(struct ks_store_append_message *request)
{
    struct ks_engine *engine = ks_engine_of(request->request.store);
    has_applied(engine, request, apply(engine, request, NULL, false));
}

void ks_messages_append(struct ks_store *store, struct ks_store_append_message *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    request->request.store = store;
    if (request->stage != NULL) {
        ks_vault_append(engine->vault, request);
    } else if (request->content_size > KS_MESSAGE_IN_MEMORY_LIMIT) {
        ks_reply_now(&request->request, KS_TOO_LARGE);
    } else if (ks_engine_is_short(engine)) {
        request->limit = KS_STORE_LIMIT_FREE_SPACE;
        ks_reply_now(&request->request, KS_NO_SPACE);
    } else {
        request->request.task.run = apply_append;
        ks_database_writer_post(&engine->writer, &request->request.task);
    }
}

/* ---- leases ---- */

/* Leases what is filed up to `filed`. KS_PENDING when the pull thread goes on with it, KS_MORE when there is
 * something to be filed. */
static enum ks_result lease(struct ks_engine *engine, struct ks_store_lease_waiting *request, uint64_t filed)
{
    struct ks_part part;
    enum ks_result result = ks_inboxes_lease(engine->inboxes, &request->receiver, request->owner, filed,
                                             request->size_limit, request->overhead, &part);
    request->after = part.after;
    if (result == KS_PENDING) {
        request->until = part.last;
        ks_pull_reader_lease(&engine->pull_reader, request);
        return KS_PENDING;
    }
    request->last = part.last;
    request->count = part.count;
    request->size = part.bytes + part.count * request->overhead;
    request->more = part.more;
    return result;
}

static struct ks_store_lease_waiting *lease_of(struct ks_task *task)
{
    return KS_CONTAINER_OF(task, struct ks_store_lease_waiting, request.task);
}

static void lease_filed(struct ks_engine *engine, struct ks_store_lease_waiting *request)
{
    enum ks_result result = lease(engine, request, UINT64_MAX);
    if (result != KS_PENDING)
        ks_reply_post(&request->request, result);
}

static void file_before_lease(struct ks_engine *engine, struct ks_store_lease_waiting *request);

/* What waits is what has settled before, and that was filed: so nothing else can be leased here. */
static void settle_lease(struct ks_task *task)
{
    struct ks_store_lease_waiting *request = lease_of(task);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    if (engine->writer.failure == KS_NO_SPACE && ks_reserve_give_up(&engine->reserve))
        file_before_lease(engine, request);
    else if (engine->writer.failure != KS_OK)
        ks_reply_post(&request->request, engine->writer.failure);
    else
        lease_filed(engine, request);
}

static void apply_lease(struct ks_task *task)
{
    struct ks_engine *engine = ks_engine_of(lease_of(task)->request.store);
    (void)ks_appending_reach(&engine->appending, engine->filing.last_message_id); /* settle_lease sees it */
    ks_database_writer_settle_later(&engine->writer, task, settle_lease);
}

/* Has all messages filed that wait now, then leases and answers. */
static void file_before_lease(struct ks_engine *engine, struct ks_store_lease_waiting *request)
{
    request->count = 0;
    request->size = 0;
    request->request.task.run = apply_lease;
    ks_database_writer_post(&engine->writer, &request->request.task);
}

/* On the filer's thread. */
static void run_file_most(struct ks_task *task)
{
    struct ks_store_lease_waiting *request = lease_of(task);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    ks_filing_file_journalled(&engine->filing);
    file_before_lease(engine, request);
}

/* Others shall not wait for the writer while it files what is more than a moment's work: that is the filer's,
 * and the writer is left with what came meanwhile. */
static void file_most_before_lease(struct ks_engine *engine, struct ks_store_lease_waiting *request)
{
    if (ks_journal_pending(&engine->filing.journal) <= FILED_AT_ONCE) {
        file_before_lease(engine, request);
        return;
    }
    request->request.task.run = run_file_most;
    ks_filing_post(&engine->filing, &request->request.task);
}

void ks_messages_lease_waiting(struct ks_store *store, struct ks_store_lease_waiting *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    request->request.store = store;
    enum ks_result result = lease(engine, request, atomic_load(&engine->filing.filed));
    if (result == KS_MORE)
        file_most_before_lease(engine, request);
    else if (result != KS_PENDING)
        ks_reply_now(&request->request, result);
}

void ks_messages_lease_read(struct ks_store *store, struct ks_store_lease_read *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    struct ks_part part;
    request->request.store = store;
    request->size = 0;
    if (request->capacity <= request->overhead)
        ks_reply_now(&request->request, KS_INVALID);
    else if (ks_inboxes_part(engine->inboxes, &request->receiver, request->owner, request->last, &part) !=
             KS_OK)
        ks_reply_now(&request->request, KS_NOT_FOUND);
    else
        ks_pull_reader_read(&engine->pull_reader, request);
}

enum ks_result ks_messages_lease_settle(struct ks_store *store, const struct ks_client_id *receiver,
                                        uint64_t owner, uint64_t last, bool *joins)
{
    return ks_inboxes_settle(ks_engine_of(store)->inboxes, receiver, owner, last, joins);
}

/* Deletes the rows of a part in pieces, ends the removal, answers. */
static void apply_delivered(struct ks_task *task);

static void settle_delivered(struct ks_task *task)
{
    struct ks_store_lease_delivered *request =
        KS_CONTAINER_OF(task, struct ks_store_lease_delivered, request.task);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    enum ks_result failure = engine->writer.failure;
    enum ks_result result = failure != KS_OK ? failure : request->request.result;
    ks_removal_batch_over(&engine->removal, failure == KS_OK);
    if (result == KS_MORE) {
        task->run = apply_delivered;
        ks_database_writer_post(&engine->writer, task);
        return;
    }
    ks_inboxes_removed(engine->inboxes, &request->receiver, request->after, result == KS_OK);
    ks_reply_post(&request->request, result);
}

static void apply_delivered(struct ks_task *task)
{
    struct ks_store_lease_delivered *request =
        KS_CONTAINER_OF(task, struct ks_store_lease_delivered, request.task);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    request->request.result =
        ks_removal_piece(&engine->removal, &request->receiver, request->after, request->last);
    ks_database_writer_settle_later(&engine->writer, task, settle_delivered);
}

void ks_messages_lease_delivered(struct ks_store *store, struct ks_store_lease_delivered *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    request->request.store = store;
    if (ks_inboxes_delivered(engine->inboxes, &request->receiver, request->owner, request->last,
                             &request->after) != KS_OK) {
        ks_reply_now(&request->request, KS_NOT_FOUND);
        return;
    }
    request->request.task.run = apply_delivered;
    ks_database_writer_post(&engine->writer, &request->request.task);
}

void ks_messages_lease_renew(struct ks_store *store, const struct ks_client_id *receiver, uint64_t owner)
{
    ks_inboxes_renew(ks_engine_of(store)->inboxes, receiver, owner);
}

void ks_messages_lease_release(struct ks_store *store, const struct ks_client_id *receiver, uint64_t owner)
{
    ks_inboxes_release(ks_engine_of(store)->inboxes, receiver, owner);
}
