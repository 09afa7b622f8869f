/* staged.h — uploads that are complete and wait for their 1029, 1030 or 1031, found by user and kept name
 * (protocol.md §1.2).
 *
 * One registry per server; any thread. A stage is in exactly one place: on its way in an upload, here, or
 * taken. The registry also counts, by user, what is on its way or here: each takes a *place*, of which there
 * are so many.
 *
 * Shares. When all places are taken, whoever has most makes room: of the network with most uploads here the
 * user with most, of these the oldest. What is on its way makes no room, so only then, when there is nothing
 * else, is a newcomer turned away. A user's uploads count to the network that the first of them came from:
 * the widest one around its address (ks_networks_levels), or a /48 would be as many as it has /64s.
 */
#ifndef KS_SERVICE_DROP_STAGED_H
#define KS_SERVICE_DROP_STAGED_H

#include "base/limits/networks.h"
#include "store/store.h"

struct ks_staged;

struct ks_staged_upload {
    struct ks_client_id id;
    const char *name; /* the kept name; only read by ks_staged_put */
    size_t name_size;
    uint64_t owner;  /* whose upload it is: the session's number, never 0 */
    uint64_t number; /* of the upload (ks_staged_number): its owner's ascend as their requests came */
    struct ks_stage *stage;
    struct ks_content_key *key; /* a reference that goes along */
    bool rightly_padded;
    bool has_files; /* the user had some verified when the upload began */
    uint32_t content_size;
    uint64_t completed_ms; /* monotonic */
    uint32_t cksum;        /* as the 2103 tells */
};

/* KS_OK with *staged for ks_staged_free; KS_NO_MEMORY. */
enum ks_result ks_staged_new(struct ks_staged **staged);

/* Frees the registry and its key references; the stages are the store's to sweep. NULL is allowed. */
void ks_staged_free(struct ks_staged *staged);

enum ks_staged_entry {
    KS_STAGED_ENTERED,
    KS_STAGED_ENTERED_FOR_ANOTHER, /* all places were taken: another upload went for it */
    KS_STAGED_USER_IS_FULL,        /* the user has `per_user` already */
    KS_STAGED_IS_FULL,             /* all together have `all`, and none of them is here */
    KS_STAGED_NO_MEMORY,
};

/* Counts an upload of `id` that begins, from `address`. The count goes with the upload: put takes it over,
 * taking it out ends it. With KS_STAGED_ENTERED_FOR_ANOTHER, *evicted is the caller's to discard. */
enum ks_staged_entry ks_staged_enter(struct ks_staged *staged, const struct ks_client_id *id,
                                     const uint8_t address[static KS_NETWORK_ADDRESS_SIZE], unsigned per_user,
                                     unsigned all, struct ks_staged_upload *evicted);

/* How many are counted, of all users. Any thread. */
unsigned ks_staged_count(struct ks_staged *staged);

/* The number of an upload that begins. Any thread. */
uint64_t ks_staged_number(struct ks_staged *staged);

/* An upload that was counted ended without ks_staged_put. */
void ks_staged_leave(struct ks_staged *staged, const struct ks_client_id *id);

/* Adds an upload that was counted as the one last completed, for its owner and anywhere. Where the owner has
 * one of that name already (*has_replaced), *replaced receives the earlier of the two, which may be this one:
 * one with a wrong padding is staged late. It is obsolete and has to be discarded by the caller. KS_OK,
 * KS_NO_MEMORY (nothing was added). */
enum ks_result ks_staged_put(struct ks_staged *staged, const struct ks_staged_upload *upload,
                             struct ks_staged_upload *replaced, bool *has_replaced);

/* Takes the upload of that name which `owner` completed last, else the one that was completed last anywhere,
 * out of the registry. False when there is none. upload->name is NULL. */
bool ks_staged_take(struct ks_staged *staged, const struct ks_client_id *id, const char *name,
                    size_t name_size, uint64_t owner, struct ks_staged_upload *upload);

/* The user has confirmed a file: none of its uploads is discarded for want of that. */
void ks_staged_confirmed(struct ks_staged *staged, const struct ks_client_id *id);

enum { KS_STAGED_UNPROVEN_MS = 5 * 60 * 1000 };

/* Takes out the next upload that has waited for more than `lifetime_ms`; or, while more than half of `all`
 * places are taken, for more than KS_STAGED_UNPROVEN_MS, and its user never confirmed anything. False when
 * there is none. */
bool ks_staged_take_stale(struct ks_staged *staged, uint64_t now_ms, uint64_t lifetime_ms, unsigned all,
                          struct ks_staged_upload *upload);

/* Takes out an upload of this user. False when there is none. */
bool ks_staged_take_of(struct ks_staged *staged, const struct ks_client_id *id,
                       struct ks_staged_upload *upload);

#endif
