/* conversation.h — symmetric keys with another user: what is shared, what was received, and what follows from
 * it. One thread at a time. */
#ifndef KS_CLIENT_CONVERSATION_H
#define KS_CLIENT_CONVERSATION_H

#include "client/people/correspondent.h"

/* Makes a key, sends it under the user's public key, which is pinned on the way, and uses it for sending once
 * the server has it. *correspondent is from ks_correspondent_find; afterwards its contact has the key. Errors
 * as kesher_messenger_share_key. */
enum kesher_status ks_conversation_share_key(struct kesher_messenger *messenger,
                                             struct ks_correspondent *correspondent,
                                             struct kesher_error *error);

/* Makes sure that the user has a key of ours before a text: makes and shares one where there is none, and
 * shares the same one again when the user may have lost it. *correspondent and errors as above. */
enum kesher_status ks_conversation_prepare(struct kesher_messenger *messenger,
                                           struct ks_correspondent *correspondent,
                                           struct kesher_error *error);

/* The user `name` asks for a key (type 1). Whoever is not known, or shares no key with us, is not written
 * down. KESHER_OK; KESHER_INVALID for a broken contact; other errors as ks_contacts_change. */
enum kesher_status ks_conversation_note_request(struct kesher_messenger *messenger, const char *name,
                                                struct kesher_error *error);

/* The user `name` sent this key (type 2), and is the one whose public key is pinned. Errors as
 * ks_contacts_change. */
enum kesher_status ks_conversation_receive_key(struct kesher_messenger *messenger, const char *name,
                                               const struct ks_symmetric_key *key,
                                               struct kesher_error *error);

/* A text or a file of the user `name` under `key` was shown. That it cannot be written down costs no more
 * than the same mark once again. */
void ks_conversation_note_shown(struct kesher_messenger *messenger, const char *name,
                                const struct ks_symmetric_key *key);

#endif
