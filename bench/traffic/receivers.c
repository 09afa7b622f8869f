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

struct inbox {
    struct ks_sending *sending;
    struct ks_run *run;
    struct ks_inbox_result *result;
    struct ks_fleet *fleet;
    struct receiver *receivers;
    struct ks_lane *lanes; /* what has come */
    uint32_t opened;
    uint32_t done;
    bool measured;
};

static void ask(struct inbox *inbox, uint32_t index, struct ks_link *link)
{
    uint8_t request[KS_REQUEST_HEADER_SIZE];
    const struct ks_request_header header = {
        .client_id = *ks_accounts_id(inbox->sending->accounts, inbox->sending->plan.senders + index),
        .version = KS_VERSION_MESSAGES,
        .code = KS_REQUEST_WAITING_MESSAGES};
    ks_request_header_encode(&header, request);
    if (ks_link_write(link, request, sizeof request) != KS_OK)
        ks_run_fail(inbox->run, "asking for messages: no memory");
}

static void opened(void *context, uint32_t index, struct ks_link *link)
{
    struct inbox *inbox = context;
    uint32_t receivers = inbox->sending->plan.receivers;
    (void)index;
    (void)link;
    if (++inbox->opened < receivers)
        return;
    ks_run_phase(inbox->run, inbox->measured ? NULL : "verifying", 0, inbox->sending->acknowledged);
    if (inbox->measured)
        ks_run_measure(inbox->run, true);
    uint64_t now_ns = ks_clock_stopwatch_ns();
    for (uint32_t i = 0; i < receivers; i++) {
        inbox->receivers[i].asked_ns = now_ns;
        ask(inbox, i, ks_fleet_link(inbox->fleet, i));
    }
}

/* ---- messages ---- */

/* What begins: by whom, and whether it could be the next of that lane at all. */
static bool begin_message(struct inbox *inbox, uint32_t index, const struct ks_waiting_message *message)
{
    struct receiver *receiver = &inbox->receivers[index];
    const struct ks_letters *letters = &inbox->sending->letters;
    if (!ks_accounts_find(inbox->sending->accounts, &message->sender, receiver->sender, &receiver->sender) ||
        receiver->sender >= letters->senders ||
        !ks_letters_lane(letters, receiver->sender, index, &receiver->lane)) {
        ks_run_fail(inbox->run,
                    "receiver %" PRIu32 " has got message %" PRIu32 ", which none of its senders sent", index,
                    message->message_id);
        return false;
    }
    const struct ks_lane *lane = &inbox->lanes[receiver->lane];
    if (lane->count == inbox->sending->lanes[receiver->lane].count) {
        ks_run_fail(inbox->run,
                    "receiver %" PRIu32 " has got more than the %" PRIu64 " messages of sender %" PRIu32,
                    index, lane->count, receiver->sender);
        return false;
    }
    if (message->type != KS_MESSAGE_TEXT || message->content_size != letters->size) {
        ks_run_fail(inbox->run,
                    "message %" PRIu32 " to receiver %" PRIu32 " is of type %u with %" PRIu32
                    " bytes, and was sent as type %d with %" PRIu32,
                    message->message_id, index, message->type, message->content_size, KS_MESSAGE_TEXT,
                    letters->size);
        return false;
    }
    return true;
}

static bool take_part(struct inbox *inbox, uint32_t index, const struct ks_message_part *part)
{
    struct receiver *receiver = &inbox->receivers[index];
    if (part->offset == 0 && !begin_message(inbox, index, part->message))
        return false;
    struct ks_lane *lane = &inbox->lanes[receiver->lane];
    if (!ks_letters_match(&inbox->sending->letters, receiver->lane, lane->count, part->offset, part->bytes,
                          part->size)) {
        ks_run_fail(inbox->run,
                    "message %" PRIu64 " of sender %" PRIu32 " to receiver %" PRIu32
                    " is lost, in another order or changed: in its place is message id %" PRIu32,
                    lane->count, receiver->sender, index, part->message->message_id);
        return false;
    }
    if (!part->last)
        return true;
    if (!ks_lane_count(lane, part->message->message_id)) {
        ks_run_fail(inbox->run, "the ids of the messages to receiver %" PRIu32 " do not ascend at %" PRIu32,
                    index, part->message->message_id);
        return false;
    }
    receiver->messages++;
    return true;
}

/* The messages in a piece of a 2104. */
static bool take_messages(struct inbox *inbox, uint32_t index, const uint8_t *bytes, size_t size)
{
    struct receiver *receiver = &inbox->receivers[index];
    uint64_t before = receiver->messages;
    struct ks_message_part part;
    size_t taken = 0;
    while (ks_message_stream_next(&receiver->stream, bytes, size, &part, &taken) == KS_OK) {
        if (!take_part(inbox, index, &part))
            return false;
        bytes += taken;
        size -= taken;
    }
    if (receiver->messages == before)
        return true;
    receiver->last_ns = ks_clock_stopwatch_ns();
    if (before == 0)
        ks_percentiles_add(&inbox->result->first, receiver->last_ns - receiver->asked_ns);
    inbox->result->messages += receiver->messages - before;
    if (inbox->measured)
        inbox->run->operations += receiver->messages - before;
    else
        ks_run_phase(inbox->run, "verifying", inbox->result->messages, inbox->sending->acknowledged);
    return true;
}

/* ---- answers ---- */

/* An empty answer: nothing waits any more. */
static void end_receiver(struct inbox *inbox, uint32_t index)
{
    struct receiver *receiver = &inbox->receivers[index];
    receiver->done = true;
    if (inbox->measured && receiver->messages > 0)
        ks_percentiles_add(&inbox->run->latency, receiver->last_ns - receiver->asked_ns);
    if (++inbox->done < inbox->sending->plan.receivers)
        return;
    ks_run_measured(inbox->run);
    ks_reactor_stop(inbox->run->reactor);
}

static bool take_reply(struct inbox *inbox, uint32_t index, struct ks_link *link,
                       const struct ks_reply *reply)
{
    struct receiver *receiver = &inbox->receivers[index];
    if (reply->code != KS_RESPONSE_WAITING_MESSAGES || receiver->asked_ns == 0 || receiver->done) {
        ks_run_fail(inbox->run, "receiver %" PRIu32 " was answered with %u where %s was due", index,
                    reply->code, receiver->asked_ns == 0 || receiver->done ? "nothing" : "2104");
        return false;
    }
    if (!take_messages(inbox, index, reply->bytes, reply->size))
        return false;
    if (!ks_reply_is_last(reply))
        return true;
    if (!ks_message_stream_is_between(&receiver->stream)) {
        ks_run_fail(inbox->run, "an answer to receiver %" PRIu32 " ends within a message", index);
        return false;
    }
    if (reply->payload_size == 0)
        end_receiver(inbox, index);
    else
        ask(inbox, index, link);
    return true;
}

static size_t received(void *context, uint32_t index, struct ks_link *link, const uint8_t *bytes, size_t size)
{
    struct inbox *inbox = context;
    size_t all_taken = 0;
    size_t taken = 0;
    struct ks_reply reply;
    while (ks_replies_next(&inbox->receivers[index].replies, bytes + all_taken, size - all_taken, &reply,
                           &taken) == KS_OK) {
        all_taken += taken;
        if (!take_reply(inbox, index, link, &reply))
            return size;
    }
    return all_taken;
}

static void ended(void *context, uint32_t index, struct ks_link *link, int error)
{
    struct inbox *inbox = context;
    (void)link;
    if (!inbox->receivers[index].done)
        ks_run_lost(inbox->run, "taking messages", error);
}

/* ---- all of it ---- */

/* What came is what was acknowledged: the contents were compared on the way, here the counts and the ids. */
static void compare(struct inbox *inbox)
{
    const struct ks_letters *letters = &inbox->sending->letters;
    for (uint32_t i = 0; i < letters->lanes; i++) {
        const struct ks_lane *sent = &inbox->sending->lanes[i];
        const struct ks_lane *come = &inbox->lanes[i];
        if (come->count != sent->count)
            ks_run_fail(inbox->run,
                        "of %" PRIu64 " messages that were acknowledged to sender %" PRIu32
                        ", receiver %" PRIu32 " has got %" PRIu64,
                        sent->count, i % letters->senders, i % letters->receivers, come->count);
        else if (come->ids != sent->ids)
            ks_run_fail(inbox->run,
                        "messages of sender %" PRIu32 " came to receiver %" PRIu32
                        " with other ids than were acknowledged",
                        i % letters->senders, i % letters->receivers);
    }
}

static bool run_loop(struct inbox *inbox)
{
    static const struct ks_fleet_events events = {opened, received, NULL, ended};
    struct ks_run *run = inbox->run;
    char reason[KS_RUN_REASON_SIZE];
    const struct ks_fleet_plan plan = {.count = inbox->sending->plan.receivers,
                                       .source = run->settings->source,
                                       .sources = (uint32_t)run->settings->sources};
    if (ks_fleet_open(run->reactor, run->settings->server, &plan, &events, inbox, &inbox->fleet, reason,
                      sizeof reason) != KS_OK)
        ks_run_fail(run, "%s", reason);
    bool is_done = ks_run_loop(run);
    /* Politely: a reset would make what they took wait again (protocol.md §1.3). */
    for (uint32_t i = 0; inbox->fleet != NULL && i < plan.count; i++)
        ks_link_close(ks_fleet_link(inbox->fleet, i));
    ks_fleet_free(inbox->fleet);
    return is_done;
}

bool ks_inbox_take_all(struct ks_sending *sending, bool measured, struct ks_inbox_result *result)
{
    struct ks_run *run = sending->run;
    struct inbox inbox = {.sending = sending, .run = run, .result = result, .measured = measured};
    ks_sending_close(sending);
    /* A receiver asks who the senders are; it does not find itself, so it must be none of them: the last. */
    uint32_t asker = sending->plan.senders + sending->plan.receivers - 1;
    if (!ks_accounts_learn_aliases(sending->accounts, run, asker))
        return false;
    inbox.receivers = calloc(sending->plan.receivers, sizeof *inbox.receivers);
    inbox.lanes = calloc(sending->letters.lanes, sizeof *inbox.lanes);
    if (inbox.receivers == NULL || inbox.lanes == NULL)
        ks_run_fail(run, "no memory for %" PRIu32 " receivers", sending->plan.receivers);
    else if (run_loop(&inbox))
        compare(&inbox);
    free(inbox.receivers);
    free(inbox.lanes);
    ks_run_phase(run, NULL, 0, 0);
    return !run->failed;
}
