/* host_identity.h — who a server is on its secure port, from its start on and over reloads
 * (server/host_key.h). Main thread.
 */
#ifndef KS_SERVER_HOST_IDENTITY_H
#define KS_SERVER_HOST_IDENTITY_H

#include "base/log.h"
#include "server/host_key_shown.h"
#include "server/server_options.h"
#include "service/core/next_key.h"

struct ks_tls_port;

struct ks_host_identity {
    struct ks_tls_port *port; /* NULL: there is none */
    struct ks_host_key_place place;
    struct ks_host_key_shown shown;
    struct ks_next_key next;
};

/* Shows what it is given: a function of the carrier, or of a test. */
typedef enum ks_result ks_host_identity_show(struct ks_tls_port *port,
                                             const struct ks_tls_identity *identity);

/* Reads the key, which is made at the first start, and shows it. KS_OK; else the log says what is wrong, and
 * what to do. */
enum ks_result ks_host_identity_open(struct ks_host_identity *host, const struct ks_server_options *options,
                                     ks_host_identity_show *show, const struct ks_log *log);

/* Reads it again. Where something is wrong, the log says what, and all stays as it was; connections that are
 * there stay in any case. */
void ks_host_identity_reload(struct ks_host_identity *host, const struct ks_server_options *options,
                             ks_host_identity_show *show, const struct ks_log *log);

/* The port listens there; commands are told (host_key_shown.h), and a failure to do so is only logged. */
void ks_host_identity_bound(struct ks_host_identity *host, const char *address, const struct ks_log *log);

/* For the ready line: " as LINK" where others than this machine reach the port, and ", registration open" or
 * what it is. `secure` is the option that the server was started with. */
void ks_host_identity_describe(const struct ks_host_identity *host, enum ks_registration_setting registration,
                               const char *secure, char *text, size_t size);

#endif
