/* rules.h — what requests on a port of frames look like, and who serves them. Private to src/service
 * and src/server; read-only, any thread.
 *
 * A table is handed in with its port (frames_port.h): so the engine knows none of those that it serves.
 * service/binary_port.h has that of the classic port, service/secure_port.h that of the secure one.
 */
#ifndef KS_SERVICE_CORE_RULES_H
#define KS_SERVICE_CORE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ks_exchange;

/* Which earlier exchanges may still be unanswered when a request begins. */
enum ks_overlap {
    KS_OVERLAP_NONE,    /* none */
    KS_OVERLAP_UPLOAD,  /* uploads and confirmations: for 1028 */
    KS_OVERLAP_CONFIRM, /* confirmations: for 1029, 3015 and 3012, which need what was sent before them to be
                         * complete */
    KS_OVERLAP_SEND,    /* messages that let others begin (exchange.h): for 603 */
    KS_OVERLAP_PUT,     /* confirmations: for 3013 and 3014, which go one after the other */
};

struct ks_rule {
    const char *name;  /* what a request of it does, for the log */
    const char *label; /* its code, for metrics */
    uint16_t code;
    uint8_t version;     /* in the answer */
    bool is_collected;   /* all of the payload is collected for `begin`, and not fixed_size bytes of it */
    uint16_t error;      /* the answer to a request of this code that makes no sense */
    uint16_t reason;     /* on the secure port: of the 4999 when its service refuses (accounts_codec.h) */
    uint32_t fixed_size; /* bytes of the payload that are collected for `begin` */
    uint32_t smallest_payload;
    uint32_t largest_payload;
    enum ks_overlap overlap;
    /* Serves the request: `fixed` holds what was collected and is gone when the call returns. Answers the
     * exchange exactly once, in the call or later. Payload beyond the fixed part is skipped unless a sink is
     * set. NULL: every request is refused, whatever its payload. */
    void (*begin)(struct ks_exchange *exchange, const uint8_t *fixed);
};

struct ks_rules {
    const struct ks_rule *rules; /* the last one is for all codes that the others do not have */
    size_t count;
    size_t first_place;      /* of the first one in the tally (tally.h), which counts by place */
    uint32_t most_collected; /* bytes of payload that any of them has collected */
};

#endif
