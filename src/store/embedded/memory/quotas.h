/* quotas.h — how many verified files each user has, and of how many bytes, in RAM; and whether there is room
 * for another. What counts is what lies in files/: a file counts from the moment when it is put there.
 *
 * There is an entry only for who has files: about 110 bytes. Guarded by a lock of its own; asks no disk. Any
 * thread may call, but changes of one user come from one thread at a time (the vault's confirm thread).
 */
#ifndef KS_STORE_EMBEDDED_MEMORY_QUOTAS_H
#define KS_STORE_EMBEDDED_MEMORY_QUOTAS_H

#include "base/result.h"
#include "store/limits.h"
#include "wire/frame.h"

#include <stdbool.h>

struct ks_quotas;

/* What a file changes. */
struct ks_quota_change {
    bool replaces;   /* a file of `before` bytes goes for it */
    uint64_t before; /* 0 when it replaces none */
    uint64_t after;  /* its own bytes */
};

/* NULL when out of memory. `limits` outlive them. */
struct ks_quotas *ks_quotas_new(const struct ks_store_limits *limits);
void ks_quotas_free(struct ks_quotas *quotas); /* NULL is allowed */

/* KS_OK; KS_REFUSED with *limit (NULL is allowed) when the change would pass that one. What makes nothing
 * more never does. */
enum ks_result ks_quotas_judge(struct ks_quotas *quotas, const struct ks_client_id *id,
                               const struct ks_quota_change *change, enum ks_store_limit *limit);

/* The same, and with KS_OK the change counts. KS_NO_MEMORY. */
enum ks_result ks_quotas_take(struct ks_quotas *quotas, const struct ks_client_id *id,
                              const struct ks_quota_change *change, enum ks_store_limit *limit);

/* The change was not made after all. */
void ks_quotas_give_back(struct ks_quotas *quotas, const struct ks_client_id *id,
                         const struct ks_quota_change *change);

/* A file that was there before the start, whatever the limits. KS_OK, KS_NO_MEMORY. */
enum ks_result ks_quotas_load(struct ks_quotas *quotas, const struct ks_client_id *id, uint64_t size);

/* The user is no more. */
void ks_quotas_forget(struct ks_quotas *quotas, const struct ks_client_id *id);

/* What a user has. */
void ks_quotas_sums(struct ks_quotas *quotas, const struct ks_client_id *id, uint64_t *files,
                    uint64_t *bytes);

/* How many users have files. */
size_t ks_quotas_users(struct ks_quotas *quotas);

/* What all of them have. */
void ks_quotas_all(struct ks_quotas *quotas, uint64_t *files, uint64_t *bytes);

#endif
