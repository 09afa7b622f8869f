/* secure_listening.c — the secure port of a server: who it is there, and what it serves. See
 * server_internal.h. Main thread.
 */
#include "server/server_internal.h"

#include "base/limits/allowance.h"
#include "crypto/account_key.h"
#include "net/tls/tls_carrier.h"
#include "service/accounts/presence.h"
#include "service/accounts/visitor.h"
#include "service/chat/turnstile.h"
#include "service/core/frames.h"
#include "service/secure_port.h"

#include <string.h>

/* Far beyond what people and their programs do, and far below what harms. */
enum { FAILED_SIGN_INS_PER_HOUR = 600, CONNECTIONS_PER_ACCOUNT = 256 };

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

/* ---- what is served ---- */

/* Groups of its own: whoever is in one has an account. */
static enum ks_result prepare_chat(struct ks_server *server)
{
    struct ks_chat_service_environment *chat = &server->secure.chat;
    const struct ks_groups_limits limits = ks_server_groups_limits(&server->options);
    chat->clock = ks_clock_system();
    chat->log = &server->log;
    chat->store = server->store;
    chat->names = server->names;
    enum ks_result result = ks_groups_new(&limits, &server->log, &chat->groups);
    return result == KS_OK ? ks_turnstile_new(&server->hash_key, &chat->turnstile) : result;
}

static enum ks_result prepare_accounts(struct ks_server *server)
{
    struct ks_accounts_environment *accounts = &server->secure.accounts;
    accounts->next_key = &server->secure.identity.next;
    accounts->chat = &server->secure.chat;
    accounts->verify = ks_account_key_verify;
    enum ks_result result = ks_presence_new(&accounts->presence);
    return result == KS_OK ? ks_allowance_new(&server->hash_key, &accounts->failures) : result;
}

enum ks_result ks_server_prepare_secure_services(struct ks_server *server)
{
    struct ks_secure_side *secure = &server->secure;
    secure->frames = (struct ks_frames_port){.rules = &ks_secure_port_rules,
                                             .environment = &server->environment,
                                             .access = &ks_visitor_access,
                                             .accounts = &secure->accounts};
    secure->web.clock = ks_clock_system();
    enum ks_result result = prepare_chat(server);
    return result == KS_OK ? prepare_accounts(server) : result;
}

static enum ks_registration_policy policy_of(enum ks_registration_setting setting)
{
    switch (setting) {
    case KS_REGISTRATION_SETTING_OPEN:
        return KS_REGISTRATION_OPEN;
    case KS_REGISTRATION_SETTING_INVITED:
        return KS_REGISTRATION_INVITED;
    default:
        return KS_REGISTRATION_CLOSED;
    }
}

void ks_server_apply_secure_settings(struct ks_server *server, const struct ks_server_options *options)
{
    struct ks_service_settings *settings = &server->environment.settings;
    const struct ks_groups_limits limits = ks_server_groups_limits(options);
    /* Where the port listens, a reload does not change. */
    const struct ks_server_admission admission =
        ks_server_options_admission(options->registration, server->options.secure);
    settings->registration = policy_of(admission.secure);
    settings->registration_is_for_all = options->registration != KS_REGISTRATION_SETTING_UNSET;
    settings->sign_in_timeout_ms = options->sign_in_timeout;
    settings->failed_sign_ins_per_hour = FAILED_SIGN_INS_PER_HOUR;
    settings->connections_per_account = CONNECTIONS_PER_ACCOUNT;
    server->secure.chat.prompt_timeout_ms = options->prompt_timeout;
    server->secure.chat.wrong_passwords = options->wrong_passwords;
    ks_groups_set_limits(server->secure.chat.groups, &limits);
}

/* ---- the port ---- */

static enum ks_result make_port(struct ks_server *server)
{
    struct ks_secure_side *secure = &server->secure;
    const struct ks_tls_port_options options = {
        .clock = ks_clock_system(),
        .random = ks_random_system(),
        .log = &server->log,
        .hash_key = server->hash_key,
        .kesher = {.events = &ks_frames_events, .service = &secure->frames},
        .http = {.events = &ks_web_events, .service = &secure->web},
        .proxies = &secure->proxies};
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
    struct ks_secure_side *secure = &server->secure;
    ks_tls_port_free(secure->identity.port);
    ks_groups_free(secure->chat.groups);
    ks_turnstile_free(secure->chat.turnstile);
    ks_presence_free(secure->accounts.presence);
    ks_allowance_free(secure->accounts.failures);
    ks_networks_clear(&secure->proxies);
}
