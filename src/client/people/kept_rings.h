/* kept_rings.h — symmetric keys in memory only, for homes that do not keep them. One thread at a time. */
#ifndef KS_CLIENT_PEOPLE_KEPT_RINGS_H
#define KS_CLIENT_PEOPLE_KEPT_RINGS_H

#include "client/people/contact.h"

#include <kesher/error.h>

struct ks_kept_ring;

/* Copies the keys with the contact, if there are any, into contact->ring. Keys that were shared under another
 * pinned public key than the contact has now (another program forgot that one) do not count. */
void ks_kept_rings_get(const struct ks_kept_ring *rings, struct ks_contact *contact);

/* Keeps a copy of contact->ring. KESHER_OK or KESHER_NO_MEMORY. */
enum kesher_status ks_kept_rings_put(struct ks_kept_ring **rings, const struct ks_contact *contact,
                                     struct kesher_error *error);

void ks_kept_rings_drop(struct ks_kept_ring **rings, const char *name);
void ks_kept_rings_free(struct ks_kept_ring *rings); /* wipes all of them; NULL is allowed */

#endif
