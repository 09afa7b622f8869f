/* digest_askers.h — requests for a SHA-256 that wait, in the order of asking, linked by their tasks: so they
 * need no memory, and each is in one queue. A queue that is all zeros is empty. One thread at a time.
 */
#ifndef KS_STORE_EMBEDDED_READERS_DIGEST_ASKERS_H
#define KS_STORE_EMBEDDED_READERS_DIGEST_ASKERS_H

#include "store/store_files.h"

struct ks_digest_askers {
    struct ks_task *first, *last;
};

static inline struct ks_store_digest_file *ks_digest_asker_of(struct ks_task *task)
{
    return KS_CONTAINER_OF(task, struct ks_store_digest_file, request.task);
}

/* Puts it behind the others. */
void ks_digest_askers_put(struct ks_digest_askers *askers, struct ks_store_digest_file *request);

/* Takes the first one out; NULL for none. */
struct ks_store_digest_file *ks_digest_askers_take(struct ks_digest_askers *askers);

/* The same for the first one that is not this user's or, where all are, the first. */
struct ks_store_digest_file *ks_digest_askers_take_fairly(struct ks_digest_askers *askers,
                                                          const struct ks_client_id *last_served);

/* How many are this user's. */
size_t ks_digest_askers_count(const struct ks_digest_askers *askers, const struct ks_client_id *id);

#endif
