/* shares.c — see shares.h. */
#include "base/limits/shares.h"

#include <stdlib.h>

#if defined(__GNUC__) && !defined(__clang__)
/* gcc's analyser does not see that what HASH_ADD added belongs to the table. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* A table that cannot grow tells so: hh.tbl is NULL then. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

enum { KIND_AND_KEY_SIZE = 1 + KS_SHARE_KEY_SIZE };

struct ks_share {
    uint8_t key[KIND_AND_KEY_SIZE]; /* the kind before the key */
    unsigned references;
    size_t limit;
    size_t held;
    struct ks_line line;
    UT_hash_handle hh;
};

struct ks_share *ks_shares_get(struct ks_share **shares, enum ks_share_kind kind,
                               const uint8_t key[static KS_SHARE_KEY_SIZE], size_t limit)
{
    uint8_t wanted[KIND_AND_KEY_SIZE] = {(uint8_t)kind};
    struct ks_share *share = NULL;
    memcpy(wanted + 1, key, KS_SHARE_KEY_SIZE);
    HASH_FIND(hh, *shares, wanted, KIND_AND_KEY_SIZE, share);
    if (share != NULL) {
        share->references++;
        return share;
    }
    share = calloc(1, sizeof *share);
    if (share == NULL)
        return NULL;
    memcpy(share->key, wanted, KIND_AND_KEY_SIZE);
    share->references = 1;
    share->limit = limit;
    HASH_ADD(hh, *shares, key, KIND_AND_KEY_SIZE, share);
    if (share->hh.tbl != NULL)
        return share;
    free(share);
    return NULL;
}

void ks_shares_release(struct ks_share **shares, struct ks_share *share)
{
    if (--share->references > 0)
        return;
    HASH_DELETE(hh, *shares, share);
    free(share);
}

enum ks_share_kind ks_share_kind_of(const struct ks_share *share)
{
    return (enum ks_share_kind)share->key[0];
}

bool ks_share_has_room(const struct ks_share *share, size_t size)
{
    return share->held == 0 || (size <= share->limit && share->held <= share->limit - size);
}

void ks_share_take(struct ks_share *share, size_t size)
{
    share->held += size;
}

void ks_share_give(struct ks_share *share, size_t size)
{
    share->held -= size;
}

struct ks_line *ks_share_line(struct ks_share *share)
{
    return &share->line;
}

const struct ks_share *ks_share_of_line(const struct ks_budget *budget, const struct ks_line *line)
{
    return line == &budget->line ? NULL : KS_CONTAINER_OF(line, struct ks_share, line);
}
