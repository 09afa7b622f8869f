/* contact_ids.h — which contact has which id: a table in memory over the files of a directory of contacts,
 * read again when a program has changed one. Belongs to the contacts, who know when that is; one thread at a
 * time.
 */
#ifndef KS_CLIENT_PEOPLE_CONTACT_IDS_H
#define KS_CLIENT_PEOPLE_CONTACT_IDS_H

#include "client/home/home_files.h"
#include "client/people/contact.h"

struct ks_known_id {
    struct ks_client_id id;
    char name[KS_TEXT_FIELD_SIZE];
};

/* All zero is a table that was not read yet. */
struct ks_contact_ids {
    struct ks_known_id *ids; /* in their order */
    size_t count;
    size_t capacity;
    size_t files;   /* of contacts, also of those without an id */
    uint64_t stamp; /* of the contacts that it was read from: a number that is another after every change */
    bool loaded;
};

/* Brings the table up to date with the files, whose stamp is `stamp` now. Broken files are passed over.
 * KESHER_OK; KESHER_FILE; KESHER_NO_MEMORY, and the table stays what it was. */
enum kesher_status ks_contact_ids_refresh(struct ks_contact_ids *table, const struct kesher_home *directory,
                                          uint64_t stamp, struct kesher_error *error);

/* `contact` was saved, `is_new` or not, under the contacts' lock: a table that was up to date with the stamp
 * `before` is so with `after`, without being read. */
void ks_contact_ids_note(struct ks_contact_ids *table, const struct ks_contact *contact, bool is_new,
                         uint64_t before, uint64_t after);

/* The name of the contact that has the id, until the next call of another function; NULL when none has it. */
const char *ks_contact_ids_name_of(const struct ks_contact_ids *table, const struct ks_client_id *id);

void ks_contact_ids_free(struct ks_contact_ids *table); /* and it was not read yet */

#endif
