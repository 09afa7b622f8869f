/* send_dialects.h — the protocols that mode `send` speaks (traffic/send_dialect.h). Constant. */
#ifndef KS_BENCH_DIALECTS_SEND_DIALECTS_H
#define KS_BENCH_DIALECTS_SEND_DIALECTS_H

#include "bench/traffic/send_dialect.h"

extern const struct ks_send_dialect ks_send_kesher; /* 603 → 2103; found again by 604 */
extern const struct ks_send_dialect ks_send_redis; /* LPUSH → the length of the list; found again by RPOP */
extern const struct ks_send_dialect ks_send_mqtt;  /* PUBLISH with QoS 1 → PUBACK */

#endif
