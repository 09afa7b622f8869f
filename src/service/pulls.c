/* pulls.c — 604 and pulls.h: waiting messages on their way to their receiver. A pull is held by its stream
 * while that runs, and by its session's list until it is delivered or given up. */
#include "service/pulls.h"

#include "service/stream.h"
#include "service/target.h"
#include "wire/messages.h"

#include <stdlib.h>
#include <string.h>

enum {
    PULLS_LIMIT = 1024, /* not yet acknowledged on one connection; then 604 gets nothing */
    PAGE_LARGEST = 256 * 1024,
    PAGE_SMALLEST = 512,
};

struct ks_pull {
    struct ks_pull *next;
    unsigned holders;
    const struct ks_service_environment *environment;
    struct ks_executor *executor;
    struct ks_client_id receiver;
    uint64_t owner;
    uint64_t last; /* message of the part */
    uint64_t end;  /* position in the output behind the part's last byte */
    struct ks_stream stream;
    struct ks_message_cursor cursor;
    union { /* one at a time, in this order */
        struct ks_store_look_up look_up;
        struct ks_store_lease_waiting lease;
        struct ks_store_lease_read read;
        struct ks_store_lease_delivered delivered;
    } request;
};

static void pull_let_go(struct ks_pull *pull)
{
    pull->holders--;
    if (pull->holders == 0)
        free(pull);
}

static void prepare(struct ks_pull *pull, struct ks_store_request *request,
                    void (*done)(struct ks_store_request *request))
{
    memset(&pull->request, 0, sizeof pull->request);
    request->reply_to = pull->executor;
    request->done = done;
}

/* ---- delivery ---- */

static void deletion_done(struct ks_store_request *request)
{
    struct ks_pull *pull = KS_CONTAINER_OF(request, struct ks_pull, request.delivered.request);
    pull_let_go(pull);
}

static struct ks_pull *take_first(struct ks_pulls *pulls)
{
    struct ks_pull *pull = pulls->first;
    pulls->first = pull->next;
    if (pulls->first == NULL)
        pulls->last = NULL;
    pulls->count--;
    return pull;
}

static void pull_delivered(struct ks_pull *pull)
{
    struct ks_store_lease_delivered *request = &pull->request.delivered;
    prepare(pull, &request->request, deletion_done);
    request->receiver = pull->receiver;
    request->owner = pull->owner;
    request->last = pull->last;
    ks_store_lease_delivered(pull->environment->store, request);
}

/* Most connections pull for one user, so one renewal serves a whole run of parts. */
static void renew_leases(const struct ks_pulls *pulls)
{
    const struct ks_pull *renewed = NULL;
    for (const struct ks_pull *pull = pulls->first; pull != NULL; pull = pull->next) {
        if (renewed != NULL && memcmp(&renewed->receiver, &pull->receiver, sizeof pull->receiver) == 0)
            continue;
        ks_store_lease_renew(pull->environment->store, &pull->receiver, pull->owner);
        renewed = pull;
    }
}

static void delete_delivered(struct ks_pulls *pulls)
{
    while (pulls->first != NULL && pulls->first->end <= pulls->delivered)
        pull_delivered(take_first(pulls));
}

bool ks_pulls_look(struct ks_pulls *pulls, struct ks_connection *connection)
{
    if (pulls->first == NULL)
        return false;
    uint64_t delivered = ks_connection_delivered_up_to(connection);
    bool progress = delivered > pulls->delivered;
    if (progress) {
        pulls->delivered = delivered;
        delete_delivered(pulls);
        renew_leases(pulls);
    }
    if (pulls->first != NULL)
        ks_connection_watch_delivery(connection, delivered + 1);
    return progress;
}

void ks_pulls_give_up(struct ks_pulls *pulls, struct ks_connection *connection)
{
    if (pulls->first == NULL)
        return;
    pulls->delivered = ks_connection_delivered_up_to(connection);
    delete_delivered(pulls);
    while (pulls->first != NULL) {
        struct ks_pull *pull = take_first(pulls);
        ks_store_lease_release(pull->environment->store, &pull->receiver, pull->owner);
        pull_let_go(pull);
    }
}

/* ---- the stream ---- */

static void encode_message(const void *context, const struct ks_stored_message *message, uint8_t *bytes)
{
    const struct ks_service_environment *environment = context;
    struct ks_waiting_message head = {.sender = message->sender,
                                      .message_id = (uint32_t)message->message_id,
                                      .type = message->type,
                                      .content_size = message->content_size};
    ks_target_alias(environment, &message->sender, &head.sender);
    ks_waiting_message_encode(&head, bytes);
}

static void page_read(struct ks_store_request *request)
{
    struct ks_pull *pull = KS_CONTAINER_OF(request, struct ks_pull, request.read.request);
    pull->cursor = pull->request.read.cursor;
    ks_stream_page(&pull->stream, request->result, pull->request.read.size);
}

static void pull_fill(struct ks_stream *stream)
{
    struct ks_pull *pull = KS_CONTAINER_OF(stream, struct ks_pull, stream);
    struct ks_store_lease_read *request = &pull->request.read;
    prepare(pull, &request->request, page_read);
    request->receiver = pull->receiver;
    request->owner = pull->owner;
    request->last = pull->last;
    request->cursor = pull->cursor;
    request->encode = encode_message;
    request->context = pull->environment;
    request->overhead = KS_WAITING_MESSAGE_FIXED_SIZE;
    request->bytes = stream->page;
    request->capacity = stream->page_size;
    ks_store_lease_read(pull->environment->store, request);
}

static void pull_ended(struct ks_stream *stream)
{
    pull_let_go(KS_CONTAINER_OF(stream, struct ks_pull, stream));
}

static const struct ks_stream_source pull_source = {.fill = pull_fill, .ended = pull_ended};

/* ---- 604 ---- */

static void answer_without(struct ks_pull *pull, struct ks_exchange *exchange, bool refused)
{
    pull_let_go(pull);
    if (refused)
        ks_exchange_refuse(exchange);
    else
        ks_exchange_answer(exchange, KS_RESPONSE_WAITING_MESSAGES, NULL, 0);
}

static size_t page_size_for(uint64_t size)
{
    if (size > PAGE_LARGEST)
        return PAGE_LARGEST;
    return size < PAGE_SMALLEST ? PAGE_SMALLEST : (size_t)size;
}

static void enlist(struct ks_pulls *pulls, struct ks_pull *pull)
{
    if (pulls->last != NULL)
        pulls->last->next = pull;
    else
        pulls->first = pull;
    pulls->last = pull;
    pulls->count++;
}

static void leased(struct ks_store_request *request)
{
    struct ks_pull *pull = KS_CONTAINER_OF(request, struct ks_pull, request.lease.request);
    struct ks_exchange *exchange = pull->stream.exchange;
    struct ks_session *session = exchange->session;
    const struct ks_store_lease_waiting lease = pull->request.lease;
    if (request->result != KS_OK || lease.count == 0) {
        answer_without(pull, exchange, request->result != KS_OK);
        return;
    }
    if (session == NULL) {
        ks_store_lease_release(pull->environment->store, &pull->receiver, pull->owner);
        answer_without(pull, exchange, true);
        return;
    }
    pull->last = lease.last;
    pull->cursor.message_id = lease.after;
    pull->holders++;
    struct ks_connection *connection = ks_session_connection(session);
    pull->end = ks_connection_written(connection) + KS_RESPONSE_HEADER_SIZE + lease.size;
    enlist(ks_session_pulls(session), pull);
    ks_connection_watch_delivery(connection, ks_connection_delivered_up_to(connection) + 1);
    ks_stream_begin(&pull->stream, &pull_source, exchange, KS_RESPONSE_WAITING_MESSAGES, (uint32_t)lease.size,
                    page_size_for(lease.size));
}

static void receiver_found(struct ks_store_request *request)
{
    struct ks_pull *pull = KS_CONTAINER_OF(request, struct ks_pull, request.look_up.request);
    struct ks_exchange *exchange = pull->stream.exchange;
    const struct ks_session *session = exchange->session;
    if (request->result != KS_OK || session == NULL) {
        answer_without(pull, exchange, true);
        return;
    }
    ks_store_touch(pull->environment->store, &pull->receiver);
    if (ks_session_pulls(exchange->session)->count >= PULLS_LIMIT) {
        answer_without(pull, exchange, false);
        return;
    }
    struct ks_store_lease_waiting *lease = &pull->request.lease;
    prepare(pull, &lease->request, leased);
    lease->receiver = pull->receiver;
    lease->owner = pull->owner;
    lease->size_limit = pull->environment->settings.pull_limit;
    lease->overhead = KS_WAITING_MESSAGE_FIXED_SIZE;
    ks_store_lease_waiting(pull->environment->store, lease);
}

void ks_pulls_begin(struct ks_exchange *exchange, const uint8_t *fixed)
{
    (void)fixed;
    struct ks_pull *pull = calloc(1, sizeof *pull);
    if (pull == NULL) {
        ks_exchange_refuse(exchange);
        return;
    }
    pull->holders = 1;
    pull->environment = exchange->environment;
    pull->executor = &exchange->loop->executor;
    pull->receiver = exchange->header.client_id;
    pull->owner = ks_session_number(exchange->session);
    pull->stream.exchange = exchange;
    prepare(pull, &pull->request.look_up.request, receiver_found);
    pull->request.look_up.id = pull->receiver;
    ks_store_look_up(pull->environment->store, &pull->request.look_up);
}
