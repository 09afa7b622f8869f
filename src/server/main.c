/* main.c — kesherd: wires store, services and network together, serves, and takes them apart in the other
 * order.
 *
 * Everything here runs on the main thread. `struct server` owns what there is; nothing is global.
 */
#include "base/limits/allowance.h"
#include "base/limits/log_repeats.h"
#include "base/limits/networks.h"
#include "base/privacy.h"
#include "base/scheduling.h"
#include "crypto/alias.h"
#include "net/net.h"
#include "server/data_directory.h"
#include "server/notify.h"
#include "server/operator.h"
#include "server/port.h"
#include "server/scrape.h"
#include "server/server_options.h"
#include "service/ask/ask_service.h"
#include "service/binary_port.h"
#include "service/chat/chat_service.h"
#include "service/chat/groups.h"
#include "service/chat/turnstile.h"
#include "service/core/frames.h"
#include "service/drop/staged.h"
#include "service/monitoring/metrics.h"
#include "service/operators/control.h"
#include "service/users/pacing.h"
#include "store/embedded/embedded.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2 }; /* nor is it worth another try: the unit does not restart after it */

struct server {
    int argc; /* for a SIGHUP, which reads everything again */
    char **argv;
    struct ks_server_options options;
    struct ks_log log;
    struct ks_log_rate log_rate;
    struct ks_networks_current unlimited;
    struct ks_hash_key hash_key; /* of what is counted by address */
    struct ks_store_limits store_limits;
    struct ks_store *store;
    struct ks_net *net;
    struct ks_alias_key *alias_key;
    struct ks_service_environment environment;
    struct ks_chat_service_environment chat;
    struct ks_ask_service_environment ask;
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

/* What the store keeps for whom; it looks at them with every request. */
static void set_store_limits(struct server *server, const struct ks_server_options *options)
{
    struct ks_store_limits *limits = &server->store_limits;
    atomic_store(&limits->waiting_messages, options->waiting_messages);
    atomic_store(&limits->waiting_bytes, options->waiting_bytes);
    atomic_store(&limits->user_files, options->user_files);
    atomic_store(&limits->user_bytes, options->user_bytes);
    atomic_store(&limits->free_space, options->free_space);
}

static enum ks_result open_store(struct server *server)
{
    set_store_limits(server, &server->options);
    char why[512] = "";
    struct ks_embedded_options options = {.data_directory = server->options.data,
                                          .clock = ks_clock_system(),
                                          .random = ks_random_system(),
                                          .log = &server->log,
                                          .stage_lifetime = (int64_t)(server->options.stage_lifetime / 1000),
                                          .lease_lifetime_ms = (int64_t)server->options.lease_lifetime,
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

static struct ks_groups_limits groups_limits(const struct ks_server_options *options)
{
    return (struct ks_groups_limits){.groups = options->groups,
                                     .members = options->group_members,
                                     .member_queue = options->member_queue,
                                     .queues = options->chat_queues};
}

/* All that may change while the server runs. */
static void apply_settings(struct server *server, const struct ks_server_options *options)
{
    struct ks_service_settings *settings = &server->environment.settings;
    const struct ks_groups_limits limits = groups_limits(options);
    atomic_store(&server->log.level, options->log_level);
    atomic_store(&server->log_rate.per_second, options->log_rate);
    settings->header_timeout_ms = options->header_timeout;
    settings->payload_timeout_ms = options->payload_timeout;
    settings->payload_rate = (unsigned)options->payload_rate;
    settings->crc_wrong_delay_ms = options->crc_wrong_delay;
    settings->message_limit = (uint32_t)options->message_limit;
    settings->pull_limit = options->pull_limit;
    settings->registrations_per_hour = options->registrations_per_hour;
    settings->keys_per_hour = options->keys_per_hour;
    settings->uploads_per_user = options->uploads_per_user;
    settings->uploads = options->uploads;
    settings->list_budget = options->list_budget;
    settings->list_rate = (unsigned)options->list_rate;
    server->chat.prompt_timeout_ms = options->prompt_timeout;
    server->chat.wrong_passwords = options->wrong_passwords;
    ks_groups_set_limits(server->chat.groups, &limits);
    set_store_limits(server, options);
    atomic_store(&server->tells_all, options->stat == KS_STAT_FULL);
    ks_net_set_limits(server->net, options->connections, options->connections_per_address);
}

/* Puts a new list in the place of the old one. */
static enum ks_result apply_networks(struct server *server, const struct ks_server_options *options)
{
    struct ks_networks *networks = NULL;
    enum ks_result result = ks_networks_parse(options->unlimited_networks, &networks);
    if (result == KS_OK)
        ks_networks_replace(&server->unlimited, networks);
    return result;
}

/* Reads everything again. NULL when all of it makes sense, else why not. */
static const char *read_fresh(struct server *server, struct ks_server_options *fresh)
{
    if (!ks_server_options_read(fresh, server->argc, server->argv))
        return fresh->reader.why;
    const char *why = ks_server_options_judge(fresh);
    if (why != NULL)
        return why;
    enum ks_result result = apply_networks(server, fresh);
    return result == KS_OK ? NULL : ks_result_text(result);
}

/* Everything is read and judged first; then all of it counts, or nothing. No connection is dropped. */
static void read_again(struct server *server)
{
    static struct ks_server_options fresh; /* large, and the main thread's alone */
    const char *why = read_fresh(server, &fresh);
    if (why != NULL) {
        ks_log_error(&server->log, "the configuration stays as it was: %s", why);
    } else {
        ks_data_directory_choose(&fresh);
        const char *changed = ks_server_options_first_change(&server->options, &fresh);
        if (changed != NULL)
            ks_log_warning(&server->log, "%s has changed: that takes a new start", changed);
        apply_settings(server, &fresh);
        ks_log_notice(&server->log, "the configuration was read again");
    }
    ks_server_options_free(&fresh);
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

/* Before there are other threads: all of them log. */
static enum ks_result prepare_log(struct server *server)
{
    enum ks_result result = ks_random_fill(ks_random_system(), &server->hash_key, sizeof server->hash_key);
    return result == KS_OK ? ks_log_repeats_new(&server->hash_key, ks_clock_system(), &server->log.repeats)
                           : result;
}

static enum ks_result prepare_services(struct server *server)
{
    struct ks_service_environment *environment = &server->environment;
    environment->rules = &ks_binary_port_rules;
    environment->store = server->store;
    environment->random = ks_random_system();
    environment->clock = ks_clock_system();
    environment->log = &server->log;
    environment->settings.content_key_lifetime = KS_CONTENT_KEY_LIFETIME;
    environment->settings.spool_threshold = KS_SPOOL_THRESHOLD;
    environment->settings.stage_lifetime = (int64_t)(server->options.stage_lifetime / 1000);
    environment->settings.stall_timeout_ms = server->options.lease_lifetime;
    environment->settings.settle_time_ms = server->options.settle_time;
    environment->unlimited = &server->unlimited;
    environment->tally = server->tally;
    enum ks_result result = choose_public_ids(server);
    if (result == KS_OK)
        result = ks_staged_new(&environment->staged);
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
static void tell_status(void *context, char text[static KS_ASK_SERVICE_STATUS_SIZE])
{
    const struct server *server = context;
    uint64_t seconds = (ks_clock_monotonic_ms(ks_clock_system()) - server->started_ms) / 1000;
    int used = snprintf(text, KS_ASK_SERVICE_STATUS_SIZE, "kesherd %s, up %" PRIu64 " s, %u connections",
                        KESHER_VERSION, seconds, ks_net_connections(server->net));
    if (used > 0 && atomic_load(&server->tells_all))
        snprintf(text + used, KS_ASK_SERVICE_STATUS_SIZE - (size_t)used, ", %zu users, %u groups",
                 ks_embedded_user_count(server->store), ks_groups_count(server->chat.groups));
}

static void prepare_ask(struct server *server)
{
    server->started_ms = ks_clock_monotonic_ms(ks_clock_system());
    server->ask.clock = ks_clock_system();
    server->ask.random = ks_random_system();
    server->ask.log = &server->log;
    server->ask.name = server->options.name;
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
                                     .buffer_limit = server->options.buffers,
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
    const char *what;   /* in the ready line */
    const char *name;   /* in metrics */
    const char *option; /* its address, or "off" */
    const struct ks_connection_events *events;
    void *service;
};

/* Opens one listener and appends it to the addresses. */
static enum ks_result listen_on(struct server *server, const struct listening *listening)
{
    char address[KS_LISTENER_ADDRESS_SIZE];
    char bound[KS_ADDRESS_TEXT_SIZE];
    char why[512] = "";
    if (strcmp(listening->option, "off") == 0)
        return KS_OK;
    ks_server_options_listener(listening->option, address);
    enum ks_result result = ks_net_listen(server->net, listening->name, address, listening->events,
                                          listening->service, bound, why, sizeof why);
    if (result != KS_OK) {
        ks_log_error(&server->log, "%s: %s", listening->what, why);
        return result;
    }
    size_t used = strlen(server->addresses);
    snprintf(server->addresses + used, sizeof server->addresses - used, "%s%s on %s", used > 0 ? ", " : "",
             listening->what, bound);
    return KS_OK;
}

/* For operators' commands. Without it the server serves all the same. */
static void listen_for_operators(struct server *server)
{
    char address[PATH_MAX + 16];
    char bound[KS_ADDRESS_TEXT_SIZE];
    char why[512] = "";
    snprintf(address, sizeof address, "unix:%s/control", server->options.data);
    if (ks_net_listen(server->net, "control", address, &ks_control_events, &server->control, bound, why,
                      sizeof why) != KS_OK)
        ks_log_warning(&server->log, "operators cannot speak to this server: %s", why);
}

/* Opens every listener and says so in one line, which scripts wait for. */
static enum ks_result start_listening(struct server *server)
{
    char frames_address[64];
    const struct ks_server_options *options = &server->options;
    if (options->listen == NULL)
        snprintf(frames_address, sizeof frames_address, "127.0.0.1:%u",
                 ks_port_find(options->data, &server->log));
    const struct listening all[] = {
        {"drop and messages", "binary", options->listen != NULL ? options->listen : frames_address,
         &ks_frames_events, &server->environment},
        {"chat", "chat", options->chat, &ks_chat_service_events, &server->chat},
        {"ask", "ask", options->ask, &ks_ask_service_events, &server->ask},
        {"metrics", "metrics", options->metrics, &ks_metrics_events, &server->metrics},
    };
    enum ks_result result = KS_OK;
    for (size_t i = 0; i < sizeof all / sizeof all[0] && result == KS_OK; i++)
        result = listen_on(server, &all[i]);
    if (result != KS_OK)
        return result;
    listen_for_operators(server);
    ks_log_notice(&server->log, "kesherd %s ready: %s, data in %s", KESHER_VERSION, server->addresses,
                  options->data);
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
        result = prepare_log(server);
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
    ks_log_tell_repeats(&server->log, true);
    ks_log_repeats_free(server->log.repeats);
    server->log.repeats = NULL;
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

static void print_help(void)
{
    printf("usage: kesherd [--config FILE] [--OPTION VALUE]...\n"
           "       kesherd user list | show NAME | reset-key NAME | remove NAME\n"
           "       kesherd group list\n"
           "       kesherd check [--repair]\n\n"
           "Serves encrypted file drop, messages, group chat and ask. Every option may also stand in FILE, "
           "as \"name = value\". Commands for operators: kesherd user --help.\n\n");
    ks_option_print(stdout, &ks_server_options_table, KS_SERVER_OPTIONS_SETTING, &ks_server_options_defaults);
    printf("\nOnly on the command line:\n\n");
    ks_option_print(stdout, &ks_server_options_table, KS_SERVER_OPTIONS_SPECIAL, NULL);
}

/* What a server must not be told. 0, or the exit status after saying what. */
static int judge(struct ks_server_options *options)
{
    const struct ks_option *unwelcome =
        ks_option_unwelcome(&options->reader, KS_SERVER_OPTIONS_SETTING | KS_SERVER_OPTIONS_SPECIAL);
    const char *why = ks_server_options_judge(options);
    if (unwelcome != NULL) {
        snprintf(options->reader.why, sizeof options->reader.why,
                 "--%s goes with a command for operators; see kesherd user --help", unwelcome->name);
        why = options->reader.why;
    }
    if (why == NULL)
        return 0;
    complain(why);
    return EXIT_USAGE;
}

static int run_server(struct server *server)
{
    int status = judge(&server->options);
    if (status != 0)
        return status;
    if (server->options.check_config) {
        puts("the configuration is fine");
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    server->log = ks_log_to_stderr(server->options.log_level);
    server->log.rate = &server->log_rate;
    ks_data_directory_choose(&server->options);
    return serve(server) == KS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(struct server *server)
{
    struct ks_server_options *options = &server->options;
    if (!ks_server_options_read(options, server->argc, server->argv)) {
        complain(options->reader.why);
        return EXIT_USAGE;
    }
    if (options->version)
        puts("kesherd " KESHER_VERSION);
    else if (options->operand_count > 0)
        return ks_operator_run(options);
    else if (options->help)
        print_help();
    else
        return run_server(server);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct server server;  /* large, and alone */
    static struct ks_tally tally; /* likewise */
    server.memory_is_hidden = ks_privacy_hide_memory() == KS_OK;
    server.tally = &tally;
    server.argc = argc;
    server.argv = argv;
    int status = run(&server);
    ks_server_options_free(&server.options);
    return status;
}
