/* senders.c — see senders.h. */
#include "bench/traffic/senders.h"

#include "base/clock.h"
#include "bench/dialects/send_dialect.h"
#include "crypto/random.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    COPIED_SIZE = 16 * 1024, /* a larger message is not copied into the link's queue but lent to it */
    QUEUE_LIMIT = 64 * 1024, /* bytes in it, then no more messages are written */
};

struct ks_sender {
    uint64_t sent;
    uint64_t acknowledged;
    uint64_t quota;
    uint32_t lanes;  /* how many it has */
    uint32_t lent;   /* offset in the content of what is to be lent next, of the message sent last; 0: none */
    bool greeted;    /* the answer to its greeting is due */
    bool ready;      /* it may send */
    bool is_lending; /* nothing may be written to the link */
};

/* Message `ordinal` of a sender: it goes round its lanes. */
static struct ks_sent sent_of(const struct ks_sending *sending, uint32_t sender, uint64_t ordinal)
{
    uint32_t lanes = sending->senders[sender].lanes;
    uint32_t turn = lanes == 1 ? 0 : (uint32_t)(ordinal % lanes);
    return (struct ks_sent){.sender = sender,
                            .lane = sender + sending->letters.senders * turn,
                            .number = lanes == 1 ? ordinal : ordinal / lanes,
                            .ordinal = ordinal};
}

static uint64_t *begun_of(struct ks_sending *sending, uint32_t sender, uint64_t ordinal)
{
    return &sending->begun_ns[(size_t)sender * sending->plan.depth + ordinal % sending->plan.depth];
}

/* ---- the end ---- */

static bool is_unlimited(const struct ks_sending *sending)
{
    return sending->plan.messages == 0;
}

/* Nothing is on its way, and nothing more will be. */
static void end_if_done(struct ks_sending *sending)
{
    bool no_more = sending->stopping || (!is_unlimited(sending) && sending->sent == sending->plan.messages);
    if (!no_more || sending->acknowledged != sending->sent)
        return;
    if (sending->plan.measured)
        ks_run_measured(sending->run);
    ks_reactor_stop(sending->run->reactor);
}

static void time_is_over(void *context)
{
    struct ks_sending *sending = context;
    sending->stopping = true;
    end_if_done(sending);
}

/* ---- writing ---- */

/* Goes on lending the content of the message that was sent last, then writes its tail. */
static void lend_more(struct ks_sending *sending, uint32_t index, struct ks_link *link)
{
    struct ks_sender *sender = &sending->senders[index];
    const char *tail = sending->plan.dialect->tail;
    sender->is_lending = sender->lent > 0;
    if (sender->lent == 0)
        return;
    if (sender->lent < sending->letters.size) {
        size_t size = 0;
        const uint8_t *bytes = ks_letters_borrow(&sending->letters, sender->lent, &size);
        sender->lent += (uint32_t)size;
        ks_link_lend(link, bytes, size);
        return;
    }
    sender->lent = 0;
    sender->is_lending = false;
    if (ks_link_write(link, tail, strlen(tail)) != KS_OK)
        ks_run_fail(sending->run, "sending: no memory");
}

static bool write_one(struct ks_sending *sending, uint32_t index, struct ks_link *link)
{
    const struct ks_send_dialect *dialect = sending->plan.dialect;
    struct ks_sender *sender = &sending->senders[index];
    const struct ks_sent sent = sent_of(sending, index, sender->sent);
    uint8_t head[KS_SEND_HEAD_LIMIT];
    bool is_copied = sending->letters.size <= COPIED_SIZE;
    size_t content_size = is_copied ? sending->letters.size : KS_LETTER_MARK_SIZE;
    size_t head_size = dialect->head(sending, &sent, head);
    size_t tail_size = is_copied ? strlen(dialect->tail) : 0;
    uint8_t *place = ks_link_reserve(link, head_size + content_size + tail_size);
    if (place == NULL) {
        ks_run_fail(sending->run, "sending: no memory");
        return false;
    }
    memcpy(place, head, head_size);
    ks_letters_write(&sending->letters, sent.lane, sent.number, 0, place + head_size, content_size);
    if (tail_size > 0)
        memcpy(place + head_size + content_size, dialect->tail, tail_size);
    sender->sent++;
    sending->sent++;
    if (is_copied)
        return true;
    sender->lent = KS_LETTER_MARK_SIZE;
    lend_more(sending, index, link);
    return true;
}

/* Writes what may be on its way. `now_ns` is 0 when nobody has looked at the clock in this turn. */
static void write_more(struct ks_sending *sending, uint32_t index, struct ks_link *link, uint64_t now_ns)
{
    struct ks_sender *sender = &sending->senders[index];
    while (!sending->stopping && sender->ready && !sender->is_lending && sender->sent < sender->quota &&
           sender->sent - sender->acknowledged < sending->plan.depth && ks_link_waiting(link) < QUEUE_LIMIT) {
        if (now_ns == 0)
            now_ns = ks_clock_stopwatch_ns();
        *begun_of(sending, index, sender->sent) = now_ns;
        if (!write_one(sending, index, link))
            return;
    }
}

static void drained(void *context, uint32_t index, struct ks_link *link)
{
    struct ks_sending *sending = context;
    if (sending->senders[index].is_lending)
        lend_more(sending, index, link);
    write_more(sending, index, link, 0);
}

/* ---- beginning ---- */

static void begin_all(struct ks_sending *sending)
{
    if (sending->plan.measured)
        ks_run_measure(sending->run, !is_unlimited(sending));
    for (uint32_t i = 0; i < sending->plan.senders; i++)
        sending->senders[i].ready = true;
    for (uint32_t i = 0; i < sending->plan.senders; i++)
        write_more(sending, i, ks_fleet_link(sending->fleet, i), 0);
    end_if_done(sending);
}

static void one_is_ready(struct ks_sending *sending)
{
    sending->ready++;
    ks_run_phase(sending->run, "connecting", sending->ready, sending->plan.senders);
    if (sending->ready < sending->plan.senders)
        return;
    ks_run_phase(sending->run, sending->plan.measured ? NULL : "sending", 0, sending->plan.messages);
    begin_all(sending);
}

static void opened(void *context, uint32_t index, struct ks_link *link)
{
    struct ks_sending *sending = context;
    uint8_t bytes[KS_SEND_HEAD_LIMIT];
    if (sending->plan.dialect->greet == NULL) {
        one_is_ready(sending);
        return;
    }
    sending->senders[index].greeted = true;
    if (ks_link_write(link, bytes, sending->plan.dialect->greet(sending, index, bytes)) != KS_OK)
        ks_run_fail(sending->run, "greeting the server: no memory");
}

/* ---- answers ---- */

static bool count_answer(struct ks_sending *sending, const struct ks_sent *sent, uint32_t id, uint64_t now_ns)
{
    struct ks_run *run = sending->run;
    if (!ks_lane_count(&sending->lanes[sent->lane], id)) {
        ks_run_fail(run,
                    "the id of message %" PRIu64 " of sender %" PRIu32 ", %" PRIu32
                    ", does not lie above that of its message before to the same receiver",
                    sent->ordinal, sent->sender, id);
        return false;
    }
    sending->senders[sent->sender].acknowledged++;
    sending->acknowledged++;
    if (sending->plan.measured && run->measuring) {
        run->operations++;
        ks_percentiles_add(&run->latency, now_ns - *begun_of(sending, sent->sender, sent->ordinal));
    }
    return true;
}

/* All answers that are complete. Returns how many bytes they were. */
static size_t take_answers(struct ks_sending *sending, uint32_t index, const uint8_t *bytes, size_t size,
                           uint64_t now_ns)
{
    const struct ks_sender *sender = &sending->senders[index];
    size_t all_taken = 0;
    size_t taken = 0;
    uint32_t id = 0;
    while (all_taken < size) {
        const struct ks_sent sent = sent_of(sending, index, sender->acknowledged);
        if (sender->acknowledged == sender->sent) {
            ks_run_fail(sending->run, "the server answers sender %" PRIu32 ", who waits for nothing", index);
            return size;
        }
        enum ks_result result =
            sending->plan.dialect->answer(sending, &sent, bytes + all_taken, size - all_taken, &taken, &id);
        if (result == KS_MORE)
            return all_taken;
        if (result != KS_OK || !count_answer(sending, &sent, id, now_ns))
            return size;
        all_taken += taken;
    }
    return all_taken;
}

static size_t received(void *context, uint32_t index, struct ks_link *link, const uint8_t *bytes, size_t size)
{
    struct ks_sending *sending = context;
    struct ks_sender *sender = &sending->senders[index];
    size_t taken = 0;
    if (sender->greeted) {
        if (sending->plan.dialect->welcome(sending, bytes, size, &taken) != KS_OK)
            return 0;
        sender->greeted = false;
        one_is_ready(sending);
        return taken;
    }
    uint64_t now_ns = ks_clock_stopwatch_ns();
    taken = take_answers(sending, index, bytes, size, now_ns);
    if (sending->run->failed)
        return taken;
    write_more(sending, index, link, now_ns);
    if (!sending->plan.measured)
        ks_run_phase(sending->run, "sending", sending->acknowledged, sending->plan.messages);
    else if (sending->stopping)
        ks_run_phase(sending->run, "waiting for answers", sending->acknowledged, sending->sent);
    end_if_done(sending);
    return taken;
}

static void ended(void *context, uint32_t index, struct ks_link *link, int error)
{
    struct ks_sending *sending = context;
    (void)index;
    (void)link;
    ks_run_lost(sending->run, "sending", error);
}

/* ---- a run ---- */

static bool allocate(struct ks_sending *sending)
{
    const struct ks_sending_plan *plan = &sending->plan;
    ks_letters_begin(&sending->letters, plan->size, plan->senders, plan->receivers);
    sending->lanes = calloc(sending->letters.lanes, sizeof *sending->lanes);
    sending->senders = calloc(plan->senders, sizeof *sending->senders);
    sending->begun_ns = calloc((size_t)plan->senders * plan->depth, sizeof *sending->begun_ns);
    if (sending->lanes == NULL || sending->senders == NULL || sending->begun_ns == NULL)
        return false;
    for (uint32_t i = 0; i < plan->senders; i++) {
        struct ks_sender *sender = &sending->senders[i];
        uint64_t share = plan->messages / plan->senders + (i < plan->messages % plan->senders);
        sender->lanes = ks_letters_lanes_of(&sending->letters, i);
        sender->quota = is_unlimited(sending) ? UINT64_MAX : share;
    }
    return true;
}

static void open_fleet(struct ks_sending *sending)
{
    static const struct ks_fleet_events events = {opened, received, drained, ended};
    struct ks_run *run = sending->run;
    char reason[KS_RUN_REASON_SIZE];
    const struct ks_fleet_plan plan = {.count = sending->plan.senders,
                                       .source = run->settings->source,
                                       .sources = (uint32_t)run->settings->sources};
    ks_run_phase(run, "connecting", 0, plan.count);
    if (ks_fleet_open(run->reactor, run->settings->server, &plan, &events, sending, &sending->fleet, reason,
                      sizeof reason) != KS_OK)
        ks_run_fail(run, "%s", reason);
}

bool ks_sending_run(struct ks_sending *sending, struct ks_run *run, const struct ks_sending_plan *plan)
{
    *sending = (struct ks_sending){.run = run, .plan = *plan};
    if (!allocate(sending) ||
        ks_random_fill(ks_random_system(), &sending->tag, sizeof sending->tag) != KS_OK) {
        ks_run_fail(run, "no memory for %" PRIu32 " senders", plan->senders);
        return false;
    }
    if (plan->dialect->prepare != NULL && !plan->dialect->prepare(sending))
        return false;
    if (plan->measured) {
        run->finish = time_is_over;
        run->context = sending;
    }
    open_fleet(sending);
    bool is_done = ks_run_loop(run);
    run->finish = NULL;
    ks_run_phase(run, NULL, 0, 0);
    return is_done;
}

void ks_sending_close(struct ks_sending *sending)
{
    ks_fleet_free(sending->fleet);
    sending->fleet = NULL;
}

void ks_sending_end(struct ks_sending *sending)
{
    ks_sending_close(sending);
    ks_accounts_free(sending->accounts);
    sending->accounts = NULL;
    free(sending->lanes);
    free(sending->senders);
    free(sending->begun_ns);
    sending->lanes = NULL;
    sending->senders = NULL;
    sending->begun_ns = NULL;
}
