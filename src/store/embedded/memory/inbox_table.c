/* inbox_table.c — the table of the inboxes there are, one uthash, and the sums of each and of all: what
 * inboxes.c and leases.c both stand on. See inboxes_internal.h. */
#include "store/embedded/memory/id_hash.h"
#include "store/embedded/memory/inboxes_internal.h"
#include "store/embedded/memory/largest_senders.h"

#include <stdlib.h>

struct ks_inbox *ks_inbox_find(struct ks_inboxes *inboxes, const struct ks_client_id *id)
{
    struct ks_inbox *inbox = NULL;
    HASH_FIND_BYHASHVALUE(hh, inboxes->inboxes, id->bytes, sizeof id->bytes, ks_id_hash(id), inbox);
    return inbox;
}

struct ks_inbox *ks_inbox_get(struct ks_inboxes *inboxes, const struct ks_client_id *id)
{
    struct ks_inbox *inbox = ks_inbox_find(inboxes, id);
    if (inbox != NULL)
        return inbox;
    inbox = calloc(1, sizeof *inbox);
    if (inbox == NULL)
        return NULL;
    inbox->id = *id;
    inbox->era = ++inboxes->eras;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, inboxes->inboxes, inbox->id.bytes, sizeof inbox->id.bytes, ks_id_hash(id),
                                inbox);
    if (inbox->hh.tbl != NULL)
        return inbox;
    free(inbox);
    return NULL;
}

void ks_inbox_change_sums(struct ks_inboxes *inboxes, struct ks_inbox *inbox, uint64_t count, uint64_t bytes)
{
    inboxes->count += count - inbox->count; /* wraps round when it is less, and so does the sum */
    inboxes->bytes += bytes - inbox->bytes;
    inbox->count = count;
    inbox->bytes = bytes;
}

void ks_inbox_set_waiting(struct ks_inboxes *inboxes, struct ks_inbox *inbox, uint64_t count, uint64_t bytes)
{
    ks_inbox_change_sums(inboxes, inbox, count, bytes);
    ks_largest_senders_free(inbox->senders);
    inbox->senders = NULL;
    inbox->era = ++inboxes->eras;
}

void ks_inbox_put(struct ks_inboxes *inboxes, struct ks_inbox *inbox)
{
    if (inbox->count > 0 || inbox->expected > 0 || inbox->removals > 0 || inbox->undeleted ||
        inbox->settling != NULL)
        return;
    ks_largest_senders_free(inbox->senders);
    HASH_DELETE(hh, inboxes->inboxes, inbox);
    free(inbox);
}
