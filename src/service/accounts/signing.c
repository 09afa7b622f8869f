/* signing.c — see signing.h. */
#include "service/accounts/signing.h"

#include "base/limits/allowance.h"
#include "service/accounts/refusals.h"
#include "service/core/report.h"

static void refuse(struct ks_signing *signing, enum ks_refusal_reason reason)
{
    struct ks_exchange *exchange = signing->exchange;
    signing->discard(signing);
    ks_refuse(exchange, reason);
}

/* The connection's last word. */
static void refuse_more(struct ks_signing *signing)
{
    struct ks_exchange *exchange = signing->exchange;
    signing->discard(signing);
    ks_refuse_and_end(exchange, KS_REFUSAL_SIGNATURES);
}

/* Signatures that do not hold cost us as much as others, and bring nobody in. */
static bool network_may_fail(const struct ks_exchange *exchange)
{
    const struct ks_service_environment *environment = exchange->environment;
    struct ks_allowance *failures = exchange->port->accounts->failures;
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    if (failures == NULL || ks_session_address_is_free(exchange->session))
        return true;
    ks_connection_peer_address(ks_session_connection(exchange->session), address);
    return ks_allowance_has(failures, address, environment->settings.failed_sign_ins_per_hour,
                            ks_clock_monotonic_ms(environment->clock));
}

void ks_signing_count_failure(const struct ks_exchange *exchange)
{
    if (exchange->session != NULL)
        (void)ks_session_allows(exchange->session, exchange->port->accounts->failures,
                                exchange->environment->settings.failed_sign_ins_per_hour);
}

bool ks_signing_prepare(struct ks_signing *signing)
{
    struct ks_exchange *exchange = signing->exchange;
    struct ks_visitor *visitor = ks_visitor_of(exchange);
    uint8_t kind = signing->sign_in.kind;
    if (kind != KS_SIGNATURE_KIND_CHANNEL && kind != KS_SIGNATURE_KIND_BROWSER)
        refuse(signing, KS_REFUSAL_MALFORMED);
    else if (kind == KS_SIGNATURE_KIND_BROWSER ||
             !ks_connection_channel(ks_session_connection(visitor->session), signing->channel))
        refuse(signing, KS_REFUSAL_CARRIER);
    else if (visitor->signatures >= KS_VISITOR_SIGNATURES)
        refuse_more(signing);
    else if (!network_may_fail(exchange)) {
        ks_report(exchange, KS_LOG_WARNING, "refused: too many failed sign-ins from this address in an hour");
        refuse(signing, KS_REFUSAL_TOO_MANY);
    } else
        return true;
    return false;
}

static void signing_work(struct ks_offload *offload)
{
    struct ks_signing *signing = KS_CONTAINER_OF(offload, struct ks_signing, offload);
    const struct ks_accounts_environment *accounts = signing->exchange->port->accounts;
    signing->result =
        accounts->verify(signing->sign_in.key, signing->bytes, signing->size, signing->sign_in.signature);
}

static void refuse_signature(struct ks_signing *signing, const struct ks_visitor *visitor)
{
    ks_signing_count_failure(signing->exchange);
    if (visitor->signatures >= KS_VISITOR_SIGNATURES)
        refuse_more(signing);
    else
        refuse(signing, KS_REFUSAL_SIGNATURE);
}

static void signing_judged(struct ks_offload *offload)
{
    struct ks_signing *signing = KS_CONTAINER_OF(offload, struct ks_signing, offload);
    struct ks_exchange *exchange = signing->exchange;
    const struct ks_visitor *visitor = ks_visitor_of(exchange);
    if (visitor == NULL) { /* nothing was asked for yet */
        signing->discard(signing);
        ks_exchange_cancel(exchange);
    } else if (signing->result == KS_OK) {
        signing->holds(signing);
    } else if (signing->result == KS_REFUSED) {
        refuse_signature(signing, visitor);
    } else {
        refuse(signing, ks_refusal_of(signing->result));
    }
}

void ks_signing_judge(struct ks_signing *signing, enum ks_result result)
{
    struct ks_exchange *exchange = signing->exchange;
    if (result != KS_OK) {
        refuse(signing, KS_REFUSAL_MALFORMED);
        return;
    }
    ks_visitor_of(exchange)->signatures++;
    signing->offload.work = signing_work;
    signing->offload.done = signing_judged;
    ks_loop_offload(exchange->loop, &signing->offload);
}
