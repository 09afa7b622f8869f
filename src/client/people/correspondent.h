/* correspondent.h — the other user of a conversation: which id, which public key, and whether it is still the
 * one that was pinned. Asks the server over the session, and writes down in the contacts what it says; both
 * are the caller's and outlive the correspondent. One thread at a time.
 */
#ifndef KS_CLIENT_PEOPLE_CORRESPONDENT_H
#define KS_CLIENT_PEOPLE_CORRESPONDENT_H

#include "client/people/contacts.h"
#include "client/transport/request.h"

struct ks_correspondent {
    struct ks_client_session *session;
    struct ks_contacts *contacts;
    struct ks_contact contact; /* has an id after ks_correspondent_find */
    bool id_was_cached;        /* not from a list of just now: the server may have been reset since */
};

void ks_correspondent_wipe(struct ks_correspondent *correspondent);

/* What is known of `user`; its id from the contact, else from the list (and then remembered). KESHER_OK;
 * KESHER_NOT_FOUND; KESHER_INVALID; other errors as those of <kesher/messages.h> have in common. To be
 * wiped in any case. */
enum kesher_status ks_correspondent_find(struct ks_client_session *session, struct ks_contacts *contacts,
                                         const char *user, struct ks_correspondent *correspondent,
                                         struct kesher_error *error);

/* After the server refused a request about this user: looks the name up again, if its id was a cached one.
 * KESHER_OK, and the contact has another id, which is remembered; else what the server's refusal amounts to:
 * KESHER_REFUSED with `error` as it was, KESHER_NOT_FOUND, KESHER_CHANGED when the new id comes with another
 * public key than the pinned one. */
enum kesher_status ks_correspondent_refresh(struct ks_correspondent *correspondent,
                                            struct kesher_error *error);

/* Asks for the public key of the user and pins it, or compares it with the pinned one. KESHER_OK with the key
 * in the contact, and *is_new (may be NULL); KESHER_CHANGED; else as above. */
enum kesher_status ks_correspondent_pin(struct ks_correspondent *correspondent, bool *is_new,
                                        struct kesher_error *error);

/* ---- about users who are known by their id only ---- */

/* 602. KESHER_OK; errors as ks_request_run; `repeat` as there. */
enum kesher_status ks_correspondent_ask_key(struct ks_client_session *session, const struct ks_client_id *id,
                                            enum ks_request_repeat repeat,
                                            uint8_t public_key[static KS_PUBLIC_KEY_SIZE],
                                            struct kesher_error *error);

/* Writes down that the contact `name` has the id, and the public key unless that is NULL: pinned when nothing
 * was. Symmetric keys that hang on nothing but another id are not used for sending any more. KESHER_OK with
 * *contact, to be wiped in any case, and *is_new (may be NULL) when it was pinned now; KESHER_CHANGED, with
 * both fingerprints and what to do, when another one is pinned; errors as ks_contacts_change. */
enum kesher_status ks_correspondent_adopt(struct ks_contacts *contacts, const char *name,
                                          const struct ks_client_id *id, const uint8_t *public_key,
                                          struct ks_contact *contact, bool *is_new,
                                          struct kesher_error *error);

#endif
