/* fake_store_internal.h — what the files of the store in memory (fake_store.h) share. */
#ifndef KS_TESTS_SUPPORT_FAKE_STORE_INTERNAL_H
#define KS_TESTS_SUPPORT_FAKE_STORE_INTERNAL_H

#include "support/fake_store.h"

#include <string.h>

static inline struct fake_store *fake_store_of(struct ks_store *store)
{
    return KS_CONTAINER_OF(store, struct fake_store, store);
}

static inline bool fake_store_same(const struct ks_client_id *one, const struct ks_client_id *other)
{
    return memcmp(one, other, sizeof *one) == 0;
}

static inline uint64_t fake_store_now_ms(const struct fake_store *store)
{
    return store->clock != NULL ? ks_clock_monotonic_ms(store->clock) : 0;
}

static inline bool fake_store_passes(uint64_t limit, uint64_t sum)
{
    return limit != 0 && sum > limit;
}

/* Answers inside the call, or posts the answer. */
void fake_store_complete(struct ks_store *store, struct ks_store_request *request, enum ks_result result);

/* The failure that a test has ordered, once; KS_OK for none. */
enum ks_result fake_store_take_failure(struct ks_store *store);

/* NULL when there is nobody of that id. */
struct fake_user *fake_store_find(struct ks_store *store, const struct ks_client_id *id);

/* True when more is to stay free than there is. */
bool fake_store_is_short(const struct fake_store *store);

/* ---- fake_store_files.c ---- */

struct ks_stage {
    struct ks_stage *next;
    struct ks_stage **link;
    enum ks_stage_purpose purpose;
    struct fake_file file;
    struct ks_stage_transform transform;
    bool complete;
    enum ks_result failure;
};

void fake_store_stage_open(struct ks_store *store, struct ks_store_stage_open *request);
void fake_store_stage_write(struct ks_store *store, struct ks_store_stage_write *request);
void fake_store_confirm(struct ks_store *store, struct ks_store_confirm *request);
void fake_store_discard(struct ks_store *store, struct ks_stage *stage, struct ks_store_request *request);

void fake_store_stage_free(struct ks_store *store, struct ks_stage *stage);

/* Frees all stages: as a restart sweeps what nobody confirmed. */
void fake_store_sweep(struct fake_store *store);

/* The user's files are gone, and its stages fail. */
void fake_store_expel(struct fake_store *store, const struct ks_client_id *id);

/* What the user has. */
void fake_store_sum_files(const struct fake_store *store, const struct ks_client_id *id, uint64_t *files,
                          uint64_t *bytes);

/* ---- fake_store_messages.c ---- */

void fake_store_append_message(struct ks_store *store, struct ks_store_append_message *request);
void fake_store_lease_waiting(struct ks_store *store, struct ks_store_lease_waiting *request);
void fake_store_lease_read(struct ks_store *store, struct ks_store_lease_read *request);
enum ks_result fake_store_lease_settle(struct ks_store *store, const struct ks_client_id *receiver,
                                       uint64_t owner, uint64_t last, bool *joins);
void fake_store_lease_delivered(struct ks_store *store, struct ks_store_lease_delivered *request);
void fake_store_lease_renew(struct ks_store *store, const struct ks_client_id *receiver, uint64_t owner);
void fake_store_lease_release(struct ks_store *store, const struct ks_client_id *receiver, uint64_t owner);

/* All leases end, as with the server. */
void fake_store_end_leases(struct fake_store *store);

/* Frees what waits for the receiver; of everybody for NULL. */
void fake_store_empty_inbox(struct fake_store *store, const struct ks_client_id *receiver);

/* What waits for the receiver and does not settle. */
void fake_store_sum_messages(const struct fake_store *store, const struct ks_client_id *receiver,
                             uint64_t *messages, uint64_t *bytes);

#endif
