/* receivers.c — see receivers.h. */
#include "bench/traffic/receivers.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct receiver {
    struct ks_replies replies;
    struct ks_message_stream stream;
    uint64_t asked_ns; /* when its first 604 was written */
    uint64_t last_ns;  /* when the last of its messages was whole */
    uint64_t messages;
    uint32_t sender; /* of the message that is coming, or came last */
    uint32_t lane;   /* the same */
    bool done;
};

struct receivers {
    struct ks_senders *senders;
    struct ks_run *run;
    struct ks_receivers_result *result;
    struct ks_fleet *fleet;
    struct receiver *each;
    struct ks_lane *counts; /* what has come */
    uint32_t opened;
    uint32_t done;
    bool measured;
};

static void ask(struct receivers *receivers, uint32_t index, struct ks_load_link *link)
{
    uint8_t request[KS_REQUEST_HEADER_SIZE];
    const struct ks_request_header header = {
        .client_id = *ks_load_users_id(receivers->senders->users, receivers->senders->plan.senders + index),
        .version = KS_VERSION_MESSAGES,
        .code = KS_REQUEST_WAITING_MESSAGES};
    ks_request_header_encode(&header, request);
    if (ks_load_link_write(link, request, sizeof request) != KS_OK)
        ks_run_fail(receivers->run, "asking for messages: no memory");
}

static void opened(void *context, uint32_t index, struct ks_load_link *link)
{
    struct receivers *receivers = context;
    uint32_t count = receivers->senders->plan.receivers;
    (void)index;
    (void)link;
    if (++receivers->opened < count)
        return;
    ks_run_phase(receivers->run, receivers->measured ? NULL : "verifying", 0,
                 receivers->senders->acknowledged);
    if (receivers->measured)
        ks_run_measure(receivers->run, true);
    uint64_t now_ns = ks_clock_stopwatch_ns();
    for (uint32_t i = 0; i < count; i++) {
        receivers->each[i].asked_ns = now_ns;
        ask(receivers, i, ks_fleet_link(receivers->fleet, i));
    }
}

/* ---- messages ---- */

/* What begins: by whom, and whether it could be the next of that lane at all. */
static bool begin_message(struct receivers *receivers, uint32_t index,
                          const struct ks_waiting_message *message)
{
    struct receiver *receiver = &receivers->each[index];
    const struct ks_lanes *lanes = &receivers->senders->lanes;
    if (!ks_load_users_find(receivers->senders->users, &message->sender, receiver->sender,
                            &receiver->sender) ||
        receiver->sender >= lanes->senders ||
        !ks_lanes_find(lanes, receiver->sender, index, &receiver->lane)) {
        ks_run_fail(receivers->run,
                    "receiver %" PRIu32 " has got message %" PRIu32 ", which none of its senders sent", index,
                    message->message_id);
        return false;
    }
    const struct ks_lane *lane = &receivers->counts[receiver->lane];
    if (lane->count == receivers->senders->counts[receiver->lane].count) {
        ks_run_fail(receivers->run,
                    "receiver %" PRIu32 " has got more than the %" PRIu64 " messages of sender %" PRIu32,
                    index, lane->count, receiver->sender);
        return false;
    }
    if (message->type != KS_MESSAGE_TEXT || message->content_size != lanes->size) {
        ks_run_fail(receivers->run,
                    "message %" PRIu32 " to receiver %" PRIu32 " is of type %u with %" PRIu32
                    " bytes, and was sent as type %d with %" PRIu32,
                    message->message_id, index, message->type, message->content_size, KS_MESSAGE_TEXT,
                    lanes->size);
        return false;
    }
    return true;
}

static bool take_part(struct receivers *receivers, uint32_t index, const struct ks_message_part *part)
{
    struct receiver *receiver = &receivers->each[index];
    if (part->offset == 0 && !begin_message(receivers, index, part->message))
        return false;
    struct ks_lane *lane = &receivers->counts[receiver->lane];
    if (!ks_lanes_match(&receivers->senders->lanes, receiver->lane, lane->count, part->offset, part->bytes,
                        part->size)) {
        ks_run_fail(receivers->run,
                    "message %" PRIu64 " of sender %" PRIu32 " to receiver %" PRIu32
                    " is lost, in another order or changed: in its place is message id %" PRIu32,
                    lane->count, receiver->sender, index, part->message->message_id);
        return false;
    }
    if (!part->last)
        return true;
    if (!ks_lanes_count(lane, part->message->message_id)) {
        ks_run_fail(receivers->run,
                    "the ids of the messages to receiver %" PRIu32 " do not ascend at %" PRIu32, index,
                    part->message->message_id);
        return false;
    }
    receiver->messages++;
    return true;
}

/* The messages in a piece of a 2104. */
static bool take_messages(struct receivers *receivers, uint32_t index, const uint8_t *bytes, size_t size)
{
    struct receiver *receiver = &receivers->each[index];
    uint64_t before = receiver->messages;
    struct ks_message_part part;
    size_t taken = 0;
    while (ks_message_stream_next(&receiver->stream, bytes, size, &part, &taken) == KS_OK) {
        if (!take_part(receivers, index, &part))
            return false;
        bytes += taken;
        size -= taken;
    }
    if (receiver->messages == before)
        return true;
    receiver->last_ns = ks_clock_stopwatch_ns();
    if (before == 0)
        ks_percentiles_add(&receivers->result->first, receiver->last_ns - receiver->asked_ns);
    receivers->result->messages += receiver->messages - before;
    if (receivers->measured)
        receivers->run->operations += receiver->messages - before;
    else
        ks_run_phase(receivers->run, "verifying", receivers->result->messages,
                     receivers->senders->acknowledged);
    return true;
}

/* ---- answers ---- */

/* An empty answer: nothing waits any more. */
static void end_receiver(struct receivers *receivers, uint32_t index)
{
    struct receiver *receiver = &receivers->each[index];
    receiver->done = true;
    if (receivers->measured && receiver->messages > 0)
        ks_percentiles_add(&receivers->run->latency, receiver->last_ns - receiver->asked_ns);
    if (++receivers->done < receivers->senders->plan.receivers)
        return;
    ks_run_measured(receivers->run);
    ks_reactor_stop(receivers->run->reactor);
}

static bool take_reply(struct receivers *receivers, uint32_t index, struct ks_load_link *link,
                       const struct ks_reply *reply)
{
    struct receiver *receiver = &receivers->each[index];
    if (reply->code != KS_RESPONSE_WAITING_MESSAGES || receiver->asked_ns == 0 || receiver->done) {
        ks_run_fail(receivers->run, "receiver %" PRIu32 " was answered with %u where %s was due", index,
                    reply->code, receiver->asked_ns == 0 || receiver->done ? "nothing" : "2104");
        return false;
    }
    if (!take_messages(receivers, index, reply->bytes, reply->size))
        return false;
    if (!ks_reply_is_last(reply))
        return true;
    if (!ks_message_stream_is_between(&receiver->stream)) {
        ks_run_fail(receivers->run, "an answer to receiver %" PRIu32 " ends within a message", index);
        return false;
    }
    if (reply->payload_size == 0)
        end_receiver(receivers, index);
    else
        ask(receivers, index, link);
    return true;
}

static size_t received(void *context, uint32_t index, struct ks_load_link *link, const uint8_t *bytes,
                       size_t size)
{
    struct receivers *receivers = context;
    size_t all_taken = 0;
    size_t taken = 0;
    struct ks_reply reply;
    while (ks_replies_next(&receivers->each[index].replies, bytes + all_taken, size - all_taken, &reply,
                           &taken) == KS_OK) {
        all_taken += taken;
        if (!take_reply(receivers, index, link, &reply))
            return size;
    }
    return all_taken;
}

static void ended(void *context, uint32_t index, struct ks_load_link *link, int error)
{
    struct receivers *receivers = context;
    (void)link;
    if (!receivers->each[index].done)
        ks_run_lost(receivers->run, "taking messages", error);
}

/* ---- all of it ---- */

/* What came is what was acknowledged: the contents were compared on the way, here the counts and the ids. */
static void compare(struct receivers *receivers)
{
    const struct ks_lanes *lanes = &receivers->senders->lanes;
    for (uint32_t i = 0; i < lanes->count; i++) {
        const struct ks_lane *sent = &receivers->senders->counts[i];
        const struct ks_lane *come = &receivers->counts[i];
        if (come->count != sent->count)
            ks_run_fail(receivers->run,
                        "of %" PRIu64 " messages that were acknowledged to sender %" PRIu32
                        ", receiver %" PRIu32 " has got %" PRIu64,
                        sent->count, i % lanes->senders, i % lanes->receivers, come->count);
        else if (come->ids != sent->ids)
            ks_run_fail(receivers->run,
                        "messages of sender %" PRIu32 " came to receiver %" PRIu32
                        " with other ids than were acknowledged",
                        i % lanes->senders, i % lanes->receivers);
    }
}

static bool run_loop(struct receivers *receivers)
{
    static const struct ks_fleet_events events = {opened, received, NULL, ended};
    struct ks_run *run = receivers->run;
    char reason[KS_RUN_REASON_SIZE];
    const struct ks_fleet_plan plan = {.count = receivers->senders->plan.receivers,
                                       .source = run->settings->source,
                                       .sources = (uint32_t)run->settings->sources};
    if (ks_fleet_open(run->reactor, run->settings->server, &plan, &events, receivers, &receivers->fleet,
                      reason, sizeof reason) != KS_OK)
        ks_run_fail(run, "%s", reason);
    bool is_done = ks_run_loop(run);
    /* Politely: a reset would make what they took wait again (protocol.md §1.3). */
    for (uint32_t i = 0; receivers->fleet != NULL && i < plan.count; i++)
        ks_load_link_close(ks_fleet_link(receivers->fleet, i));
    ks_fleet_free(receivers->fleet);
    return is_done;
}

bool ks_receivers_take_all(struct ks_senders *senders, bool measured, struct ks_receivers_result *result)
{
    struct ks_run *run = senders->run;
    struct receivers receivers = {.senders = senders, .run = run, .result = result, .measured = measured};
    ks_senders_close(senders);
    /* A receiver asks who the senders are; it does not find itself, so it must be none of them: the last. */
    uint32_t asker = senders->plan.senders + senders->plan.receivers - 1;
    if (!ks_load_users_learn_aliases(senders->users, run, asker))
        return false;
    receivers.each = calloc(senders->plan.receivers, sizeof *receivers.each);
    receivers.counts = calloc(senders->lanes.count, sizeof *receivers.counts);
    if (receivers.each == NULL || receivers.counts == NULL)
        ks_run_fail(run, "no memory for %" PRIu32 " receivers", senders->plan.receivers);
    else if (run_loop(&receivers))
        compare(&receivers);
    free(receivers.each);
    free(receivers.counts);
    ks_run_phase(run, NULL, 0, 0);
    return !run->failed;
}
