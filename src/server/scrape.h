/* scrape.h — all metrics of a server in one text: collected from the rooms that count, which know nothing of
 * each other. docs/metrics.md says what each means.
 */
#ifndef KS_SERVER_SCRAPE_H
#define KS_SERVER_SCRAPE_H

#include "base/log.h"
#include "net/net.h"
#include "service/accounts/presence.h"
#include "service/chat/groups.h"
#include "service/core/environment.h"
#include "service/core/tally.h"
#include "store/embedded/embedded.h"

/* Where they are counted; all outlive the last scrape. */
struct ks_scrape_sources {
    const struct ks_store *store;
    const struct ks_net *net;
    struct ks_groups *groups;
    struct ks_groups *secure_groups; /* NULL: no secure port, as the next two */
    const struct ks_tls_port *secure_port;
    struct ks_presence *presence;
    const struct ks_tally *tally;
    const struct ks_service_environment *service;
    const struct ks_log_rate *log_rate;
    int64_t started; /* wall seconds */
};

/* `render` of struct ks_metrics_environment; the context is a `const struct ks_scrape_sources`. Any thread,
 * and it takes its time: it looks into /proc. */
size_t ks_scrape_render(void *context, char *text, size_t capacity);

#endif
