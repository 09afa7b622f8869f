/* main.c — kesherd: wires store, services and network together, serves, and takes them apart in the other
 * order.
 *
 * Everything here runs on the main thread. `struct server` owns what there is; nothing is global.
 */
#include "base/allowance.h"
#include "base/networks.h"
#include "base/privacy.h"
#include "base/scheduling.h"
#include "crypto/alias.h"
#include "net/net.h"
#include "server/notify.h"
#include "server/operator.h"
#include "server/options.h"
#include "server/port.h"
#include "server/scrape.h"
#include "service/ask.h"
#include "service/chat.h"
#include "service/control.h"
#include "service/frames.h"
#include "service/groups.h"
#include "service/metrics.h"
#include "service/pacing.h"
#include "service/staged.h"
#include "service/turnstile.h"
#include "store/embedded.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct server {
    int argc; /* for a SIGHUP, which reads everything again */
    char **argv;
    struct ks_options options;
    struct ks_log log;
    struct ks_log_rate log_rate;
    struct ks_networks_current unlimited;
    struct ks_hash_key hash_key; /* of what is counted by address */
    struct ks_store_limits store_limits;
    struct ks_store *store;
    struct ks_net *net;
    struct ks_alias_key *alias_key;
    struct ks_service_environment environment;
    struct ks_chat_environment chat;
    struct ks_ask_environment ask;
    struct ks_control_environment control;
    struct ks_tally *tally;
    struct ks_scrape_sources sources;
    struct ks_metrics_environment metrics;
    struct ks_notify notify;
    uint64_t started_ms;
    char addresses[5 * KS_ADDRESS_TEXT_SIZE]; /* as the ready line has them */
    bool memory_is_hidden;
    _Atomic bool tells_all; /* STAT */
};

enum { MEBIBYTE = 1024 * 1024 };

/* What the store keeps for whom; it looks at them with every request. */
static void set_store_limits(struct server *server, const struct ks_options *options)
{
    struct ks_store_limits *limits = &server->store_limits;
    atomic_store(&limits->waiting_messages, options->waiting_messages);
    atomic_store(&limits->waiting_bytes, (uint64_t)options->waiting_bytes * MEBIBYTE);
    atomic_store(&limits->user_files, options->user_files);
    atomic_store(&limits->user_bytes, (uint64_t)options->user_bytes * MEBIBYTE);
    atomic_store(&limits->free_space, (uint64_t)options->free_space * MEBIBYTE);
}

static enum ks_result open_store(struct server *server)
{
    set_store_limits(server, &server->options);
    char why[512] = "";
    struct ks_embedded_options options = {.data_directory = server->options.data,
                                          .clock = ks_clock_system(),
                                          .random = ks_random_system(),
                                          .log = &server->log,
                                          .stage_lifetime = server->options.stage_lifetime,
                                          .lease_lifetime_ms = server->options.lease_lifetime_ms,
                                          .limits = &server->store_limits};
    enum ks_result result = ks_embedded_open(&options, &server->store, why, sizeof why);
    if (result != KS_OK)
        ks_log_error(&server->log, "cannot open the data directory %s: %s", server->options.data, why);
    return result;
}

/* ---- the service manager ---- */

/* One that cannot be told is worth a line, and no reason to stop. */
static void check_told(const struct server *server, enum ks_result result)
{
    if (result != KS_OK)
        ks_log_warning(&server->log, "cannot tell the service manager: %s", ks_result_text(result));
}

/* ---- settings ---- */

static struct ks_groups_limits groups_limits(const struct ks_options *options)
{
    return (struct ks_groups_limits){.groups = options->groups,
                                     .members = options->group_members,
                                     .member_queue = (size_t)options->member_queue * 1024,
                                     .queues = (size_t)options->chat_queues * 1024 * 1024};
}

/* All that may change while the server runs. */
static void apply_settings(struct server *server, const struct ks_options *options)
{
    struct ks_service_settings *settings = &server->environment.settings;
    const struct ks_groups_limits limits = groups_limits(options);
    atomic_store(&server->log.level, options->log_level);
    atomic_store(&server->log_rate.per_second, options->log_rate);
    settings->header_timeout_ms = options->header_timeout * UINT64_C(1000);
    settings->payload_timeout_ms = options->payload_timeout * UINT64_C(1000);
    settings->payload_rate = options->payload_rate;
    settings->crc_wrong_delay_ms = options->crc_wrong_delay_ms;
    settings->message_limit = options->message_limit;
    settings->pull_limit = options->pull_limit;
    settings->registrations_per_hour = options->registrations_per_hour;
    settings->keys_per_hour = options->keys_per_hour;
    settings->uploads_per_user = options->uploads_per_user;
    settings->uploads = options->uploads;
    settings->list_budget = (uint64_t)options->list_budget * MEBIBYTE;
    settings->list_rate = options->list_rate * 1024;
    server->chat.prompt_timeout_ms = options->prompt_timeout * UINT64_C(1000);
    server->chat.wrong_passwords = options->wrong_passwords;
    ks_groups_set_limits(server->chat.groups, &limits);
    set_store_limits(server, options);
    atomic_store(&server->tells_all, options->stat == KS_STAT_FULL);
    ks_net_set_limits(server->net, options->connections, options->connections_per_address);
}

/* Puts a new list in the place of the old one. */
static enum ks_result apply_networks(struct server *server, const struct ks_options *options)
{
    struct ks_networks *networks = NULL;
    enum ks_result result = ks_networks_parse(options->unlimited_networks, &networks);
    if (result == KS_OK)
        ks_networks_replace(&server->unlimited, networks);
    return result;
}

/* Everything is read and judged first; then all of it counts, or nothing. No connection is dropped. */
static void read_again(struct server *server)
{
    static struct ks_options fresh; /* large, and the main thread's alone */
    char why[KS_OPTIONS_WHY_SIZE] = "";
    const char *changed = NULL;
    if (ks_options_read(&fresh, server->argc, server->argv, why) != KS_OPTIONS_RUN) {
        ks_log_error(&server->log, "the configuration stays as it was: %s", why);
        return;
    }
    enum ks_result result = apply_networks(server, &fresh);
    if (result != KS_OK) {
        ks_log_error(&server->log, "the configuration stays as it was: %s", ks_result_text(result));
        return;
    }
    ks_options_choose_data(&fresh);
    if (!ks_options_unchanged(&server->options, &fresh, &changed))
        ks_log_warning(&server->log, "%s has changed: that takes a new start", changed);
    apply_settings(server, &fresh);
    ks_log_notice(&server->log, "the configuration was read again");
}

/* SIGHUP */
static void reload(void *context)
{
    struct server *server = context;
    check_told(server, ks_notify_reloading(&server->notify));
    read_again(server);
    check_told(server, ks_notify_ready(&server->notify, server->addresses));
}

/* ---- parts ---- */

static enum ks_result choose_public_ids(struct server *server)
{
    server->environment.settings.plain_public_ids = server->options.public_ids == KS_PUBLIC_IDS_PLAIN;
    if (server->environment.settings.plain_public_ids)
        ks_log_warning(&server->log,
                       "public-ids = plain is insecure: every user is told the ids of all others, "
                       "and an id is all it takes to act as its user");
    enum ks_result result = ks_alias_key_new(ks_embedded_alias_key(server->store), &server->alias_key);
    server->environment.alias_key = server->alias_key;
    return result;
}

static enum ks_result prepare_services(struct server *server)
{
    struct ks_service_environment *environment = &server->environment;
    environment->store = server->store;
    environment->random = ks_random_system();
    environment->clock = ks_clock_system();
    environment->log = &server->log;
    environment->settings = ks_service_settings_default();
    environment->settings.stage_lifetime = server->options.stage_lifetime;
    environment->settings.stall_timeout_ms = server->options.lease_lifetime_ms;
    environment->settings.settle_time_ms = server->options.settle_time_ms;
    environment->unlimited = &server->unlimited;
    environment->tally = server->tally;
    enum ks_result result = choose_public_ids(server);
    if (result == KS_OK)
        result = ks_staged_new(&environment->staged);
    if (result == KS_OK)
        result = ks_random_fill(environment->random, &server->hash_key, sizeof server->hash_key);
    if (result == KS_OK)
        result = ks_pacing_new(&environment->pacing);
    if (result == KS_OK)
        result = ks_allowance_new(&server->hash_key, &environment->registrations);
    if (result == KS_OK)
        result = ks_allowance_new(&server->hash_key, &environment->keys);
    return result;
}

static enum ks_result prepare_chat(struct server *server)
{
    const struct ks_groups_limits limits = groups_limits(&server->options);
    server->chat.clock = ks_clock_system();
    server->chat.log = &server->log;
    enum ks_result result = ks_groups_new(&limits, &server->log, &server->chat.groups);
    return result == KS_OK ? ks_turnstile_new(&server->hash_key, &server->chat.turnstile) : result;
}

/* The answer to STAT. */
static void tell_status(void *context, char text[static KS_ASK_STATUS_SIZE])
{
    const struct server *server = context;
    uint64_t seconds = (ks_clock_monotonic_ms(ks_clock_system()) - server->started_ms) / 1000;
    int used = snprintf(text, KS_ASK_STATUS_SIZE, "kesherd %s, up %" PRIu64 " s, %u connections",
                        KESHER_VERSION, seconds, ks_net_connections(server->net));
    if (used > 0 && atomic_load(&server->tells_all))
        snprintf(text + used, KS_ASK_STATUS_SIZE - (size_t)used, ", %zu users, %u groups",
                 ks_embedded_user_count(server->store), ks_groups_count(server->chat.groups));
}

static void prepare_ask(struct server *server)
{
    server->started_ms = ks_clock_monotonic_ms(ks_clock_system());
    server->ask.clock = ks_clock_system();
    server->ask.random = ks_random_system();
    server->ask.log = &server->log;
    server->ask.name = server->options.name[0] != '\0' ? server->options.name : "kesher";
    server->ask.status = tell_status;
    server->ask.context = server;
    server->ask.tally = server->tally;
}

static void prepare_control(struct server *server)
{
    server->control.operations.store = server->store;
    server->control.operations.groups = server->chat.groups;
    server->control.operations.alias_key = server->alias_key;
    server->control.operations.plain_public_ids = server->options.public_ids == KS_PUBLIC_IDS_PLAIN;
    server->control.operations.log = &server->log;
}

static void prepare_metrics(struct server *server)
{
    server->sources = (struct ks_scrape_sources){.store = server->store,
                                                 .net = server->net,
                                                 .groups = server->chat.groups,
                                                 .tally = server->tally,
                                                 .service = &server->environment,
                                                 .log_rate = &server->log_rate,
                                                 .started = ks_clock_wall_seconds(ks_clock_system())};
    server->metrics.store = server->store;
    server->metrics.clock = ks_clock_system();
    server->metrics.render = ks_scrape_render;
    server->metrics.context = &server->sources;
}

static void tell_alive(void *context)
{
    const struct server *server = context;
    check_told(server, ks_notify_alive(&server->notify));
}

static void tell_stopping(void *context)
{
    const struct server *server = context;
    check_told(server, ks_notify_stopping(&server->notify));
}

static enum ks_result open_net(struct server *server)
{
    struct ks_net_options options = {.workers = server->options.workers,
                                     .connection_limit = server->options.connections,
                                     .address_limit = server->options.connections_per_address,
                                     .unlimited = &server->unlimited,
                                     .hash_key = server->hash_key,
                                     .buffer_limit = (size_t)server->options.buffers * 1024 * 1024,
                                     .hang_up = reload,
                                     .alive_ms = server->notify.watchdog_ms,
                                     .alive = tell_alive,
                                     .stopping = tell_stopping,
                                     .context = server,
                                     .clock = ks_clock_system(),
                                     .log = &server->log};
    enum ks_result result = ks_net_open(&options, &server->net);
    if (result != KS_OK)
        ks_log_error(&server->log, "cannot start the worker threads: %s", ks_result_text(result));
    return result;
}

/* ---- listeners ---- */

struct listening {
    const char *what;    /* in the ready line */
    const char *name;    /* in metrics */
    const char *option;  /* its address, or "off" */
    const char *address; /* when there is none */
    const struct ks_connection_events *events;
    void *service;
};

/* Opens one listener and appends it to the addresses. */
static enum ks_result listen_on(struct server *server, const struct listening *listening, unsigned *count)
{
    char bound[KS_ADDRESS_TEXT_SIZE];
    char why[512] = "";
    if (strcmp(listening->option, "off") == 0)
        return KS_OK;
    const char *address = listening->option[0] != '\0' ? listening->option : listening->address;
    enum ks_result result = ks_net_listen(server->net, listening->name, address, listening->events,
                                          listening->service, bound, why, sizeof why);
    if (result != KS_OK) {
        ks_log_error(&server->log, "%s: %s", listening->what, why);
        return result;
    }
    size_t used = strlen(server->addresses);
    snprintf(server->addresses + used, sizeof server->addresses - used, "%s%s on %s", *count > 0 ? ", " : "",
             listening->what, bound);
    ++*count;
    return KS_OK;
}

/* For operators' commands. Without it the server serves all the same. */
static void listen_for_operators(struct server *server)
{
    char address[KS_OPTION_TEXT_SIZE + 16];
    char bound[KS_ADDRESS_TEXT_SIZE];
    char why[512] = "";
    snprintf(address, sizeof address, "unix:%s/control", server->options.data);
    if (ks_net_listen(server->net, "control", address, &ks_control_events, &server->control, bound, why,
                      sizeof why) != KS_OK)
        ks_log_warning(&server->log, "operators cannot speak to this server: %s", why);
}

/* Off unless it is asked for; only a port is one of this machine's own. */
static const char *metrics_address(const struct server *server, char address[static KS_OPTION_TEXT_SIZE + 16])
{
    const char *option = server->options.metrics;
    bool is_port = option[0] != '\0' && strspn(option, "0123456789") == strlen(option);
    snprintf(address, KS_OPTION_TEXT_SIZE + 16, "%s%s", is_port ? "127.0.0.1:" : "",
             option[0] != '\0' ? option : "off");
    return address;
}

/* Opens every listener and says so in one line, which scripts wait for. */
static enum ks_result start_listening(struct server *server)
{
    char frames_address[64];
    char metrics[KS_OPTION_TEXT_SIZE + 16];
    unsigned count = 0;
    bool asks_port = server->options.listen[0] == '\0';
    snprintf(frames_address, sizeof frames_address, "127.0.0.1:%u",
             asks_port ? ks_port_find(server->options.data, &server->log) : 0);
    const struct listening all[] = {
        {"drop and messages", "binary", server->options.listen, frames_address, &ks_frames_events,
         &server->environment},
        {"chat", "chat", server->options.chat, "127.0.0.1:5555", &ks_chat_events, &server->chat},
        {"ask", "ask", server->options.ask, "127.0.0.1:1729", &ks_ask_events, &server->ask},
        {"metrics", "metrics", metrics_address(server, metrics), "", &ks_metrics_events, &server->metrics},
    };
    enum ks_result result = KS_OK;
    for (size_t i = 0; i < sizeof all / sizeof all[0] && result == KS_OK; i++)
        result = listen_on(server, &all[i], &count);
    if (result == KS_OK && count == 0) {
        ks_log_error(&server->log, "every listener is off: there is nothing to serve");
        result = KS_INVALID;
    }
    if (result != KS_OK)
        return result;
    listen_for_operators(server);
    ks_log_notice(&server->log, "kesherd %s ready: %s, data in %s", KESHER_VERSION, server->addresses,
                  server->options.data);
    check_told(server, ks_notify_ready(&server->notify, server->addresses));
    return KS_OK;
}

/* ---- everything ---- */

/* Not being allowed to is common in containers, and costs speed alone. */
static void choose_scheduling(const struct server *server)
{
    char text[128];
    if (ks_scheduling_let_others_finish() != KS_OK)
        ks_log_info(&server->log, "scheduling: the batch policy is refused: %s",
                    strerror_r(errno, text, sizeof text));
}

static enum ks_result serve(struct server *server)
{
    if (!server->memory_is_hidden)
        ks_log_warning(&server->log,
                       "other programs of this user may read the memory, where keys are: prctl is refused");
    choose_scheduling(server);
    check_told(server, ks_notify_open(&server->notify));
    enum ks_result result = apply_networks(server, &server->options);
    if (result != KS_OK)
        ks_log_error(&server->log, "unlimited-networks: %s", ks_result_text(result));
    if (result == KS_OK)
        result = open_store(server);
    if (result == KS_OK)
        result = prepare_services(server);
    if (result == KS_OK)
        result = prepare_chat(server);
    prepare_ask(server);
    prepare_control(server);
    if (result == KS_OK)
        result = open_net(server);
    if (result == KS_OK) {
        apply_settings(server, &server->options);
        prepare_metrics(server);
        result = start_listening(server);
    }
    if (result == KS_OK)
        ks_net_run(server->net);
    /* The store answers to the loops, so it goes first; what it still holds of the staged files is its own.
     */
    if (server->store != NULL)
        ks_store_close(server->store);
    ks_net_close(server->net);
    ks_groups_free(server->chat.groups);
    ks_turnstile_free(server->chat.turnstile);
    ks_staged_free(server->environment.staged);
    ks_pacing_free(server->environment.pacing);
    ks_allowance_free(server->environment.registrations);
    ks_allowance_free(server->environment.keys);
    ks_alias_key_free(server->alias_key);
    ks_networks_clear(&server->unlimited);
    ks_notify_close(&server->notify);
    if (result == KS_OK)
        ks_log_notice(&server->log, "stopped");
    return result;
}

/* In the journal it stands as what it is, an error. */
static void complain(const char *why)
{
    struct ks_log log = ks_log_to_stderr(KS_LOG_ERROR);
    if (log.journald)
        ks_log_error(&log, "%s", why);
    else
        fprintf(stderr, "kesherd: %s\n", why);
}

int main(int argc, char **argv)
{
    static struct server server;  /* large, and alone */
    static struct ks_tally tally; /* likewise */
    char why[KS_OPTIONS_WHY_SIZE] = "";
    server.memory_is_hidden = ks_privacy_hide_memory() == KS_OK;
    if (ks_operator_is_meant(argc, argv))
        return ks_operator_run(argc, argv);
    server.tally = &tally;
    server.argc = argc;
    server.argv = argv;
    switch (ks_options_read(&server.options, argc, argv, why)) {
    case KS_OPTIONS_DONE:
        return 0;
    case KS_OPTIONS_WRONG:
        complain(why);
        return 2;
    case KS_OPTIONS_RUN:
        break;
    }
    if (server.options.check_only) {
        puts("the configuration is fine");
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    server.log = ks_log_to_stderr(server.options.log_level);
    server.log.rate = &server.log_rate;
    ks_options_choose_data(&server.options);
    return serve(&server) == KS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
