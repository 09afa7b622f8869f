/* server.c — a server's parts: store, services and network are opened, wired together, and taken apart in the
 * other order. See server_internal.h. Main thread.
 */
#include "server/server_internal.h"

#include "base/limits/allowance.h"
#include "crypto/alias.h"
#include "crypto/prepare.h"
#include "service/accounts/account_names.h"
#include "service/binary_port.h"
#include "service/chat/turnstile.h"
#include "service/drop/staged.h"
#include "service/users/pacing.h"
#include "store/embedded/embedded.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>

/* A start does not end without a word. */
static enum ks_result told(const struct ks_server *server, const char *what, enum ks_result result)
{
    if (result != KS_OK)
        ks_log_error(&server->log, "cannot prepare %s: %s", what, ks_result_text(result));
    return result;
}

static enum ks_result open_store(struct ks_server *server)
{
    ks_server_set_store_limits(server, &server->options);
    char why[512] = "";
    struct ks_embedded_options options = {.data_directory = server->options.data,
                                          .clock = ks_clock_system(),
                                          .random = ks_random_system(),
                                          .log = &server->log,
                                          .stage_lifetime = (int64_t)(server->options.stage_lifetime / 1000),
                                          .lease_lifetime_ms = (int64_t)server->options.lease_lifetime,
                                          .skeleton = ks_account_name_skeleton_once,
                                          .limits = &server->store_limits};
    enum ks_result result = ks_embedded_open(&options, &server->store, why, sizeof why);
    if (result != KS_OK)
        ks_log_error(&server->log, "cannot open the data directory %s: %s", server->options.data, why);
    return result;
}

static enum ks_result choose_public_ids(struct ks_server *server)
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
static enum ks_result prepare_log(struct ks_server *server)
{
    enum ks_result result = ks_random_fill(ks_random_system(), &server->hash_key, sizeof server->hash_key);
    return result == KS_OK ? ks_log_repeats_new(&server->hash_key, ks_clock_system(), &server->log.repeats)
                           : result;
}

static enum ks_result prepare_services(struct ks_server *server)
{
    struct ks_service_environment *environment = &server->environment;
    server->classic_port =
        (struct ks_frames_port){.rules = &ks_binary_port_rules, .environment = environment};
    environment->store_limits = &server->store_limits;
    environment->store = server->store;
    environment->store_door = &server->store_door;
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
        result = ks_account_names_new(&server->names);
    environment->names = server->names;
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

static enum ks_result prepare_chat(struct ks_server *server)
{
    const struct ks_groups_limits limits = ks_server_groups_limits(&server->options);
    server->chat.clock = ks_clock_system();
    server->chat.log = &server->log;
    enum ks_result result = ks_groups_new(&limits, &server->log, &server->chat.groups);
    return result == KS_OK ? ks_turnstile_new(&server->hash_key, &server->chat.turnstile) : result;
}

/* The answer to STAT. */
static void tell_status(void *context, char text[static KS_ASK_SERVICE_STATUS_SIZE])
{
    const struct ks_server *server = context;
    uint64_t seconds = (ks_clock_monotonic_ms(ks_clock_system()) - server->started_ms) / 1000;
    int used = snprintf(text, KS_ASK_SERVICE_STATUS_SIZE, "kesherd %s, up %" PRIu64 " s, %u connections",
                        KESHER_VERSION, seconds, ks_net_connections(server->net));
    if (used > 0 && atomic_load(&server->tells_all))
        snprintf(text + used, KS_ASK_SERVICE_STATUS_SIZE - (size_t)used, ", %zu users, %u groups",
                 ks_embedded_user_count(server->store),
                 ks_groups_count(server->chat.groups) + ks_groups_count(server->secure.chat.groups));
}

static void prepare_ask(struct ks_server *server)
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

static void prepare_control(struct ks_server *server)
{
    server->control.operations.store = server->store;
    server->control.operations.random = ks_random_system();
    server->control.operations.clock = ks_clock_system();
    server->control.operations.groups = server->chat.groups;
    server->control.operations.secure_groups = server->secure.chat.groups;
    server->control.operations.presence = server->secure.accounts.presence;
    server->control.operations.staged = server->environment.staged;
    server->control.operations.alias_key = server->alias_key;
    server->control.operations.plain_public_ids = server->options.public_ids == KS_PUBLIC_IDS_PLAIN;
    server->control.operations.log = &server->log;
}

static void prepare_metrics(struct ks_server *server)
{
    server->sources = (struct ks_scrape_sources){.store = server->store,
                                                 .net = server->net,
                                                 .groups = server->chat.groups,
                                                 .secure_groups = server->secure.chat.groups,
                                                 .secure_port = server->secure.identity.port,
                                                 .presence = server->secure.accounts.presence,
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
    const struct ks_server *server = context;
    ks_notify_check(&server->log, ks_notify_alive(&server->notify));
}

static void tell_stopping(void *context)
{
    const struct ks_server *server = context;
    ks_notify_check(&server->log, ks_notify_stopping(&server->notify));
}

static enum ks_result open_net(struct ks_server *server)
{
    struct ks_net_options options = {.workers = server->options.workers,
                                     .connection_limit = server->options.connections,
                                     .address_limit = server->options.connections_per_address,
                                     .unlimited = &server->unlimited,
                                     .hash_key = server->hash_key,
                                     .buffer_limit = server->options.buffers,
                                     .hang_up = ks_server_reload,
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

enum ks_result ks_server_serve(struct ks_server *server)
{
    if (!server->memory_is_hidden)
        ks_log_warning(&server->log,
                       "other programs of this user may read the memory, where keys are: prctl is refused");
    ks_notify_check(&server->log, ks_notify_open(&server->notify));
    enum ks_result result = ks_server_apply_networks(server, &server->options);
    if (result != KS_OK)
        ks_log_error(&server->log, "unlimited-networks, proxy-networks: %s", ks_result_text(result));
    if (result == KS_OK)
        result = told(server, "OpenSSL", ks_crypto_prepare());
    if (result == KS_OK)
        result = told(server, "the log", prepare_log(server));
    if (result == KS_OK)
        result = open_store(server);
    if (result == KS_OK)
        result = told(server, "the services", prepare_services(server));
    if (result == KS_OK)
        result = told(server, "the chat", prepare_chat(server));
    if (result == KS_OK)
        result = told(server, "the secure port", ks_server_prepare_secure_services(server));
    prepare_ask(server);
    prepare_control(server);
    if (result == KS_OK)
        result = open_net(server);
    if (result == KS_OK) {
        ks_server_apply_settings(server, &server->options);
        result = ks_server_prepare_secure_port(server);
    }
    if (result == KS_OK) {
        prepare_metrics(server);
        result = ks_server_start_listening(server);
    }
    if (result == KS_OK)
        ks_net_run(server->net);
    /* The store answers to the loops, so it goes first; what it still holds of the staged files is its own,
     * and who is answered for a connection that is gone asks it no more. */
    while (!ks_store_door_close(&server->store_door))
        sched_yield();
    if (server->store != NULL)
        ks_store_close(server->store);
    ks_net_close(server->net);
    ks_server_free_secure_port(server);
    ks_groups_free(server->chat.groups);
    ks_turnstile_free(server->chat.turnstile);
    ks_staged_free(server->environment.staged);
    ks_pacing_free(server->environment.pacing);
    ks_allowance_free(server->environment.registrations);
    ks_allowance_free(server->environment.keys);
    ks_account_names_free(server->names);
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
