/* contact_ids.h — which contact has which id: a table in memory over the files of contacts/, read again when
 * a program has changed one. Part of contacts.h; one thread at a time.
 */
#ifndef KS_CLIENT_CONTACT_IDS_H
#define KS_CLIENT_CONTACT_IDS_H

#include "client/people/contacts.h"

struct ks_known_id {
    struct ks_client_id id;
    char name[KS_TEXT_FIELD_SIZE];
};

/* Brings contacts->ids up to date. Broken files are passed over. KESHER_OK; KESHER_FILE; KESHER_NO_MEMORY. */
enum kesher_status ks_contact_ids_refresh(struct ks_contacts *contacts, struct kesher_error *error);

/* `contact` was saved, `is_new` or not, under the lock: a table that was up to date with the stamp `before`
 * is so again, without being read. */
void ks_contact_ids_note(struct ks_contacts *contacts, const struct ks_contact *contact, bool is_new,
                         uint64_t before);

void ks_contact_ids_free(struct ks_contacts *contacts);

#endif
