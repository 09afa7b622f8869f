/* secure_listening.c — the secure port of a server: who it is there, and what it serves. See
 * server_internal.h. Main thread.
 */
#include "server/server_internal.h"

#include "net/tls/tls_carrier.h"

#include <stdio.h>
#include <string.h>

static bool is_wanted(const struct ks_server_options *options)
{
    return strcmp(options->secure, "off") != 0;
}

static enum ks_result told(const struct ks_server *server, enum ks_result result)
{
    if (result != KS_OK)
        ks_log_error(&server->log, "cannot prepare the secure port: %s", ks_result_text(result));
    return result;
}

static enum ks_result make_port(struct ks_server *server)
{
    struct ks_secure_side *secure = &server->secure;
    const struct ks_tls_port_options options = {.clock = ks_clock_system(),
                                                .random = ks_random_system(),
                                                .log = &server->log,
                                                .hash_key = server->hash_key,
                                                .kesher = {.events = &ks_web_events, .service = &secure->web},
                                                .http = {.events = &ks_web_events, .service = &secure->web},
                                                .proxies = &secure->proxies};
    secure->web.clock = ks_clock_system();
    return ks_net_secure_port(server->net, &options, &secure->identity.port);
}

enum ks_result ks_server_prepare_secure_port(struct ks_server *server)
{
    if (!is_wanted(&server->options))
        return KS_OK;
    enum ks_result result = told(server, make_port(server));
    return result == KS_OK ? ks_host_identity_open(&server->secure.identity, &server->options,
                                                   ks_tls_port_set_identity, &server->log)
                           : result;
}

void ks_server_reload_secure_port(struct ks_server *server, const struct ks_server_options *options)
{
    if (server->secure.identity.port != NULL)
        ks_host_identity_reload(&server->secure.identity, options, ks_tls_port_set_identity, &server->log);
}

void ks_server_free_secure_port(struct ks_server *server)
{
    ks_tls_port_free(server->secure.identity.port);
    ks_networks_clear(&server->secure.proxies);
}
