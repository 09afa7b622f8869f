/* conversation.h — symmetric keys with another user: what is shared, what was received, and what follows from
 * it in the contacts. One thread at a time. */
#ifndef KS_CLIENT_OUTBOUND_CONVERSATION_H
#define KS_CLIENT_OUTBOUND_CONVERSATION_H

#include "client/people/correspondent.h"

/* ---- over the server, with a correspondent from ks_correspondent_find ---- */

/* Type 1: asks the user for a key. Errors as kesher_messenger_request_key. */
enum kesher_status ks_conversation_request_key(struct ks_correspondent *correspondent,
                                               struct kesher_error *error);

/* Makes a key, sends it under the user's public key, which is pinned on the way, and uses it for sending once
 * the server has it. Afterwards the correspondent's contact has the key. Errors as
 * kesher_messenger_share_key. */
enum kesher_status ks_conversation_share_key(struct ks_correspondent *correspondent,
                                             struct kesher_error *error);

/* Sends the key for sending, which there is, once more, to a user who may have lost it. Errors as
 * kesher_messenger_share_key. */
enum kesher_status ks_conversation_share_again(struct ks_correspondent *correspondent,
                                               struct kesher_error *error);

/* ---- what has come ---- */

/* The user `name` asks for a key (type 1). Whoever is not known, or shares no key with us, is not written
 * down. KESHER_OK; KESHER_INVALID for a broken contact; other errors as ks_contacts_change. */
enum kesher_status ks_conversation_note_request(struct ks_contacts *contacts, const char *name,
                                                struct kesher_error *error);

/* The user `name` sent this key (type 2), and is the one whose public key is pinned: it decrypts. `as_ours`:
 * it is taken for one of ours and encrypts what is sent, as in the course. Errors as ks_contacts_change. */
enum kesher_status ks_conversation_receive_key(struct ks_contacts *contacts, const char *name,
                                               const struct ks_symmetric_key *key, bool as_ours,
                                               struct kesher_error *error);

/* A text or a file of the user `name` under `key` was shown. That it cannot be written down costs no more
 * than the same mark once again. */
void ks_conversation_note_shown(struct ks_contacts *contacts, const char *name,
                                const struct ks_symmetric_key *key);

#endif
