/* places.c — see places.h. */
#include "service/drop/places.h"

#include "service/core/report.h"
#include "service/core/session.h"
#include "service/core/tally.h"
#include "service/drop/staged.h"

static void discard(struct ks_store *store, struct ks_staged_upload *upload)
{
    ks_content_key_release(upload->key);
    upload->key = NULL;
    ks_store_discard(store, upload->stage, NULL);
}

void ks_places_discard(const struct ks_service_environment *environment, struct ks_staged_upload *upload)
{
    discard(environment->store, upload);
}

void ks_places_forget_user(struct ks_staged *staged, struct ks_store *store, const struct ks_client_id *id)
{
    struct ks_staged_upload upload;
    while (ks_staged_take_of(staged, id, &upload))
        discard(store, &upload);
}

void ks_places_forget_stale(const struct ks_service_environment *environment)
{
    uint64_t now_ms = ks_clock_monotonic_ms(environment->clock);
    uint64_t lifetime_ms = (uint64_t)environment->settings.stage_lifetime * 1000;
    struct ks_staged_upload stale;
    while (ks_staged_take_stale(environment->staged, now_ms, lifetime_ms, environment->settings.uploads,
                                &stale)) {
        ks_report_user(environment, &stale.id, KS_LOG_INFO,
                       "an upload is discarded: it was not confirmed in time (stage-lifetime)");
        ks_places_discard(environment, &stale);
    }
}

unsigned ks_places_taken(const struct ks_service_environment *environment)
{
    ks_places_forget_stale(environment);
    return ks_staged_count(environment->staged);
}

static void refuse(const struct ks_exchange *exchange, enum ks_staged_entry entry)
{
    struct ks_tally_shard *shard = ks_tally_shard_of(exchange->environment->tally, exchange->loop);
    if (entry == KS_STAGED_NO_MEMORY) {
        ks_report(exchange, KS_LOG_WARNING, "an upload is refused: %s", ks_result_text(KS_NO_MEMORY));
    } else if (entry == KS_STAGED_USER_IS_FULL) {
        ks_tally_refused(shard, KS_TALLY_UPLOADS_PER_USER);
        ks_report(exchange, KS_LOG_WARNING,
                  "an upload is refused: there are too many that wait (uploads-per-user)");
    } else {
        ks_tally_refused(shard, KS_TALLY_UPLOADS);
        ks_report(exchange, KS_LOG_WARNING, "an upload is refused: there are too many that wait (uploads)");
    }
}

/* Counts as refused, as it will be when its confirmation comes. */
static void evict(const struct ks_exchange *exchange, struct ks_staged_upload *upload)
{
    const struct ks_service_environment *environment = exchange->environment;
    ks_tally_refused(ks_tally_shard_of(environment->tally, exchange->loop), KS_TALLY_UPLOADS);
    ks_report_user(environment, &upload->id, KS_LOG_WARNING,
                   "an unconfirmed upload is discarded: whoever has most makes room (uploads)");
    ks_places_discard(environment, upload);
}

bool ks_places_enter(const struct ks_exchange *exchange)
{
    const struct ks_service_environment *environment = exchange->environment;
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    struct ks_staged_upload evicted;
    ks_connection_peer_address(ks_session_connection(exchange->session), address);
    ks_places_forget_stale(environment);
    enum ks_staged_entry entry =
        ks_staged_enter(environment->staged, &exchange->header.client_id, address,
                        environment->settings.uploads_per_user, environment->settings.uploads, &evicted);
    if (entry == KS_STAGED_ENTERED)
        return true;
    if (entry != KS_STAGED_ENTERED_FOR_ANOTHER) {
        refuse(exchange, entry);
        return false;
    }
    evict(exchange, &evicted);
    return true;
}
