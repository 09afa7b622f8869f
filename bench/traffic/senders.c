/* senders.c — see senders.h. */
#include "bench/traffic/senders.h"

#include "base/clock.h"
#include "bench/traffic/send_dialect.h"
#include "crypto/random.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    COPIED_SIZE = 16 * 1024, /* a larger message is not copied into the link's queue but lent to it */
    QUEUE_LIMIT = 64 * 1024, /* bytes in it, then no more messages are written */
};

struct ks_senders_connection {
    uint64_t sent;
    uint64_t acknowledged;
    uint64_t quota;
    uint32_t lane_count; /* how many it has */
    uint32_t lent;   /* offset in the content of what is to be lent next, of the message sent last; 0: none */
    bool greeted;    /* the answer to its greeting is due */
    bool ready;      /* it may send */
    bool is_lending; /* nothing may be written to the link */
};

/* Message `ordinal` of a sender: it goes round its lanes. */
static struct ks_sent sent_of(const struct ks_senders *senders, uint32_t sender, uint64_t ordinal)
{
    uint32_t lanes = senders->connections[sender].lane_count;
    uint32_t turn = lanes == 1 ? 0 : (uint32_t)(ordinal % lanes);
    return (struct ks_sent){.sender = sender,
                            .lane = sender + senders->lanes.senders * turn,
                            .number = lanes == 1 ? ordinal : ordinal / lanes,
                            .ordinal = ordinal};
}

static uint64_t *begun_of(struct ks_senders *senders, uint32_t sender, uint64_t ordinal)
{
    return &senders->begun_ns[(size_t)sender * senders->plan.depth + ordinal % senders->plan.depth];
}

/* ---- the end ---- */

static bool is_unlimited(const struct ks_senders *senders)
{
    return senders->plan.messages == 0;
}

/* Nothing is on its way, and nothing more will be. */
static void end_if_done(struct ks_senders *senders)
{
    bool no_more = senders->stopping || (!is_unlimited(senders) && senders->sent == senders->plan.messages);
    if (!no_more || senders->acknowledged != senders->sent)
        return;
    if (senders->plan.measured)
        ks_run_measured(senders->run);
    ks_reactor_stop(senders->run->reactor);
}

static void time_is_over(void *context)
{
    struct ks_senders *senders = context;
    senders->stopping = true;
    end_if_done(senders);
}

/* ---- writing ---- */

/* Goes on lending the content of the message that was sent last, then writes its tail. */
static void lend_more(struct ks_senders *senders, uint32_t index, struct ks_load_link *link)
{
    struct ks_senders_connection *sender = &senders->connections[index];
    const char *tail = senders->plan.dialect->tail;
    sender->is_lending = sender->lent > 0;
    if (sender->lent == 0)
        return;
    if (sender->lent < senders->lanes.size) {
        size_t size = 0;
        const uint8_t *bytes = ks_lanes_borrow(&senders->lanes, sender->lent, &size);
        sender->lent += (uint32_t)size;
        ks_load_link_lend(link, bytes, size);
        return;
    }
    sender->lent = 0;
    sender->is_lending = false;
    if (ks_load_link_write(link, tail, strlen(tail)) != KS_OK)
        ks_run_fail(senders->run, "sending: no memory");
}

static bool write_one(struct ks_senders *senders, uint32_t index, struct ks_load_link *link)
{
    const struct ks_send_dialect *dialect = senders->plan.dialect;
    struct ks_senders_connection *sender = &senders->connections[index];
    const struct ks_sent sent = sent_of(senders, index, sender->sent);
    uint8_t head[KS_SEND_HEAD_LIMIT];
    bool is_copied = senders->lanes.size <= COPIED_SIZE;
    size_t content_size = is_copied ? senders->lanes.size : KS_LANES_MARK_SIZE;
    size_t head_size = dialect->head(senders, &sent, head);
    size_t tail_size = is_copied ? strlen(dialect->tail) : 0;
    uint8_t *place = ks_load_link_reserve(link, head_size + content_size + tail_size);
    if (place == NULL) {
        ks_run_fail(senders->run, "sending: no memory");
        return false;
    }
    memcpy(place, head, head_size);
    ks_lanes_write(&senders->lanes, sent.lane, sent.number, 0, place + head_size, content_size);
    if (tail_size > 0)
        memcpy(place + head_size + content_size, dialect->tail, tail_size);
    sender->sent++;
    senders->sent++;
    if (is_copied)
        return true;
    sender->lent = KS_LANES_MARK_SIZE;
    lend_more(senders, index, link);
    return true;
}

/* Writes what may be on its way. `now_ns` is 0 when nobody has looked at the clock in this turn. */
static void write_more(struct ks_senders *senders, uint32_t index, struct ks_load_link *link, uint64_t now_ns)
{
    struct ks_senders_connection *sender = &senders->connections[index];
    while (!senders->stopping && sender->ready && !sender->is_lending && sender->sent < sender->quota &&
           sender->sent - sender->acknowledged < senders->plan.depth &&
           ks_load_link_waiting(link) < QUEUE_LIMIT) {
        if (now_ns == 0)
            now_ns = ks_clock_stopwatch_ns();
        *begun_of(senders, index, sender->sent) = now_ns;
        if (!write_one(senders, index, link))
            return;
    }
}

static void drained(void *context, uint32_t index, struct ks_load_link *link)
{
    struct ks_senders *senders = context;
    if (senders->connections[index].is_lending)
        lend_more(senders, index, link);
    write_more(senders, index, link, 0);
}

/* ---- beginning ---- */

static void begin_all(struct ks_senders *senders)
{
    if (senders->plan.measured)
        ks_run_measure(senders->run, !is_unlimited(senders));
    for (uint32_t i = 0; i < senders->plan.senders; i++)
        senders->connections[i].ready = true;
    for (uint32_t i = 0; i < senders->plan.senders; i++)
        write_more(senders, i, ks_fleet_link(senders->fleet, i), 0);
    end_if_done(senders);
}

static void one_is_ready(struct ks_senders *senders)
{
    senders->ready++;
    ks_run_phase(senders->run, "connecting", senders->ready, senders->plan.senders);
    if (senders->ready < senders->plan.senders)
        return;
    ks_run_phase(senders->run, senders->plan.measured ? NULL : "sending", 0, senders->plan.messages);
    begin_all(senders);
}

static void opened(void *context, uint32_t index, struct ks_load_link *link)
{
    struct ks_senders *senders = context;
    uint8_t bytes[KS_SEND_HEAD_LIMIT];
    if (senders->plan.dialect->greet == NULL) {
        one_is_ready(senders);
        return;
    }
    senders->connections[index].greeted = true;
    if (ks_load_link_write(link, bytes, senders->plan.dialect->greet(senders, index, bytes)) != KS_OK)
        ks_run_fail(senders->run, "greeting the server: no memory");
}

/* ---- answers ---- */

static bool count_answer(struct ks_senders *senders, const struct ks_sent *sent, uint32_t id, uint64_t now_ns)
{
    struct ks_run *run = senders->run;
    if (!ks_lanes_count(&senders->counts[sent->lane], id)) {
        ks_run_fail(run,
                    "the id of message %" PRIu64 " of sender %" PRIu32 ", %" PRIu32
                    ", does not lie above that of its message before to the same receiver",
                    sent->ordinal, sent->sender, id);
        return false;
    }
    senders->connections[sent->sender].acknowledged++;
    senders->acknowledged++;
    if (senders->plan.measured && run->measuring) {
        run->operations++;
        ks_percentiles_add(&run->latency, now_ns - *begun_of(senders, sent->sender, sent->ordinal));
    }
    return true;
}

/* All answers that are complete. Returns how many bytes they were. */
static size_t take_answers(struct ks_senders *senders, uint32_t index, const uint8_t *bytes, size_t size,
                           uint64_t now_ns)
{
    const struct ks_senders_connection *sender = &senders->connections[index];
    size_t all_taken = 0;
    size_t taken = 0;
    uint32_t id = 0;
    while (all_taken < size) {
        const struct ks_sent sent = sent_of(senders, index, sender->acknowledged);
        if (sender->acknowledged == sender->sent) {
            ks_run_fail(senders->run, "the server answers sender %" PRIu32 ", who waits for nothing", index);
            return size;
        }
        enum ks_result result =
            senders->plan.dialect->answer(senders, &sent, bytes + all_taken, size - all_taken, &taken, &id);
        if (result == KS_MORE)
            return all_taken;
        if (result != KS_OK || !count_answer(senders, &sent, id, now_ns))
            return size;
        all_taken += taken;
    }
    return all_taken;
}

static size_t received(void *context, uint32_t index, struct ks_load_link *link, const uint8_t *bytes,
                       size_t size)
{
    struct ks_senders *senders = context;
    struct ks_senders_connection *sender = &senders->connections[index];
    size_t taken = 0;
    if (sender->greeted) {
        if (senders->plan.dialect->welcome(senders, bytes, size, &taken) != KS_OK)
            return 0;
        sender->greeted = false;
        one_is_ready(senders);
        return taken;
    }
    uint64_t now_ns = ks_clock_stopwatch_ns();
    taken = take_answers(senders, index, bytes, size, now_ns);
    if (senders->run->failed)
        return taken;
    write_more(senders, index, link, now_ns);
    if (!senders->plan.measured)
        ks_run_phase(senders->run, "sending", senders->acknowledged, senders->plan.messages);
    else if (senders->stopping)
        ks_run_phase(senders->run, "waiting for answers", senders->acknowledged, senders->sent);
    end_if_done(senders);
    return taken;
}

static void ended(void *context, uint32_t index, struct ks_load_link *link, int error)
{
    struct ks_senders *senders = context;
    (void)index;
    (void)link;
    ks_run_lost(senders->run, "sending", error);
}

/* ---- a run ---- */

static bool allocate(struct ks_senders *senders)
{
    const struct ks_senders_plan *plan = &senders->plan;
    ks_lanes_begin(&senders->lanes, plan->size, plan->senders, plan->receivers);
    senders->counts = calloc(senders->lanes.count, sizeof *senders->counts);
    senders->connections = calloc(plan->senders, sizeof *senders->connections);
    senders->begun_ns = calloc((size_t)plan->senders * plan->depth, sizeof *senders->begun_ns);
    if (senders->counts == NULL || senders->connections == NULL || senders->begun_ns == NULL)
        return false;
    for (uint32_t i = 0; i < plan->senders; i++) {
        struct ks_senders_connection *sender = &senders->connections[i];
        uint64_t share = plan->messages / plan->senders + (i < plan->messages % plan->senders);
        sender->lane_count = ks_lanes_of(&senders->lanes, i);
        sender->quota = is_unlimited(senders) ? UINT64_MAX : share;
    }
    return true;
}

static void open_fleet(struct ks_senders *senders)
{
    static const struct ks_fleet_events events = {opened, received, drained, ended};
    struct ks_run *run = senders->run;
    char reason[KS_RUN_REASON_SIZE];
    const struct ks_fleet_plan plan = {.count = senders->plan.senders,
                                       .source = run->settings->source,
                                       .sources = (uint32_t)run->settings->sources};
    ks_run_phase(run, "connecting", 0, plan.count);
    if (ks_fleet_open(run->reactor, run->settings->server, &plan, &events, senders, &senders->fleet, reason,
                      sizeof reason) != KS_OK)
        ks_run_fail(run, "%s", reason);
}

bool ks_senders_run(struct ks_senders *senders, struct ks_run *run, const struct ks_senders_plan *plan)
{
    *senders = (struct ks_senders){.run = run, .plan = *plan};
    if (!allocate(senders) ||
        ks_random_fill(ks_random_system(), &senders->tag, sizeof senders->tag) != KS_OK) {
        ks_run_fail(run, "no memory for %" PRIu32 " senders", plan->senders);
        return false;
    }
    if (plan->dialect->prepare != NULL && !plan->dialect->prepare(senders))
        return false;
    if (plan->measured) {
        run->finish = time_is_over;
        run->context = senders;
    }
    open_fleet(senders);
    bool is_done = ks_run_loop(run);
    run->finish = NULL;
    ks_run_phase(run, NULL, 0, 0);
    return is_done;
}

void ks_senders_close(struct ks_senders *senders)
{
    ks_fleet_free(senders->fleet);
    senders->fleet = NULL;
}

void ks_senders_end(struct ks_senders *senders)
{
    ks_senders_close(senders);
    ks_load_users_free(senders->users);
    senders->users = NULL;
    free(senders->counts);
    free(senders->connections);
    free(senders->begun_ns);
    senders->counts = NULL;
    senders->connections = NULL;
    senders->begun_ns = NULL;
}
