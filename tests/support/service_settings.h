/* service_settings.h — settings of the binary port for tests and fuzzers, as a server might have them. */
#ifndef KS_TESTS_SUPPORT_SERVICE_SETTINGS_H
#define KS_TESTS_SUPPORT_SERVICE_SETTINGS_H

#include "service/core/environment.h"
#include "store/store.h"

static const struct ks_service_settings usual_settings = {
    .header_timeout_ms = 30 * 1000,
    .payload_timeout_ms = 60 * 1000,
    .crc_wrong_delay_ms = 2000,
    .content_key_lifetime = KS_CONTENT_KEY_LIFETIME,
    .stage_lifetime = 3600,
    .stall_timeout_ms = KS_LEASE_LIFETIME_MS,
    .settle_time_ms = 5000,
    .uploads_per_user = 256,
    .uploads = 20000,
    .list_budget = 128 * 1024 * 1024,
    .list_rate = 256 * 1024,
    .message_limit = 64 * 1024 * 1024,
    .spool_threshold = KS_SPOOL_THRESHOLD,
    .pull_limit = 256 * 1024 * 1024,
};

#endif
