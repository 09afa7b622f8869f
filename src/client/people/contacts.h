/* contacts.h — the contacts of a home: one file each in contacts/, and who has which id.
 *
 * Several programs may share the home: every change is made to what is on disk at that moment, under a lock.
 * Without `keep_keys` the symmetric keys live in memory only, and those on disk are left as they are. One
 * thread at a time.
 */
#ifndef KS_CLIENT_PEOPLE_CONTACTS_H
#define KS_CLIENT_PEOPLE_CONTACTS_H

#include "client/home/home_lock.h"
#include "client/people/contact.h"
#include "client/people/contact_ids.h"

/* Strangers can make contacts by sending keys: at this many, no more are made. */
enum { KS_CONTACTS_LIMIT = 65536 };

struct ks_kept_ring;

struct ks_contacts {
    struct kesher_home *directory; /* contacts/ */
    struct ks_home_lock lock;      /* its file holds a count of changes */
    bool keep_keys;
    struct ks_kept_ring *rings; /* without keep_keys */
    struct ks_contact_ids ids;
    uint64_t memory_changes;
};

/* KESHER_OK, and ks_contacts_close is due; KESHER_FILE; KESHER_NO_MEMORY. */
enum kesher_status ks_contacts_open(struct ks_contacts *contacts, const struct kesher_home *home,
                                    bool keep_keys, struct kesher_error *error);
void ks_contacts_close(struct ks_contacts *contacts); /* wipes; a zeroed one is allowed */

/* The contact `name`, to be wiped in any case. KESHER_OK; KESHER_NOT_FOUND, and *contact has only the name;
 * KESHER_INVALID for a name that is none, or a file that is broken; KESHER_FILE; KESHER_NO_MEMORY. */
enum kesher_status ks_contacts_load(const struct ks_contacts *contacts, const char *name,
                                    struct ks_contact *contact, struct kesher_error *error);

/* Loads the contact under the lock (one that does not exist has only its name), lets `change` work on it, and
 * saves it durably if that returned KESHER_OK. Errors as ks_contacts_load and of `change`; KESHER_TIMEOUT
 * when another program holds the lock too long. */
enum kesher_status ks_contacts_change(struct ks_contacts *contacts, const char *name,
                                      enum kesher_status (*change)(struct ks_contact *contact, void *context,
                                                                   struct kesher_error *error),
                                      void *context, struct kesher_error *error);

/* Removes all that is known of `name`. KESHER_NOT_FOUND when nothing is; else as ks_contacts_change. */
enum kesher_status ks_contacts_forget(struct ks_contacts *contacts, const char *name,
                                      struct kesher_error *error);

/* The name of the contact that has the id. KESHER_OK; KESHER_NOT_FOUND; KESHER_FILE; KESHER_NO_MEMORY. */
enum kesher_status ks_contacts_name_of(struct ks_contacts *contacts, const struct ks_client_id *id,
                                       char name[static KS_TEXT_FIELD_SIZE], struct kesher_error *error);

/* A number that is another one after every change, of whatever program. */
uint64_t ks_contacts_stamp(const struct ks_contacts *contacts);

#endif
