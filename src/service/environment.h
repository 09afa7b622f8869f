/* environment.h — what every service of a server is given: the seams and the settings.
 *
 * One per server, filled before the first connection, read-only afterwards; any thread.
 */
#ifndef KS_SERVICE_ENVIRONMENT_H
#define KS_SERVICE_ENVIRONMENT_H

#include "base/clock.h"
#include "base/log.h"
#include "crypto/random.h"
#include "store/store.h"

struct ks_staged;

struct ks_service_settings {
    uint64_t header_timeout_ms;   /* from the first byte of a request to the last of its fixed part */
    uint64_t payload_timeout_ms;  /* inside a payload, since its last byte */
    uint64_t crc_wrong_delay_ms;  /* silence before the deferred answer to a 1030 (protocol.md §1.2) */
    int64_t content_key_lifetime; /* seconds without use after which a session forgets an AES key */
    int64_t stage_lifetime;       /* seconds after which an unconfirmed upload is forgotten */
};

struct ks_service_environment {
    struct ks_store *store;
    const struct ks_random *random;
    const struct ks_clock *clock;
    const struct ks_log *log;
    struct ks_staged *staged; /* uploads that wait for their 1029 (staged.h) */
    struct ks_service_settings settings;
};

/* The defaults of protocol.md. */
struct ks_service_settings ks_service_settings_default(void);

#endif
