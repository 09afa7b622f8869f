/* kept_rings.c — see kept_rings.h. */
#include "client/people/kept_rings.h"

#include "client/failure.h"
#include "crypto/secret.h"

#include <stdlib.h>
#include <string.h>

struct ks_kept_ring {
    struct ks_kept_ring *next;
    struct ks_contact contact; /* as it was when the ring was put here */
};

static void free_one(struct ks_kept_ring *kept)
{
    ks_secret_wipe(kept, sizeof *kept);
    free(kept);
}

/* The link that points to the ring with `name`, or to NULL. */
static struct ks_kept_ring **find(struct ks_kept_ring **rings, const char *name)
{
    while (*rings != NULL && strcmp((*rings)->contact.name, name) != 0)
        rings = &(*rings)->next;
    return rings;
}

void ks_kept_rings_get(const struct ks_kept_ring *rings, struct ks_contact *contact)
{
    while (rings != NULL && strcmp(rings->contact.name, contact->name) != 0)
        rings = rings->next;
    if (rings == NULL)
        return;
    if (!rings->contact.has_public_key || ks_contact_has_pinned(contact, rings->contact.public_key))
        contact->ring = rings->contact.ring;
}

enum kesher_status ks_kept_rings_put(struct ks_kept_ring **rings, const struct ks_contact *contact,
                                     struct kesher_error *error)
{
    struct ks_kept_ring *kept = *find(rings, contact->name);
    if (kept == NULL) {
        kept = malloc(sizeof *kept);
        if (kept == NULL)
            return ks_failure_no_memory(error);
        kept->next = *rings;
        *rings = kept;
    }
    kept->contact = *contact;
    return KESHER_OK;
}

void ks_kept_rings_drop(struct ks_kept_ring **rings, const char *name)
{
    struct ks_kept_ring **link = find(rings, name);
    struct ks_kept_ring *dropped = *link;
    if (dropped == NULL)
        return;
    *link = dropped->next;
    free_one(dropped);
}

void ks_kept_rings_free(struct ks_kept_ring *rings)
{
    while (rings != NULL) {
        struct ks_kept_ring *next = rings->next;
        free_one(rings);
        rings = next;
    }
}
