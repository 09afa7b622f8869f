/* net.c — see net.h. Runs on the main thread. */
#include "net/net.h"

#include "net/listener.h"
#include "net/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    LISTENERS_LIMIT = 8,
    DEFAULT_CONNECTION_LIMIT = 20000,
    DESCRIPTORS_FOR_OURSELVES = 512, /* database, stages, listeners, logs */
    QUIESCE_CHECK_MS = 10,
    WORKERS_LIMIT = 64,
};

#define DEFAULT_BUFFER_LIMIT ((size_t)256 * 1024 * 1024)

struct ks_net {
    uv_loop_t uv;
    uv_signal_t on_terminate;
    uv_signal_t on_interrupt;
    uv_timer_t quiesce_check;
    uint64_t quiesce_until_ms;
    bool stopping;
    bool forced;
    struct ks_worker_shared counts;
    struct ks_listener_shared listening;
    struct ks_worker *workers[WORKERS_LIMIT];
    struct ks_listener *listeners[LISTENERS_LIMIT];
    unsigned listener_count;
};

static unsigned raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    return limit.rlim_cur > 1000000 ? 1000000 : (unsigned)limit.rlim_cur;
}

static unsigned connection_limit(const struct ks_net_options *options)
{
    unsigned descriptors = raise_descriptor_limit();
    unsigned possible = descriptors > 2 * DESCRIPTORS_FOR_OURSELVES ? descriptors - DESCRIPTORS_FOR_OURSELVES
                                                                    : descriptors / 2;
    unsigned wanted = options->connection_limit != 0 ? options->connection_limit : DEFAULT_CONNECTION_LIMIT;
    return wanted < possible ? wanted : possible;
}

static void init_main_handles(struct ks_net *net)
{
    uv_signal_init(&net->uv, &net->on_terminate);
    uv_signal_init(&net->uv, &net->on_interrupt);
    uv_timer_init(&net->uv, &net->quiesce_check);
    net->on_terminate.data = net;
    net->on_interrupt.data = net;
    net->quiesce_check.data = net;
}

static void close_main_loop(struct ks_net *net)
{
    uv_close((uv_handle_t *)&net->on_terminate, NULL);
    uv_close((uv_handle_t *)&net->on_interrupt, NULL);
    uv_close((uv_handle_t *)&net->quiesce_check, NULL);
    uv_run(&net->uv, UV_RUN_DEFAULT);
    uv_loop_close(&net->uv);
}

static enum ks_result start_workers(struct ks_net *net, unsigned count)
{
    enum ks_result result = KS_OK;
    while (net->listening.worker_count < count && result == KS_OK) {
        unsigned number = net->listening.worker_count;
        result = ks_worker_start(&net->counts, number, &net->workers[number]);
        if (result == KS_OK)
            net->listening.worker_count++;
    }
    return result;
}

enum ks_result ks_net_open(const struct ks_net_options *options, struct ks_net **net)
{
    struct ks_net *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    if (uv_loop_init(&created->uv) != 0) {
        free(created);
        return KS_IO;
    }
    signal(SIGPIPE, SIG_IGN);
    init_main_handles(created);
    created->counts.clock = options->clock;
    created->counts.log = options->log;
    atomic_init(&created->counts.connection_count, 0);
    ks_budget_init(&created->counts.budget,
                   options->buffer_limit != 0 ? options->buffer_limit : DEFAULT_BUFFER_LIMIT);
    created->listening.uv = &created->uv;
    created->listening.workers = created->workers;
    created->listening.counts = &created->counts;
    created->listening.connection_limit = connection_limit(options);
    unsigned workers = options->workers != 0 ? options->workers : uv_available_parallelism();
    enum ks_result result = start_workers(created, workers < WORKERS_LIMIT ? workers : WORKERS_LIMIT);
    if (result != KS_OK) {
        ks_net_close(created);
        return result;
    }
    *net = created;
    return KS_OK;
}

enum ks_result ks_net_listen(struct ks_net *net, const char *address,
                             const struct ks_connection_events *events, void *service,
                             char bound[KS_ADDRESS_TEXT_SIZE], char *why, size_t why_size)
{
    if (net->listener_count == LISTENERS_LIMIT)
        return KS_TOO_LARGE;
    enum ks_result result =
        ks_listener_open(&net->listening, address, events, service, bound, KS_ADDRESS_TEXT_SIZE, why,
                         why_size, &net->listeners[net->listener_count]);
    if (result == KS_OK)
        net->listener_count++;
    return result;
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
    for (unsigned i = 0; i < net->listener_count; i++)
        ks_listener_close(net->listeners[i]);
    net->listener_count = 0;
    net->quiesce_until_ms = uv_now(&net->uv) + KS_QUIESCE_MS;
    tell_workers(net, ks_worker_quiesce);
    uv_timer_start(&net->quiesce_check, on_quiesce_check, 0, QUIESCE_CHECK_MS);
}

void ks_net_run(struct ks_net *net)
{
    uv_signal_start(&net->on_terminate, on_signal, SIGTERM);
    uv_signal_start(&net->on_interrupt, on_signal, SIGINT);
    uv_run(&net->uv, UV_RUN_DEFAULT);
}

void ks_net_close(struct ks_net *net)
{
    if (net == NULL)
        return;
    for (unsigned i = 0; i < net->listener_count; i++)
        ks_listener_close(net->listeners[i]);
    close_main_loop(net);
    for (unsigned i = 0; i < net->listening.worker_count; i++)
        ks_worker_stop(net->workers[i]);
    ks_budget_destroy(&net->counts.budget);
    free(net);
}
