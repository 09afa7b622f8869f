/* signing.h — a request with a signature over this connection (protocol.md §8.1): judged on the pool, as
 * often as a connection, and its network, may ask for that. Private to src/service/accounts; the connection's
 * loop.
 */
#ifndef KS_SERVICE_ACCOUNTS_SIGNING_H
#define KS_SERVICE_ACCOUNTS_SIGNING_H

#include "service/accounts/visitor.h"
#include "wire/accounts_codec.h"

/* The beginning of a job: whoever has one allocates it as zeros. */
struct ks_signing {
    struct ks_exchange *exchange;
    struct ks_sign_in sign_in; /* the key, the kind, the signature */
    uint8_t channel[KS_CHANNEL_SIZE];
    uint8_t bytes[KS_SIGNED_LIMIT]; /* what is signed */
    size_t size;
    struct ks_offload offload;
    enum ks_result result;
    /* The signature holds, and the connection is there: takes the job and its exchange over. */
    void (*holds)(struct ks_signing *signing);
    /* It does not: wipes and frees the job, not the exchange. */
    void (*discard)(struct ks_signing *signing);
};

/* Whether a signature of this exchange may be judged now; sets the channel, of which the caller then makes
 * what is signed. False when not: the exchange was refused, and the job discarded. exchange, sign_in, holds
 * and discard are set. */
bool ks_signing_prepare(struct ks_signing *signing);

/* `bytes` and `size` are set, too, if `result`, of whoever has made them, is KS_OK. Then holds or discard is
 * called, later. */
void ks_signing_judge(struct ks_signing *signing, enum ks_result result);

/* Something that was to be proven was not: counts for the network. */
void ks_signing_count_failure(const struct ks_exchange *exchange);

#endif
