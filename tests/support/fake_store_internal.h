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

/* The same for what ends a file: posts the answer with later_ends, too. */
void fake_store_complete_end(struct ks_store *store, struct ks_store_request *request, enum ks_result result);

/* The failure that a test has ordered, once; KS_OK for none. */
enum ks_result fake_store_take_failure(struct ks_store *store);

/* NULL when there is nobody of that id. */
struct fake_user *fake_store_find(struct ks_store *store, const struct ks_client_id *id);

/* The same for exactly this name. */
struct fake_user *fake_store_find_name(struct ks_store *store, const char *name);

int64_t fake_store_wall_seconds(const struct fake_store *store);

/* An id that nobody ever had. */
struct ks_client_id fake_store_next_id(struct fake_store *store);

/* True when there are as many users as there may be. */
bool fake_store_is_full(const struct fake_store *fake);

/* Adds a user of this name, without keys. KS_OK with *user; KS_EXISTS when the name is taken; KS_TOO_LARGE.
 */
enum ks_result fake_store_add(struct fake_store *fake, const char *name, struct fake_user **user);

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
    /* Of a put. */
    uint8_t put_id[KS_PUT_ID_SIZE];
    uint64_t size;
    bool replace;
    struct fake_file *kept; /* it is this file, which was kept already; NULL: it is written */
};

void fake_store_stage_open(struct ks_store *store, struct ks_store_stage_open *request);
void fake_store_stage_write(struct ks_store *store, struct ks_store_stage_write *request);
void fake_store_confirm(struct ks_store *store, struct ks_store_confirm *request);
void fake_store_discard(struct ks_store *store, struct ks_stage *stage, struct ks_store_request *request);

void fake_store_stage_free(struct ks_store *store, struct ks_stage *stage);

/* A new one, which counts as open. NULL when out of memory. */
struct ks_stage *fake_store_stage_new(struct fake_store *store, enum ks_stage_purpose purpose,
                                      const struct ks_client_id *id, const char *name);

/* Takes it out of its list, and puts it first in another one. */
void fake_store_stage_move(struct ks_stage **list, struct ks_stage *stage);

/* The limit that the user's files would pass with this one of so many bytes. */
enum ks_store_limit fake_store_passed_limit(struct fake_store *store, const struct fake_file *file,
                                            uint64_t size);

/* Makes the content of the stage the user's file. KS_OK; KS_NO_SPACE. */
enum ks_result fake_store_put_in_place(struct fake_store *store, struct ks_stage *stage,
                                       const struct ks_store_confirm *request);

/* Ends all stages: as a restart sweeps what nobody confirmed, and finds what was put. */
void fake_store_sweep(struct fake_store *store);

/* The user's files are gone, and its stages fail. */
void fake_store_expel(struct fake_store *store, const struct ks_client_id *id);

/* What the user has. */
void fake_store_sum_files(const struct fake_store *store, const struct ks_client_id *id, uint64_t *files,
                          uint64_t *bytes);

/* Whether what has come of a put stays when it ended with this. */
bool fake_store_stays_after(enum ks_result result);

/* ---- fake_store_own_files.c ---- */

void fake_store_put_open(struct ks_store *store, struct ks_store_put_open *request);
void fake_store_put_park(struct ks_store *store, struct ks_stage *stage);
void fake_store_list_files(struct ks_store *store, struct ks_store_list_files *request);
void fake_store_file_open(struct ks_store *store, struct ks_store_file_open *request);
void fake_store_file_read(struct ks_store *store, struct ks_store_file_read *request);
void fake_store_file_close(struct ks_store *store, struct ks_stored_file *file);
void fake_store_remove_file(struct ks_store *store, struct ks_store_remove_file *request);
void fake_store_digest_file(struct ks_store *store, struct ks_store_digest_file *request);

/* What a chunk of a put comes to, and its confirmation, of which the stage may be parked by. */
enum ks_result fake_store_put_write(struct ks_stage *stage, const struct ks_store_stage_write *request);
enum ks_result fake_store_put_confirm(struct fake_store *store, struct ks_store_confirm *request);

/* Frees what is parked for the user; for everybody with NULL. */
void fake_store_forget_parked(struct fake_store *store, const struct ks_client_id *id);

/* What of the user is coming, or broke off. */
void fake_store_sum_puts(const struct fake_store *store, const struct ks_client_id *id, uint64_t *puts,
                         uint64_t *bytes);

/* ---- fake_store_accounts.c ---- */

enum ks_result fake_store_classic_id(struct ks_store *store, const struct ks_client_id *shown,
                                     struct ks_client_id *id);
void fake_store_sign_in(struct ks_store *store, struct ks_store_sign_in *request);
void fake_store_register_account(struct ks_store *store, struct ks_store_register_account *request);
void fake_store_adopt(struct ks_store *store, struct ks_store_adopt *request);
void fake_store_set_classic(struct ks_store *store, struct ks_store_set_classic *request);
void fake_store_invite(struct ks_store *store, struct ks_store_invite *request);
void fake_store_name_holder(struct ks_store *store, struct ks_store_name_holder *request);

/* Whether a name with this skeleton ("": its own in lower case) is an account's, or was one's, or, unless
 * `accounts_only`, is anybody's. */
bool fake_store_is_like(const struct fake_store *fake, const char *name, const char *given,
                        bool accounts_only);

/* The user is about to be removed: the name of an account is kept. */
void fake_store_retire(struct fake_store *fake, struct fake_user *user);

/* Frees what belongs to names. */
void fake_store_forget_names(struct fake_store *fake);

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
