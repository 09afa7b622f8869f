/* mode_ask.c — small requests, as many on their way on each connection as there may be. All are written at
 * once in the beginning; then as many as were answered, so that several answers in one recv(2) give several
 * requests in one send(2).
 *
 * One look at the clock per recv(2): when its answers were complete is when the next requests are written.
 */
#include "base/clock.h"
#include "bench/load/stamps.h"
#include "bench/modes/modes.h"
#include "bench/traffic/question.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct ask_load {
    struct ks_run *run;
    struct ks_fleet *fleet;
    uint32_t connections;
    uint32_t depth;
    uint32_t greeted;      /* connections that are ready */
    uint64_t on_their_way; /* requests */
    bool started;
    bool finishing;
    bool *is_greeted; /* for each connection */
    struct ks_stamps stamps;
    char *requests; /* `depth` of them in a row */
    struct ks_question question;
};

static void ask(struct ask_load *asking, uint32_t index, struct ks_load_link *link, uint32_t count,
                uint64_t now_ns)
{
    if (ks_load_link_write(link, asking->requests, count * asking->question.request_size) != KS_OK) {
        ks_run_fail(asking->run, "no memory");
        return;
    }
    ks_stamps_put(&asking->stamps, index, count, now_ns);
    asking->on_their_way += count;
}

/* ---- the beginning ---- */

static void start(struct ask_load *asking)
{
    uint64_t now = ks_clock_stopwatch_ns();
    asking->started = true;
    ks_run_measure(asking->run, false);
    for (uint32_t i = 0; i < asking->connections; i++)
        ask(asking, i, ks_fleet_link(asking->fleet, i), asking->depth, now);
}

static void greeted(struct ask_load *asking, uint32_t index)
{
    asking->is_greeted[index] = true;
    asking->greeted++;
    ks_run_phase(asking->run, "connecting", asking->greeted, asking->connections);
    if (asking->greeted == asking->connections)
        start(asking);
}

static void opened(void *context, uint32_t index, struct ks_load_link *link)
{
    struct ask_load *asking = context;
    const char *greeting = asking->question.greeting;
    if (greeting[0] == '\0')
        greeted(asking, index);
    else if (ks_load_link_write(link, greeting, strlen(greeting)) != KS_OK)
        ks_run_fail(asking->run, "no memory");
}

static size_t receive_banner(struct ask_load *asking, uint32_t index, const uint8_t *bytes, size_t size)
{
    const char *banner = asking->question.banner;
    size_t banner_size = strlen(banner);
    if (asking->is_greeted[index]) {
        ks_run_fail(asking->run, "connection %" PRIu32 ": the server says what nobody asked for", index);
        return size;
    }
    if (size > banner_size || memcmp(bytes, banner, size) != 0) {
        ks_run_fail(asking->run, "connection %" PRIu32 ": the answer to the greeting is not \"%s\"", index,
                    banner);
        return size;
    }
    if (size < banner_size)
        return 0;
    greeted(asking, index);
    return size;
}

/* ---- the load ---- */

static void fail_answer(struct ask_load *asking, uint32_t index, const uint8_t *bytes, size_t size)
{
    char shown[40];
    size_t count = size < sizeof shown - 1 ? size : sizeof shown - 1;
    for (size_t i = 0; i < count; i++)
        shown[i] = bytes[i] >= 0x20 && bytes[i] < 0x7F ? (char)bytes[i] : '?';
    shown[count] = '\0';
    ks_run_fail(asking->run, "connection %" PRIu32 ": a wrong answer: \"%s\"", index, shown);
}

/* `count` requests were answered now. */
static void count_answers(struct ask_load *asking, uint32_t index, uint32_t count, uint64_t now_ns)
{
    struct ks_run *run = asking->run;
    asking->on_their_way -= count;
    if (run->measuring)
        run->operations += count;
    while (count > 0) {
        uint64_t written_ns = 0;
        uint32_t taken = ks_stamps_take(&asking->stamps, index, count, &written_ns);
        if (run->measuring)
            ks_percentiles_add_many(&run->latency, now_ns - written_ns, taken);
        count -= taken;
    }
}

static size_t received(void *context, uint32_t index, struct ks_load_link *link, const uint8_t *bytes,
                       size_t size)
{
    struct ask_load *asking = context;
    uint32_t answered = 0;
    size_t taken = 0;
    if (!asking->started)
        return receive_banner(asking, index, bytes, size);
    uint64_t now = ks_clock_stopwatch_ns();
    if (ks_question_judge(&asking->question, bytes, size, ks_stamps_count(&asking->stamps, index), &answered,
                          &taken) != KS_OK) {
        fail_answer(asking, index, bytes + taken, size - taken);
        return size;
    }
    count_answers(asking, index, answered, now);
    if (!asking->finishing && answered > 0)
        ask(asking, index, link, answered, now);
    else if (asking->finishing && asking->on_their_way == 0)
        ks_reactor_stop(asking->run->reactor);
    return taken;
}

static void ended(void *context, uint32_t index, struct ks_load_link *link, int error)
{
    struct ask_load *asking = context;
    (void)index;
    (void)link;
    ks_run_lost(asking->run, asking->started ? "asking" : "connecting", error);
}

/* The measured time is over: what is on its way is awaited, and verified. */
static void finish(void *context)
{
    struct ask_load *asking = context;
    asking->finishing = true;
    if (asking->on_their_way == 0)
        ks_reactor_stop(asking->run->reactor);
}

/* ---- the mode ---- */

static bool prepare(struct ask_load *asking)
{
    const struct ks_settings *settings = asking->run->settings;
    if (ks_question_choose(&asking->question, settings->protocol, settings->request) != KS_OK) {
        ks_run_fail(asking->run, "there is no protocol '%s' here", settings->protocol);
        return false;
    }
    size_t request_size = asking->question.request_size;
    asking->requests = malloc(asking->depth * request_size);
    asking->is_greeted = calloc(asking->connections, sizeof *asking->is_greeted);
    if (asking->requests == NULL || asking->is_greeted == NULL ||
        !ks_stamps_init(&asking->stamps, asking->connections, asking->depth)) {
        ks_run_fail(asking->run, "no memory");
        return false;
    }
    for (size_t i = 0; i < asking->depth; i++)
        memcpy(asking->requests + i * request_size, asking->question.request, request_size);
    return true;
}

static bool load(struct ask_load *asking)
{
    static const struct ks_fleet_events events = {.opened = opened, .received = received, .ended = ended};
    struct ks_run *run = asking->run;
    const struct ks_fleet_plan plan = {.count = asking->connections,
                                       .source = run->settings->source,
                                       .sources = (uint32_t)run->settings->sources};
    run->context = asking;
    run->finish = finish;
    ks_run_phase(run, "connecting", 0, asking->connections);
    char reason[KS_RUN_REASON_SIZE];
    if (ks_fleet_open(run->reactor, run->settings->server, &plan, &events, asking, &asking->fleet, reason,
                      sizeof reason) != KS_OK) {
        ks_run_fail(run, "%s", reason);
        return false;
    }
    return ks_run_loop(run);
}

bool ks_mode_ask(struct ks_run *run)
{
    struct ask_load asking = {.run = run,
                              .connections = (uint32_t)run->settings->connections,
                              .depth = (uint32_t)run->settings->depth};
    bool right = prepare(&asking) && load(&asking);
    if (right) {
        ks_findings_text(&run->findings, "request", asking.question.name);
        ks_findings_number(&run->findings, "connections", asking.connections);
        ks_findings_number(&run->findings, "depth", asking.depth);
        ks_run_add_findings(run, "requests");
    }
    ks_fleet_free(asking.fleet);
    ks_stamps_free(&asking.stamps);
    free(asking.requests);
    free(asking.is_greeted);
    return right;
}
