/* server_internal.h — a running server from within: what main.c (the command line), server.c (its parts, put
 * together and taken apart), reload.c (settings) and listening.c (ports) share.
 *
 * Everything here runs on the main thread. `struct ks_server` owns what there is; nothing is global.
 */
#ifndef KS_SERVER_SERVER_INTERNAL_H
#define KS_SERVER_SERVER_INTERNAL_H

#include "base/limits/log_repeats.h"
#include "base/limits/networks.h"
#include "net/net.h"
#include "server/host_identity.h"
#include "server/notify.h"
#include "server/scrape.h"
#include "server/server_options.h"
#include "service/accounts/accounts_environment.h"
#include "service/ask/ask_service.h"
#include "service/chat/chat_service.h"
#include "service/chat/groups.h"
#include "service/core/frames_port.h"
#include "service/core/store_door.h"
#include "service/core/tally.h"
#include "service/monitoring/metrics.h"
#include "service/operators/control.h"
#include "service/web/web.h"
#include "store/limits.h"

enum { KS_SERVER_STATUS_SIZE = 8 * KS_ADDRESS_TEXT_SIZE };

/* What belongs to the secure port alone. */
struct ks_secure_side {
    struct ks_host_identity identity; /* with the port itself */
    struct ks_networks_current proxies;
    struct ks_web_environment web;
    struct ks_frames_port frames;
    struct ks_accounts_environment accounts;
    struct ks_chat_service_environment chat;
};

struct ks_server {
    int argc; /* for a SIGHUP, which reads everything again */
    char **argv;
    struct ks_server_options options;
    struct ks_log log;
    struct ks_log_rate log_rate;
    struct ks_networks_current unlimited;
    struct ks_hash_key hash_key; /* of what is counted by address */
    struct ks_store_limits store_limits;
    struct ks_store *store;
    struct ks_store_door store_door;
    struct ks_net *net;
    struct ks_account_names *names;
    struct ks_alias_key *alias_key;
    struct ks_service_environment environment;
    struct ks_frames_port classic_port;
    struct ks_chat_service_environment chat;
    struct ks_ask_service_environment ask;
    struct ks_secure_side secure;
    struct ks_control_environment control;
    struct ks_tally *tally;
    struct ks_scrape_sources sources;
    struct ks_metrics_environment metrics;
    struct ks_notify notify;
    uint64_t started_ms;
    char addresses[6 * KS_ADDRESS_TEXT_SIZE]; /* as the ready line has them */
    char status[KS_SERVER_STATUS_SIZE];       /* as the service manager has it */
    bool memory_is_hidden;
    _Atomic bool tells_all; /* STAT */
};

/* ---- server.c ---- */

/* Opens everything, serves until a signal, and closes it again. KS_OK, or what could not be opened, which the
 * log has. The command line and the log's level are there. */
enum ks_result ks_server_serve(struct ks_server *server);

/* ---- server_limits.c ---- */

/* What the chat may hold. */
struct ks_groups_limits ks_server_groups_limits(const struct ks_server_options *options);

/* What the store keeps for whom; it looks at them with every request. */
void ks_server_set_store_limits(struct ks_server *server, const struct ks_server_options *options);

/* ---- reload.c ---- */

/* Lets everything count that may change while the server runs; services and network are there. */
void ks_server_apply_settings(struct ks_server *server, const struct ks_server_options *options);

/* Puts new lists of networks (without limits, of proxies) in the place of the old ones, both or none. KS_OK;
 * KS_INVALID, KS_NO_MEMORY. */
enum ks_result ks_server_apply_networks(struct ks_server *server, const struct ks_server_options *options);

/* SIGHUP: reads the configuration again. `context` is the server. */
void ks_server_reload(void *context);

/* ---- secure_listening.c ---- */

/* What is served there, whether there is to be such a port or not; the store is open, and the services of the
 * classic ports are there. KS_OK, KS_NO_MEMORY. */
enum ks_result ks_server_prepare_secure_services(struct ks_server *server);

/* Lets everything count there that may change while the server runs. */
void ks_server_apply_secure_settings(struct ks_server *server, const struct ks_server_options *options);

/* Makes the secure port, with its key, if there is to be one; the network and the services are there. KS_OK,
 * or what is wrong, which the log has. */
enum ks_result ks_server_prepare_secure_port(struct ks_server *server);

/* Reads certificate and key again; what is wrong with them is logged, and nothing changes then. */
void ks_server_reload_secure_port(struct ks_server *server, const struct ks_server_options *options);

/* Frees all of it; the network is closed. */
void ks_server_free_secure_port(struct ks_server *server);

/* ---- listening.c ---- */

/* What it listens on, what to hand out, and who may register as these options have it. */
void ks_server_describe(const struct ks_server *server, const struct ks_server_options *options,
                        char text[static KS_SERVER_STATUS_SIZE]);

/* Opens every listener and says so in one line, which scripts wait for. KS_OK, or why one could not be
 * opened, which the log has. */
enum ks_result ks_server_start_listening(struct ks_server *server);

#endif
