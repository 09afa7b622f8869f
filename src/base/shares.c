/* shares.c — see shares.h. */
#include "base/shares.h"

#include <stdlib.h>

#if defined(__GNUC__) && !defined(__clang__)
/* gcc's analyser does not see that what HASH_ADD added belongs to the table. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* A table that cannot grow tells so: hh.tbl is NULL then. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct share_key {
    uint8_t kind;
    uint8_t bytes[KS_SHARE_KEY_SIZE];
};

struct ks_share {
    struct share_key key;
    unsigned references;
    size_t limit;
    size_t held;
    struct ks_line line;
    UT_hash_handle hh;
};

struct ks_share *ks_shares_get(struct ks_share **shares, enum ks_share_kind kind,
                               const uint8_t key[static KS_SHARE_KEY_SIZE], size_t limit)
{
    struct share_key wanted = {.kind = (uint8_t)kind};
    struct ks_share *share = NULL;
    memcpy(wanted.bytes, key, KS_SHARE_KEY_SIZE);
    HASH_FIND(hh, *shares, &wanted, sizeof wanted, share);
    if (share != NULL) {
        share->references++;
        return share;
    }
    share = calloc(1, sizeof *share);
    if (share == NULL)
        return NULL;
    share->key = wanted;
    share->references = 1;
    share->limit = limit;
    HASH_ADD(hh, *shares, key, sizeof share->key, share);
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
    return (enum ks_share_kind)share->key.kind;
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
