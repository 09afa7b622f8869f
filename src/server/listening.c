/* listening.c — the ports of a server, and the socket of its operators: see server_internal.h. Main thread.
 */
#include "server/server_internal.h"

#include "net/tls/tls_carrier.h"
#include "server/port.h"
#include "service/core/frames.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

struct listening {
    const char *what;   /* in the ready line */
    const char *name;   /* in metrics */
    const char *option; /* its address, or "off" */
    const struct ks_connection_events *events;
    void *service;
};

/* Opens one listener and appends it to the addresses. `bound` is "" when it is off. */
static enum ks_result listen_on(struct ks_server *server, const struct listening *listening,
                                char bound[static KS_ADDRESS_TEXT_SIZE])
{
    char address[KS_LISTENER_ADDRESS_SIZE];
    char why[512] = "";
    bound[0] = '\0';
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
static void listen_for_operators(struct ks_server *server)
{
    char address[PATH_MAX + 16];
    char bound[KS_ADDRESS_TEXT_SIZE];
    char why[512] = "";
    snprintf(address, sizeof address, "unix:%s/control", server->options.data);
    if (ks_net_listen(server->net, "control", address, &ks_control_events, &server->control, bound, why,
                      sizeof why) != KS_OK)
        ks_log_warning(&server->log, "operators cannot speak to this server: %s", why);
}

void ks_server_describe(const struct ks_server *server, const struct ks_server_options *options,
                        char text[static KS_SERVER_STATUS_SIZE])
{
    const struct ks_host_identity *identity = &server->secure.identity;
    (void)snprintf(text, KS_SERVER_STATUS_SIZE, "%s", server->addresses);
    size_t used = strlen(text);
    if (identity->port != NULL || options->registration != KS_REGISTRATION_SETTING_UNSET)
        ks_host_identity_describe(identity, options->registration, server->options.secure, text + used,
                                  KS_SERVER_STATUS_SIZE - used);
}

enum ks_result ks_server_start_listening(struct ks_server *server)
{
    char bound[KS_ADDRESS_TEXT_SIZE] = "";
    char frames_address[64];
    const struct ks_server_options *options = &server->options;
    if (options->listen == NULL)
        snprintf(frames_address, sizeof frames_address, "127.0.0.1:%u",
                 ks_port_find(options->data, &server->log));
    const struct listening all[] = {
        {"drop and messages", "binary", options->listen != NULL ? options->listen : frames_address,
         &ks_frames_events, &server->classic_port},
        {"chat", "chat", options->chat, &ks_chat_service_events, &server->chat},
        {"ask", "ask", options->ask, &ks_ask_service_events, &server->ask},
        {"metrics", "metrics", options->metrics, &ks_metrics_events, &server->metrics},
        {"secure port", "secure", options->secure, &ks_tls_carrier_events, server->secure.identity.port},
    };
    enum ks_result result = KS_OK;
    for (size_t i = 0; i < sizeof all / sizeof all[0] && result == KS_OK; i++)
        result = listen_on(server, &all[i], bound);
    if (result != KS_OK)
        return result;
    if (bound[0] != '\0') /* of the secure port, which is the last one */
        ks_host_identity_bound(&server->secure.identity, bound, &server->log);
    listen_for_operators(server);
    ks_server_describe(server, options, server->status);
    ks_log_notice(&server->log, "kesherd %s ready: %s, data in %s", KESHER_VERSION, server->status,
                  options->data);
    ks_notify_check(&server->log, ks_notify_ready(&server->notify, server->status));
    return KS_OK;
}
