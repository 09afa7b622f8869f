/* conversation.h — symmetric keys with another user: sharing one. One thread at a time. */
#ifndef KS_CLIENT_CONVERSATION_H
#define KS_CLIENT_CONVERSATION_H

#include "client/peer.h"

/* Makes a key, sends it under the user's public key, which is pinned on the way, and uses it for sending once
 * the server has it. *peer is from ks_peer_find; afterwards its contact has the key. Errors as
 * kesher_messenger_share_key. */
enum kesher_status ks_conversation_share_key(struct kesher_messenger *messenger, struct ks_peer *peer,
                                             struct kesher_error *error);

#endif
