/* largest_senders.c — see largest_senders.h. */
#include "store/embedded/memory/largest_senders.h"

#include "base/executor.h"
#include "base/limits/ranking.h"
#include "store/embedded/memory/table.h"

#include <stdlib.h>
#include <string.h>

/* What a message counts for, in bytes, where senders are compared: the default limits have so many for each.
 */
enum { MESSAGE_WEIGHT = 4096 };

struct sender {
    UT_hash_handle hh;
    struct ks_client_id id;
    struct ks_largest_senders_share share;
    struct ks_ranked rank; /* the less it has the heavier: the first is to go */
};

struct ks_largest_senders {
    struct sender *senders;
    struct ks_ranking ranking;
};

struct ks_largest_senders *ks_largest_senders_new(void)
{
    return calloc(1, sizeof(struct ks_largest_senders));
}

void ks_largest_senders_free(struct ks_largest_senders *senders)
{
    if (senders == NULL)
        return;
    struct sender *sender = senders->senders;
    struct sender *next = NULL;
    HASH_CLEAR(hh, senders->senders);
    for (; sender != NULL; sender = next) {
        next = sender->hh.next;
        free(sender);
    }
    ks_ranking_free(&senders->ranking);
    free(senders);
}

/* Ids are random, so their first bytes are a hash. */
static unsigned id_hash(const struct ks_client_id *id)
{
    unsigned hash = 0;
    memcpy(&hash, id->bytes, sizeof hash);
    return hash;
}

static struct sender *find(const struct ks_largest_senders *senders, const struct ks_client_id *id)
{
    struct sender *sender = NULL;
    HASH_FIND_BYHASHVALUE(hh, senders->senders, id->bytes, sizeof id->bytes, id_hash(id), sender);
    return sender;
}

static void drop(struct ks_largest_senders *senders, struct sender *sender)
{
    ks_ranking_remove(&senders->ranking, &sender->rank);
    HASH_DELETE(hh, senders->senders, sender);
    free(sender);
}

static struct sender *add(struct ks_largest_senders *senders, const struct ks_client_id *id)
{
    if (senders->ranking.count >= KS_LARGEST_SENDERS_LIMIT)
        drop(senders, KS_CONTAINER_OF(ks_ranking_first(&senders->ranking), struct sender, rank));
    struct sender *sender = calloc(1, sizeof *sender);
    if (sender == NULL)
        return NULL;
    sender->id = *id;
    if (ks_ranking_add(&senders->ranking, &sender->rank) != KS_OK) {
        free(sender);
        return NULL;
    }
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, senders->senders, sender->id.bytes, sizeof sender->id.bytes, id_hash(id),
                                sender);
    if (sender->hh.tbl != NULL)
        return sender;
    ks_ranking_remove(&senders->ranking, &sender->rank);
    free(sender);
    return NULL;
}

static void weigh(struct ks_largest_senders *senders, struct sender *sender)
{
    uint64_t weight = sender->share.messages * MESSAGE_WEIGHT + sender->share.bytes;
    ks_ranking_set_weight(&senders->ranking, &sender->rank, UINT64_MAX - weight);
}

void ks_largest_senders_add(struct ks_largest_senders *senders, const struct ks_client_id *sender,
                            uint64_t content_size)
{
    struct sender *found = find(senders, sender);
    if (found == NULL)
        found = add(senders, sender);
    if (found == NULL)
        return;
    found->share.messages++;
    found->share.bytes += content_size;
    weigh(senders, found);
}

void ks_largest_senders_take(struct ks_largest_senders *senders, const struct ks_client_id *sender,
                             uint64_t content_size)
{
    struct sender *found = find(senders, sender);
    if (found == NULL)
        return;
    if (found->share.messages <= 1 || found->share.bytes < content_size) {
        drop(senders, found);
        return;
    }
    found->share.messages--;
    found->share.bytes -= content_size;
    weigh(senders, found);
}

struct ks_largest_senders_share ks_largest_senders_share_of(const struct ks_largest_senders *senders,
                                                            const struct ks_client_id *sender)
{
    const struct sender *found = find(senders, sender);
    return found != NULL ? found->share : (struct ks_largest_senders_share){0};
}
