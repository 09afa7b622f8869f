/* places.c — see places.h. */
#include "service/places.h"

#include "service/dismissal.h"
#include "service/staged.h"
#include "service/tally.h"

void ks_places_forget_stale(const struct ks_service_environment *environment, struct ks_loop *loop)
{
    uint64_t now_ms = ks_clock_monotonic_ms(environment->clock);
    uint64_t lifetime_ms = (uint64_t)environment->settings.stage_lifetime * 1000;
    struct ks_staged_upload stale;
    while (
        ks_staged_take_stale(environment->staged, now_ms, lifetime_ms, environment->settings.uploads, &stale))
        ks_dismiss_upload(environment->store, loop, &stale);
}

static void log_refusal(const struct ks_exchange *exchange, enum ks_staged_entry entry)
{
    const struct ks_service_environment *environment = exchange->environment;
    char peer[KS_PEER_TEXT_SIZE];
    if (entry == KS_STAGED_NO_MEMORY) {
        ks_log_warning(environment->log, "%s: an upload is refused: %s", ks_exchange_peer(exchange, peer),
                       ks_result_text(KS_NO_MEMORY));
        return;
    }
    enum ks_tally_limit limit =
        entry == KS_STAGED_USER_IS_FULL ? KS_TALLY_UPLOADS_PER_USER : KS_TALLY_UPLOADS;
    ks_tally_refused(ks_tally_shard_of(environment->tally, exchange->loop), limit);
    ks_log_warning(environment->log, "%s: an upload is refused: there are too many that wait%s",
                   ks_exchange_peer(exchange, peer), ks_tally_limit_note(limit));
}

/* Counts as refused, as it will be when its confirmation comes. */
static void evict(const struct ks_exchange *exchange, struct ks_staged_upload *upload)
{
    const struct ks_service_environment *environment = exchange->environment;
    ks_tally_refused(ks_tally_shard_of(environment->tally, exchange->loop), KS_TALLY_UPLOADS);
    ks_log_warning(environment->log, "an unconfirmed upload is discarded: whoever has most makes room%s",
                   ks_tally_limit_note(KS_TALLY_UPLOADS));
    ks_dismiss_upload(environment->store, exchange->loop, upload);
}

bool ks_places_enter(const struct ks_exchange *exchange)
{
    const struct ks_service_environment *environment = exchange->environment;
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    struct ks_staged_upload evicted;
    ks_connection_peer_address(ks_session_connection(exchange->session), address);
    ks_places_forget_stale(environment, exchange->loop);
    enum ks_staged_entry entry =
        ks_staged_enter(environment->staged, &exchange->header.client_id, address,
                        environment->settings.uploads_per_user, environment->settings.uploads, &evicted);
    if (entry == KS_STAGED_ENTERED)
        return true;
    if (entry != KS_STAGED_ENTERED_FOR_ANOTHER) {
        log_refusal(exchange, entry);
        return false;
    }
    evict(exchange, &evicted);
    return true;
}
