/* pulls.c — see pulls.h. A pull is held by its stream while that runs, and by its session's list until it is
 * acknowledged or given up. The list follows the session from its first 604 to its end. */
#include "service/messages/pulls.h"

#include "service/core/report.h"
#include "service/core/session.h"
#include "service/core/stream.h"
#include "service/messages/settling.h"
#include "service/users/target.h"
#include "wire/messages_codec.h"

#include <stdlib.h>
#include <string.h>

enum {
    PULLS_LIMIT = 1024, /* not yet acknowledged on one connection; then 604 gets nothing */
    PAGE_LARGEST = 256 * 1024,
    PAGE_SMALLEST = 512,
    /* Of one 2104: there are clients that lose or refuse longer ones; those that ask on get more. */
    FIRST_SIZE_LIMIT = 512 * 1024,
    SIZE_LIMIT_GROWTH = 4,
};

struct ks_pull {
    struct ks_pull *next;
    unsigned holders;
    const struct ks_service_environment *environment;
    struct ks_executor *executor;
    struct ks_client_id receiver;
    uint64_t owner;
    uint64_t last;                 /* message of the part */
    struct ks_settling_part *part; /* until it settles */
    struct ks_stream stream;
    struct ks_message_cursor cursor;
    union { /* one at a time, in this order */
        struct ks_store_look_up look_up;
        struct ks_store_lease_waiting lease;
        struct ks_store_lease_read read;
    } request;
};

/* The pulls of one session. */
struct ks_pulls {
    struct ks_session_follower follower;
    struct ks_pull *first; /* the oldest that is not acknowledged */
    struct ks_pull *last;
    unsigned count;
    uint64_t delivered; /* bytes of output, when we last looked */
    struct ks_settling settling;
    uint64_t size_limit; /* bytes of the last 2104; 0: there was none, or it left nothing waiting */
};

static struct ks_pulls *pulls_of_follower(struct ks_session_follower *follower)
{
    return KS_CONTAINER_OF(follower, struct ks_pulls, follower);
}

/* Of a session that has asked before; nobody else follows one. */
static struct ks_pulls *pulls_of(struct ks_session *session)
{
    return pulls_of_follower(ks_session_follower_of(session));
}

static void pull_let_go(struct ks_pull *pull)
{
    pull->holders--;
    if (pull->holders > 0)
        return;
    free(pull->part);
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

static struct ks_pull *take_first(struct ks_pulls *pulls)
{
    struct ks_pull *pull = pulls->first;
    pulls->first = pull->next;
    if (pulls->first == NULL)
        pulls->last = NULL;
    pulls->count--;
    return pull;
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

static void settle_delivered(struct ks_pulls *pulls)
{
    while (pulls->first != NULL && pulls->first->part->end <= pulls->delivered) {
        struct ks_pull *pull = pulls->first;
        if (!ks_settling_add(&pulls->settling, pull->part))
            return; /* when others have settled */
        pull->part = NULL;
        pull_let_go(take_first(pulls));
    }
}

/* What the session has to know: to be called after any change. */
static void note_change(struct ks_pulls *pulls)
{
    pulls->follower.awaits_delivery = pulls->first != NULL;
    pulls->follower.awaits_end = pulls->first != NULL || ks_settling_any(&pulls->settling);
}

/* Asks for `reminded` when the first of what settles is due. */
static void remind(const struct ks_pulls *pulls, struct ks_connection *connection)
{
    const struct ks_settling_part *first = pulls->settling.first;
    uint64_t after_ms = 0;
    if (first != NULL) {
        uint64_t now_ms = ks_clock_monotonic_ms(first->environment->clock);
        after_ms = first->due_ms > now_ms ? first->due_ms - now_ms : 1;
    }
    ks_connection_set_reminder(connection, after_ms);
    ks_connection_want_end(connection, pulls->follower.awaits_end);
}

/* Looks what the peer has acknowledged, which settles from then on, renews the leases after any progress, and
 * asks for the event `delivered` while anything is on its way, `reminded` while anything settles. */
static void look_at_delivery(struct ks_pulls *pulls, struct ks_connection *connection)
{
    if (pulls->first == NULL)
        return;
    uint64_t delivered = ks_connection_delivered_up_to(connection);
    bool progress = delivered > pulls->delivered;
    pulls->delivered = delivered;
    bool settled = ks_settling_any(&pulls->settling);
    settle_delivered(pulls);
    note_change(pulls);
    if (progress)
        renew_leases(pulls);
    if (pulls->first != NULL)
        ks_connection_watch_delivery(connection, delivered + 1);
    if (!settled && ks_settling_any(&pulls->settling))
        remind(pulls, connection);
}

static void pulls_look(struct ks_session_follower *follower, struct ks_connection *connection)
{
    look_at_delivery(pulls_of_follower(follower), connection);
}

/* What the peer had acknowledged before its end is deleted. */
static void pulls_input_ended(struct ks_session_follower *follower, struct ks_connection *connection)
{
    struct ks_pulls *pulls = pulls_of_follower(follower);
    if (!follower->awaits_end)
        return;
    look_at_delivery(pulls, connection);
    ks_settling_ended(&pulls->settling, ks_connection_delivered_before_end(connection));
    note_change(pulls);
    remind(pulls, connection);
}

/* What has settled is deleted. */
static void pulls_reminded(struct ks_session_follower *follower, struct ks_connection *connection)
{
    struct ks_pulls *pulls = pulls_of_follower(follower);
    if (!ks_settling_any(&pulls->settling) || ks_connection_is_broken(connection))
        return;
    ks_settling_pass(&pulls->settling, ks_clock_monotonic_ms(pulls->settling.first->environment->clock));
    look_at_delivery(pulls, connection);
    note_change(pulls);
    remind(pulls, connection);
}

/* Once for a run of parts of one receiver. */
static void release_part(const struct ks_settling_part *part, const struct ks_settling_part *before)
{
    if (before == NULL || memcmp(&before->receiver, &part->receiver, sizeof part->receiver) != 0)
        ks_store_lease_release(part->environment->store, &part->receiver, part->owner);
}

/* Everything that has not settled waits again. */
static void pulls_closed(struct ks_session_follower *follower)
{
    struct ks_pulls *pulls = pulls_of_follower(follower);
    const struct ks_settling_part *before = NULL;
    for (const struct ks_pull *pull = pulls->first; pull != NULL; pull = pull->next) {
        release_part(pull->part, before);
        before = pull->part;
    }
    for (const struct ks_settling_part *part = pulls->settling.first; part != NULL; part = part->next) {
        release_part(part, before);
        before = part;
    }
    while (pulls->first != NULL)
        pull_let_go(take_first(pulls));
    ks_settling_forget(&pulls->settling);
    free(pulls);
}

static const struct ks_session_follower_events pulls_events = {
    .look = pulls_look, .input_ended = pulls_input_ended, .reminded = pulls_reminded, .closed = pulls_closed};

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
    note_change(pulls);
}

/* What was leased, as it will settle. */
static void fill_part(struct ks_pull *pull, const struct ks_store_lease_waiting *lease,
                      const struct ks_connection *connection)
{
    struct ks_settling_part *part = pull->part;
    part->environment = pull->environment;
    part->executor = pull->executor;
    part->receiver = pull->receiver;
    part->owner = pull->owner;
    part->after = lease->after;
    part->last = lease->last;
    part->end = ks_connection_written(connection) + KS_RESPONSE_HEADER_SIZE + lease->size;
}

static void leased(struct ks_store_request *request)
{
    struct ks_pull *pull = KS_CONTAINER_OF(request, struct ks_pull, request.lease.request);
    struct ks_exchange *exchange = pull->stream.exchange;
    struct ks_session *session = exchange->session;
    const struct ks_store_lease_waiting lease = pull->request.lease;
    if (session != NULL && !lease.more)
        pulls_of(session)->size_limit = 0;
    if (request->result != KS_OK || lease.count == 0) {
        answer_without(pull, exchange, request->result != KS_OK);
        return;
    }
    if (session == NULL) {
        ks_store_lease_release(pull->environment->store, &pull->receiver, pull->owner);
        answer_without(pull, exchange, true);
        return;
    }
    struct ks_connection *connection = ks_session_connection(session);
    fill_part(pull, &lease, connection);
    pull->last = lease.last;
    pull->cursor.message_id = lease.after;
    pull->holders++;
    enlist(pulls_of(session), pull);
    ks_connection_watch_delivery(connection, ks_connection_delivered_up_to(connection) + 1);
    ks_connection_want_end(connection, true);
    ks_stream_begin(&pull->stream, &pull_source, exchange, KS_RESPONSE_WAITING_MESSAGES, (uint32_t)lease.size,
                    page_size_for(lease.size));
}

/* It grows only for who asks on after an answer that left messages waiting. */
static uint64_t next_size_limit(const struct ks_pull *pull, struct ks_pulls *pulls)
{
    uint64_t largest = pull->environment->settings.pull_limit;
    uint64_t wanted = pulls->size_limit > 0 ? SIZE_LIMIT_GROWTH * pulls->size_limit : FIRST_SIZE_LIMIT;
    pulls->size_limit = wanted < largest ? wanted : largest;
    return pulls->size_limit;
}

static void receiver_found(struct ks_store_request *request)
{
    struct ks_pull *pull = KS_CONTAINER_OF(request, struct ks_pull, request.look_up.request);
    struct ks_exchange *exchange = pull->stream.exchange;
    struct ks_session *session = exchange->session;
    if (request->result != KS_OK || session == NULL) {
        answer_without(pull, exchange, true);
        return;
    }
    ks_store_touch(pull->environment->store, &pull->receiver);
    if (pulls_of(session)->count >= PULLS_LIMIT) {
        ks_report(exchange, KS_LOG_INFO,
                  "gets no more messages: it has not acknowledged %d answers with them", PULLS_LIMIT);
        answer_without(pull, exchange, false);
        return;
    }
    struct ks_store_lease_waiting *lease = &pull->request.lease;
    prepare(pull, &lease->request, leased);
    lease->receiver = pull->receiver;
    lease->owner = pull->owner;
    lease->size_limit = next_size_limit(pull, pulls_of(session));
    lease->overhead = KS_WAITING_MESSAGE_FIXED_SIZE;
    ks_store_lease_waiting(pull->environment->store, lease);
}

/* Once for a session. False when out of memory. */
static bool have_pulls(struct ks_session *session)
{
    if (ks_session_follower_of(session) != NULL)
        return true;
    struct ks_pulls *pulls = calloc(1, sizeof *pulls);
    if (pulls == NULL)
        return false;
    pulls->follower.events = &pulls_events;
    ks_session_follow(session, &pulls->follower);
    return true;
}

void ks_pulls_begin(struct ks_exchange *exchange, const uint8_t *fixed)
{
    (void)fixed;
    struct ks_pull *pull = calloc(1, sizeof *pull);
    struct ks_settling_part *part = calloc(1, sizeof *part);
    if (pull == NULL || part == NULL || !have_pulls(exchange->session)) {
        free(pull);
        free(part);
        ks_exchange_refuse(exchange);
        return;
    }
    pull->holders = 1;
    pull->part = part;
    pull->environment = exchange->environment;
    pull->executor = &exchange->loop->executor;
    pull->receiver = exchange->header.client_id;
    pull->owner = ks_session_number(exchange->session);
    pull->stream.exchange = exchange;
    prepare(pull, &pull->request.look_up.request, receiver_found);
    pull->request.look_up.id = pull->receiver;
    ks_store_look_up(pull->environment->store, &pull->request.look_up);
}
