/* mode_handshake.c — TLS connections that come and go: each is connected, shakes hands in full, without
 * resumption, and ends; then the next takes its place.
 *
 * The latency is the time from connect(2) until the client's side of the handshake is done. Counted is a
 * connection when the server has ended it, too, after it has read our close_notify: so it has read what ends
 * the handshake, and done all of its work.
 *
 * A client's side costs more than a server's, so several threads may share the connections: each is a run of
 * its own, and what they found is added up.
 */
#include "base/clock.h"
#include "bench/modes/modes.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

struct coming {
    struct ks_run *run;
    struct ks_fleet *fleet;
    uint32_t connections;
    uint32_t opened; /* of the first of each place: then the warm-up begins */
    uint32_t on_way;
    bool is_ending;
    uint64_t *began_ns; /* by place */
    uint64_t *took_ns;
};

static bool is_kesher(const struct coming *coming)
{
    return coming->run->settings->protocol[0] == 'k';
}

static void begin_connection(struct coming *coming, uint32_t index)
{
    coming->began_ns[index] = ks_clock_stopwatch_ns();
    if (ks_fleet_reopen(coming->fleet, index) != KS_OK)
        ks_run_lost(coming->run, "connecting", errno);
    else
        coming->on_way++;
}

static void opened(void *context, uint32_t index, struct ks_load_link *link)
{
    struct coming *coming = context;
    if (is_kesher(coming) && ks_tls_protocol_of(link->sealing->tls) != KS_TLS_PROTOCOL_KESHER) {
        ks_run_fail(coming->run, "the server speaks TLS, but not " KS_TLS_ALPN);
        return;
    }
    coming->took_ns[index] = ks_clock_stopwatch_ns() - coming->began_ns[index];
    if (coming->opened < coming->connections && ++coming->opened == coming->connections)
        ks_run_measure(coming->run, false);
    ks_load_link_finish(link);
}

/* Servers of HTTP say nothing unasked, and kesherd nothing at all. */
static size_t received(void *context, uint32_t index, struct ks_load_link *link, const uint8_t *bytes,
                       size_t size)
{
    const struct coming *coming = context;
    (void)index;
    (void)link;
    (void)bytes;
    ks_run_fail(coming->run, "the server says what nobody asked for: %zu bytes", size);
    return size;
}

static void count(struct coming *coming, uint32_t index)
{
    coming->on_way--;
    if (coming->run->measuring) {
        coming->run->operations++;
        ks_percentiles_add(&coming->run->latency, coming->took_ns[index]);
    }
    if (!coming->is_ending)
        begin_connection(coming, index);
    else if (coming->on_way == 0)
        ks_reactor_stop(coming->run->reactor);
}

static void ended(void *context, uint32_t index, struct ks_load_link *link, int error)
{
    struct coming *coming = context;
    if (error == 0 && link->announced && link->finished)
        count(coming, index);
    else
        ks_run_lost(coming->run, link->announced ? "ending a connection" : "shaking hands", error);
}

static void finish(void *context)
{
    struct coming *coming = context;
    coming->is_ending = true;
    if (coming->on_way == 0)
        ks_reactor_stop(coming->run->reactor);
}

/* ---- one thread ---- */

static bool run_all(struct coming *coming)
{
    static const struct ks_fleet_events events = {.opened = opened, .received = received, .ended = ended};
    struct ks_run *run = coming->run;
    const struct ks_fleet_plan plan = {.count = coming->connections,
                                       .source = run->settings->source,
                                       .sources = (uint32_t)run->settings->sources,
                                       .tls = run->tls};
    char reason[KS_RUN_REASON_SIZE];
    uint64_t now = ks_clock_stopwatch_ns();
    for (uint32_t i = 0; i < coming->connections; i++)
        coming->began_ns[i] = now;
    coming->on_way = coming->connections;
    run->context = coming;
    run->finish = finish;
    ks_run_phase(run, "connecting", 0, coming->connections);
    if (ks_fleet_open(run->reactor, run->settings->server, &plan, &events, coming, &coming->fleet, reason,
                      sizeof reason) != KS_OK)
        ks_run_fail(run, "%s", reason);
    return ks_run_loop(run);
}

static bool shake_hands(struct ks_run *run)
{
    struct coming coming = {.run = run, .connections = (uint32_t)run->settings->connections};
    coming.began_ns = calloc(coming.connections, sizeof *coming.began_ns);
    coming.took_ns = calloc(coming.connections, sizeof *coming.took_ns);
    bool right = coming.began_ns != NULL && coming.took_ns != NULL;
    if (right)
        right = run_all(&coming);
    else
        ks_run_fail(run, "no memory");
    ks_fleet_free(coming.fleet);
    free(coming.began_ns);
    free(coming.took_ns);
    return right;
}

/* ---- all of them ---- */

/* Who helps: a run of its own, on a thread of its own. */
struct helper {
    struct ks_settings settings;
    struct ks_run run;
    pthread_t thread;
    bool is_running;
};

static void *help(void *argument)
{
    struct helper *helper = argument;
    if (ks_run_begin(&helper->run, &helper->settings) == KS_OK)
        (void)shake_hands(&helper->run); /* helper->run.failed tells */
    ks_run_end(&helper->run);
    return NULL;
}

/* Of `count` connections, those of thread `index` of `threads`. */
static uint64_t share_of(uint64_t count, uint64_t index, uint64_t threads)
{
    return count * (index + 1) / threads - count * index / threads;
}

static void start(struct ks_run *run, struct helper *helpers, uint64_t count)
{
    for (uint64_t i = 0; i < count && !run->failed; i++) {
        struct helper *helper = &helpers[i];
        helper->settings = *run->settings;
        helper->settings.connections = share_of(run->settings->connections, i + 1, count + 1);
        helper->settings.quiet = true;
        helper->settings.pid = 0;
        helper->is_running = pthread_create(&helper->thread, NULL, help, helper) == 0;
        if (!helper->is_running)
            ks_run_fail(run, "cannot start %" PRIu64 " threads", count + 1);
    }
}

/* Adds what the helper found. Both have measured for as long, but for a moment: the rate is what counts. */
static void add(struct ks_run *run, const struct ks_run *other)
{
    if (other->failed)
        ks_run_fail(run, "%s", other->reason);
    if (run->failed)
        return;
    double rate = (double)other->operations / ks_run_seconds(other);
    run->operations += (uint64_t)llround(rate * ks_run_seconds(run));
    ks_percentiles_merge(&run->latency, &other->latency);
}

static void run_threads(struct ks_run *run, struct helper *helpers, uint64_t count)
{
    struct ks_settings own = *run->settings;
    const struct ks_settings *all = run->settings;
    start(run, helpers, count);
    own.connections = share_of(all->connections, 0, count + 1);
    run->settings = &own;
    if (!run->failed)
        (void)shake_hands(run);
    run->settings = all;
    for (uint64_t i = 0; i < count; i++) {
        if (!helpers[i].is_running)
            continue;
        (void)pthread_join(helpers[i].thread, NULL); /* cannot fail: it runs, and nobody else joins it */
        add(run, &helpers[i].run);
    }
}

bool ks_mode_handshake(struct ks_run *run)
{
    uint64_t count = run->settings->threads - 1;
    struct helper *helpers = calloc((size_t)count + 1, sizeof *helpers);
    if (helpers == NULL) {
        ks_run_fail(run, "no memory");
        return false;
    }
    run_threads(run, helpers, count);
    free(helpers);
    if (run->failed)
        return false;
    ks_findings_number(&run->findings, "connections", (double)run->settings->connections);
    ks_findings_number(&run->findings, "threads", (double)run->settings->threads);
    ks_run_add_findings(run, "handshakes");
    return true;
}
