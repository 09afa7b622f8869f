/* reload.c — the settings of a server: all at the start, and those that may change whenever the operator has
 * them read again (SIGHUP). See server_internal.h. Main thread.
 */
#include "server/server_internal.h"

#include "server/data_directory.h"

void ks_server_apply_settings(struct ks_server *server, const struct ks_server_options *options)
{
    struct ks_service_settings *settings = &server->environment.settings;
    const struct ks_groups_limits limits = ks_server_groups_limits(options);
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
    ks_server_apply_secure_settings(server, options);
    ks_server_set_store_limits(server, options);
    atomic_store(&server->tells_all, options->stat == KS_STAT_FULL);
    ks_net_set_limits(server->net, options->connections, options->connections_per_address);
}

enum ks_result ks_server_apply_networks(struct ks_server *server, const struct ks_server_options *options)
{
    struct ks_networks *unlimited = NULL;
    struct ks_networks *proxies = NULL;
    enum ks_result result = ks_networks_parse(options->unlimited_networks, &unlimited);
    if (result == KS_OK)
        result = ks_networks_parse(options->proxy_networks, &proxies);
    if (result == KS_OK) {
        ks_networks_replace(&server->unlimited, unlimited);
        ks_networks_replace(&server->secure.proxies, proxies);
    } else {
        ks_networks_free(unlimited);
    }
    return result;
}

/* Reads everything again. NULL when all of it makes sense, else why not. */
static const char *read_fresh(struct ks_server *server, struct ks_server_options *fresh)
{
    if (!ks_server_options_read(fresh, server->argc, server->argv))
        return fresh->reader.why;
    const char *why = ks_server_options_judge(fresh);
    if (why != NULL)
        return why;
    enum ks_result result = ks_server_apply_networks(server, fresh);
    return result == KS_OK ? NULL : ks_result_text(result);
}

/* Everything is read and judged first; then all of it counts, or nothing. No connection is dropped. `status`
 * tells what counts now. */
static void read_again(struct ks_server *server, char status[static KS_SERVER_STATUS_SIZE])
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
        ks_server_apply_settings(server, &fresh);
        ks_server_reload_secure_port(server, &fresh);
        ks_server_describe(server, &fresh, status);
        ks_log_notice(&server->log, "the configuration was read again");
    }
    ks_server_options_free(&fresh);
}

void ks_server_reload(void *context)
{
    struct ks_server *server = context;
    ks_notify_check(&server->log, ks_notify_reloading(&server->notify));
    read_again(server, server->status);
    ks_notify_check(&server->log, ks_notify_ready(&server->notify, server->status));
}
