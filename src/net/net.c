/* net.c — see net.h. Runs on the main thread. */
#include "net/net.h"

#include "base/limits/log_repeats.h"
#include "net/housekeeping.h"
#include "net/listener.h"
#include "net/provision.h"
#include "net/worker.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    DEFAULT_CONNECTION_LIMIT = 20000,
    DESCRIPTORS_FOR_OURSELVES = 512, /* database, stages, listeners, logs */
    QUIESCE_CHECK_MS = 10,
    WORKERS_LIMIT = KS_LOOPS_LIMIT,
};

#define DEFAULT_BUFFER_LIMIT ((size_t)256 * 1024 * 1024)

enum { ANSWERS_PART = 4 }; /* of the buffers; the rest is for what comes in */

struct ks_net {
    struct ks_listener_counts listener_counts[KS_NET_LISTENERS_LIMIT]; /* first: aligned to cache lines */
    struct ks_worker_shared counts;
    uv_loop_t uv;
    uv_signal_t on_terminate;
    uv_signal_t on_interrupt;
    uv_signal_t on_hang_up;
    uv_timer_t quiesce_check;
    uv_work_t first_work;
    uv_timer_t alive_timer;
    uv_timer_t look_timer;
    uint64_t quiesce_until_ms;
    struct ks_listener_shared listening;
    struct ks_worker *workers[WORKERS_LIMIT];
    struct ks_listener *listeners[KS_NET_LISTENERS_LIMIT];
    unsigned listener_count;
    _Atomic unsigned listeners_opened; /* ever */
    struct ks_pulse pulse;
    struct ks_ebb ebb;
    uint64_t alive_ms;
    void (*alive)(void *context);
    void (*tell_stopping)(void *context);
    void (*hang_up)(void *context);
    void *context;
    bool stopping;
    bool forced;
};

_Static_assert((int)WORKERS_LIMIT <= (int)KS_PULSE_LIMIT, "the pulse of every worker is felt");

/* Sets the limit to what that many connections need, so far as the system allows. Every loop has a table of
 * this size; so no descriptor of a higher number may come. Returns the limit. */
static unsigned set_descriptor_limit(unsigned connections)
{
    struct rlimit limit;
    rlim_t wanted = connections > DEFAULT_CONNECTION_LIMIT ? connections : DEFAULT_CONNECTION_LIMIT;
    wanted += (rlim_t)2 * DESCRIPTORS_FOR_OURSELVES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    return (unsigned)limit.rlim_cur;
}

static unsigned connection_limit(unsigned limit, unsigned descriptors)
{
    unsigned possible = descriptors > 2 * DESCRIPTORS_FOR_OURSELVES ? descriptors - DESCRIPTORS_FOR_OURSELVES
                                                                    : descriptors / 2;
    unsigned wanted = limit != 0 ? limit : DEFAULT_CONNECTION_LIMIT;
    return wanted < possible ? wanted : possible;
}

static void tell_workers(struct ks_net *net, void (*what)(struct ks_worker *worker))
{
    for (unsigned i = 0; i < net->listening.worker_count; i++)
        what(net->workers[i]);
}

static void on_quiesce_check(uv_timer_t *timer)
{
    struct ks_net *net = timer->data;
    if (atomic_load(&net->counts.connection_count) == 0) {
        uv_stop(&net->uv);
        return;
    }
    if (!net->forced && uv_now(&net->uv) >= net->quiesce_until_ms) {
        net->forced = true;
        tell_workers(net, ks_worker_end_all);
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct ks_net *net = handle->data;
    if (net->stopping)
        return;
    net->stopping = true;
    ks_log_notice(net->counts.log, "%s: stopping", number == SIGTERM ? "SIGTERM" : "SIGINT");
    if (net->tell_stopping != NULL)
        net->tell_stopping(net->context);
    for (unsigned i = 0; i < net->listener_count; i++)
        ks_listener_close(net->listeners[i]);
    net->listener_count = 0;
    net->quiesce_until_ms = uv_now(&net->uv) + KS_QUIESCE_MS;
    tell_workers(net, ks_worker_quiesce);
    uv_timer_start(&net->quiesce_check, on_quiesce_check, 0, QUIESCE_CHECK_MS);
}

static void on_hang_up(uv_signal_t *handle, int number)
{
    const struct ks_net *net = handle->data;
    (void)number;
    if (!net->stopping)
        net->hang_up(net->context);
}

static void init_main_handles(struct ks_net *net)
{
    uv_signal_init(&net->uv, &net->on_terminate);
    uv_signal_init(&net->uv, &net->on_interrupt);
    uv_signal_init(&net->uv, &net->on_hang_up);
    uv_timer_init(&net->uv, &net->quiesce_check);
    uv_timer_init(&net->uv, &net->alive_timer);
    uv_timer_init(&net->uv, &net->look_timer);
    net->on_terminate.data = net;
    net->on_interrupt.data = net;
    net->on_hang_up.data = net;
    net->quiesce_check.data = net;
    net->alive_timer.data = net;
    net->look_timer.data = net;
}

static void close_main_loop(struct ks_net *net)
{
    uv_close((uv_handle_t *)&net->on_terminate, NULL);
    uv_close((uv_handle_t *)&net->on_interrupt, NULL);
    uv_close((uv_handle_t *)&net->on_hang_up, NULL);
    uv_close((uv_handle_t *)&net->quiesce_check, NULL);
    uv_close((uv_handle_t *)&net->alive_timer, NULL);
    uv_close((uv_handle_t *)&net->look_timer, NULL);
    uv_run(&net->uv, UV_RUN_DEFAULT);
    uv_loop_close(&net->uv);
}

static enum ks_result init_main_loop(struct ks_net *net)
{
    if (uv_loop_init(&net->uv) != 0)
        return KS_IO;
    enum ks_result result = ks_provision_watchers(&net->uv, net->counts.descriptors);
    if (result != KS_OK)
        uv_loop_close(&net->uv);
    else
        init_main_handles(net);
    return result;
}

/* By itself one fewer than there are cores, which the kernel's network, the store and whoever else is on this
 * machine have: where all compete, each of many workers has little to do in its turn, and each turn is
 * awaited longer (docs/profiles.md, "Workers and cores"). */
static unsigned worker_count(const struct ks_net_options *options)
{
    unsigned cores = uv_available_parallelism();
    unsigned count = options->workers != 0 ? options->workers : cores - 1;
    if (count < 1)
        return 1;
    return count < WORKERS_LIMIT ? count : WORKERS_LIMIT;
}

static enum ks_result start_workers(struct ks_net *net, unsigned count)
{
    enum ks_result result = KS_OK;
    while (net->listening.worker_count < count && result == KS_OK) {
        unsigned number = net->listening.worker_count;
        result = ks_worker_start(&net->counts, number, &net->workers[number]);
        if (result == KS_OK) {
            ks_pulse_add(&net->pulse, &net->workers[number]->core.loop.executor);
            net->listening.worker_count++;
        }
    }
    return result;
}

enum ks_result ks_net_open(const struct ks_net_options *options, struct ks_net **net)
{
    struct ks_net *created = aligned_alloc(_Alignof(struct ks_net), sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    memset(created, 0, sizeof *created);
    created->counts.descriptors = set_descriptor_limit(options->connection_limit);
    enum ks_result result = init_main_loop(created);
    if (result != KS_OK) {
        free(created);
        return result;
    }
    signal(SIGPIPE, SIG_IGN);
    created->alive_ms = options->alive_ms;
    created->alive = options->alive;
    created->tell_stopping = options->stopping;
    created->hang_up = options->hang_up;
    created->context = options->context;
    created->counts.clock = options->clock;
    created->counts.log = options->log;
    atomic_init(&created->counts.connection_count, 0);
    atomic_init(&created->counts.known_count, 0);
    size_t buffers = options->buffer_limit != 0 ? options->buffer_limit : DEFAULT_BUFFER_LIMIT;
    ks_budget_init(&created->counts.contents, buffers - buffers / ANSWERS_PART);
    ks_budget_init(&created->counts.answers, buffers / ANSWERS_PART);
    created->counts.output_limit = buffers;
    created->listening.uv = &created->uv;
    created->listening.workers = created->workers;
    created->listening.counts = &created->counts;
    atomic_init(&created->counts.connection_limit,
                connection_limit(options->connection_limit, created->counts.descriptors));
    ks_crowd_init(&created->counts.crowd, &options->hash_key, options->address_limit, options->unlimited);
    result = ks_provision_pool(&created->uv, &created->first_work);
    if (result == KS_OK)
        result = start_workers(created, worker_count(options));
    if (result != KS_OK) {
        ks_net_close(created);
        return result;
    }
    /* Before anybody is told that we are ready: a signal that comes now waits for ks_net_run. */
    uv_signal_start(&created->on_terminate, on_signal, SIGTERM);
    uv_signal_start(&created->on_interrupt, on_signal, SIGINT);
    if (created->hang_up != NULL)
        uv_signal_start(&created->on_hang_up, on_hang_up, SIGHUP);
    *net = created;
    return KS_OK;
}

enum ks_result ks_net_listen(struct ks_net *net, const char *name, const char *address,
                             const struct ks_connection_events *events, void *service,
                             char bound[KS_ADDRESS_TEXT_SIZE], char *why, size_t why_size)
{
    if (net->listener_count == KS_NET_LISTENERS_LIMIT)
        return KS_TOO_LARGE;
    struct ks_listener_counts *counts = &net->listener_counts[net->listener_count];
    counts->name = name;
    enum ks_result result =
        ks_listener_open(&net->listening, counts, address, events, service, bound, KS_ADDRESS_TEXT_SIZE, why,
                         why_size, &net->listeners[net->listener_count]);
    if (result == KS_OK)
        atomic_store(&net->listeners_opened, ++net->listener_count);
    return result;
}

enum ks_result ks_net_secure_port(struct ks_net *net, const struct ks_tls_port_options *options,
                                  struct ks_tls_port **port)
{
    struct ks_tls_port_options ours = *options;
    net->counts.crowd.proxies = options->proxies;
    ours.crowd = &net->counts.crowd;
    ours.output = &net->counts.output;
    return ks_tls_port_new(&ours, port);
}

static void add_worker(struct ks_net_statistics *statistics, const struct ks_worker_counts *counts)
{
    uint64_t done = ks_counted(&counts->offloads_done); /* first: what is begun meanwhile only adds */
    statistics->received += ks_counted(&counts->received);
    statistics->sent += ks_counted(&counts->sent);
    statistics->evicted += ks_counted(&counts->evicted);
    statistics->offloads += ks_counted(&counts->offloaded) - done;
}

static void add_listener(struct ks_net_statistics *statistics, const struct ks_listener_counts *counts)
{
    struct ks_net_listener_statistics *listener = &statistics->listeners[statistics->listener_count++];
    uint64_t closed = ks_counted(&counts->connections.closed); /* first, likewise */
    listener->name = counts->name;
    listener->accepted = ks_counted(&counts->accepted);
    listener->open = listener->accepted > closed ? listener->accepted - closed : 0;
    for (size_t i = 0; i < KS_NET_REFUSALS; i++)
        listener->refused[i] = ks_counted(&counts->refused[i]);
    listener->refused[KS_NET_REFUSED_SERVICE] = ks_counted(&counts->connections.unwelcome);
    listener->refused[KS_NET_REFUSED_FULL] += ks_counted(&counts->connections.too_many);
    statistics->quiet += ks_counted(&counts->quiet);
}

static struct ks_net_budget_statistics budget_statistics(const struct ks_budget *budget)
{
    return (struct ks_net_budget_statistics){
        .used = atomic_load_explicit(&budget->used, memory_order_relaxed),
        .limit = budget->limit,
        .waiting = atomic_load_explicit(&budget->waiting, memory_order_relaxed),
        .cuts = atomic_load_explicit(&budget->cuts, memory_order_relaxed),
    };
}

void ks_net_statistics(const struct ks_net *net, struct ks_net_statistics *statistics)
{
    const struct ks_worker_shared *counts = &net->counts;
    unsigned listeners = atomic_load(&net->listeners_opened);
    *statistics = (struct ks_net_statistics){
        .connection_limit = atomic_load(&net->counts.connection_limit),
        .workers = net->listening.worker_count,
        .contents = budget_statistics(&counts->contents),
        .answers = budget_statistics(&counts->answers),
        .output = atomic_load_explicit(&counts->output, memory_order_relaxed),
        .output_limit = counts->output_limit,
    };
    for (unsigned i = 0; i < net->listening.worker_count; i++)
        add_worker(statistics, &net->workers[i]->core.counts);
    for (unsigned i = 0; i < listeners; i++)
        add_listener(statistics, &net->listener_counts[i]);
}

void ks_net_set_limits(struct ks_net *net, unsigned limit, unsigned address_limit)
{
    atomic_store(&net->counts.connection_limit, connection_limit(limit, net->counts.descriptors));
    atomic_store(&net->counts.crowd.limit, address_limit);
}

unsigned ks_net_connections(const struct ks_net *net)
{
    return atomic_load_explicit(&net->counts.connection_count, memory_order_relaxed);
}

static void on_alive(uv_timer_t *timer)
{
    struct ks_net *net = timer->data;
    if (ks_pulse_feel(&net->pulse))
        net->alive(net->context);
}

/* On the main thread, which serves nobody: workers wait only where they need memory, or the log's table,
 * meanwhile. */
static void on_look(uv_timer_t *timer)
{
    struct ks_net *net = timer->data;
    if (ks_ebb_look(&net->ebb, ks_net_connections(net), uv_now(&net->uv)))
        (void)malloc_trim(0);
    ks_log_tell_repeats(net->counts.log, false);
}

void ks_net_run(struct ks_net *net)
{
    uv_timer_start(&net->look_timer, on_look, KS_EBB_LOOK_MS, KS_EBB_LOOK_MS);
    if (net->alive != NULL && net->alive_ms != 0)
        uv_timer_start(&net->alive_timer, on_alive, 0, net->alive_ms);
    uv_run(&net->uv, UV_RUN_DEFAULT);
}

/* Workers post to each other to the last; so all threads end before any worker goes. */
static void stop_workers(struct ks_net *net)
{
    bool again = true;
    for (unsigned i = 0; i < net->listening.worker_count; i++)
        ks_worker_stop(net->workers[i]);
    while (again) {
        again = false;
        for (unsigned i = 0; i < net->listening.worker_count; i++)
            again = ks_worker_run_late_tasks(net->workers[i]) || again;
    }
    for (unsigned i = 0; i < net->listening.worker_count; i++)
        ks_worker_free(net->workers[i]);
}

void ks_net_close(struct ks_net *net)
{
    if (net == NULL)
        return;
    for (unsigned i = 0; i < net->listener_count; i++)
        ks_listener_close(net->listeners[i]);
    close_main_loop(net);
    stop_workers(net);
    ks_budget_destroy(&net->counts.contents);
    ks_budget_destroy(&net->counts.answers);
    ks_crowd_destroy(&net->counts.crowd);
    free(net);
}
