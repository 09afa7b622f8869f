/* user_keys.c — the calls about keys of <kesher/messages.h>: other users' public ones, and the symmetric ones
 * that are shared with them. */
#include "base/text.h"
#include "client/failure.h"
#include "client/messenger/messenger_internal.h"
#include "client/outbound/conversation.h"

#include <string.h>

/* ---- public keys ---- */

static enum kesher_status describe(const struct ks_contact *contact, struct kesher_user_key *key,
                                   struct kesher_error *error)
{
    memcpy(key->user.id, contact->id.bytes, sizeof key->user.id);
    memcpy(key->user.name, contact->name, sizeof key->user.name);
    return ks_identity_fingerprint_of(contact->public_key, key->fingerprint, error);
}

enum kesher_status kesher_messenger_key(struct kesher_messenger *messenger, const char *user,
                                        struct kesher_user_key *key, struct kesher_error *error)
{
    struct ks_correspondent correspondent;
    enum kesher_status status =
        ks_correspondent_find(&messenger->session, &messenger->contacts, user, &correspondent, error);
    if (status == KESHER_OK)
        status = ks_correspondent_pin(&correspondent, &key->is_new, error);
    if (status == KESHER_OK)
        status = describe(&correspondent.contact, key, error);
    ks_correspondent_wipe(&correspondent);
    return status;
}

enum kesher_status kesher_messenger_forget(struct kesher_messenger *messenger, const char *user,
                                           struct kesher_error *error)
{
    return ks_contacts_forget(&messenger->contacts, user, error);
}

/* ---- symmetric keys ---- */

enum kesher_status kesher_messenger_request_key(struct kesher_messenger *messenger, const char *user,
                                                struct kesher_error *error)
{
    struct ks_correspondent correspondent;
    enum kesher_status status = ks_client_session_is_classic(&messenger->session, "keys of messages", error);
    if (status != KESHER_OK)
        return status;
    status = ks_correspondent_find(&messenger->session, &messenger->contacts, user, &correspondent, error);
    if (status == KESHER_OK)
        status = ks_conversation_request_key(&correspondent, error);
    ks_correspondent_wipe(&correspondent);
    return status;
}

enum kesher_status kesher_messenger_share_key(struct kesher_messenger *messenger, const char *user,
                                              struct kesher_error *error)
{
    struct ks_correspondent correspondent;
    enum kesher_status status = ks_client_session_is_classic(&messenger->session, "keys of messages", error);
    if (status != KESHER_OK)
        return status;
    status = ks_correspondent_find(&messenger->session, &messenger->contacts, user, &correspondent, error);
    if (status == KESHER_OK)
        status = ks_conversation_share_key(&correspondent, error);
    ks_correspondent_wipe(&correspondent);
    return status;
}

static enum kesher_status accept_key(struct ks_contact *contact, void *context, struct kesher_error *error)
{
    char shown[300];
    (void)context;
    if (ks_key_ring_accept(&contact->ring))
        return KESHER_OK;
    return ks_failure(error, KESHER_NOT_FOUND, "no key of '%s' is there to be accepted",
                      ks_text_escape(contact->name, strlen(contact->name), shown, sizeof shown));
}

enum kesher_status kesher_messenger_accept_key(struct kesher_messenger *messenger, const char *user,
                                               struct kesher_error *error)
{
    return ks_contacts_change(&messenger->contacts, user, accept_key, NULL, error);
}

enum kesher_status kesher_messenger_key_state(struct kesher_messenger *messenger, const char *user,
                                              enum kesher_key_state *state, struct kesher_error *error)
{
    struct ks_contact contact;
    enum kesher_status status = ks_contacts_load(&messenger->contacts, user, &contact, error);
    bool known = status == KESHER_OK;
    if (known || status == KESHER_NOT_FOUND)
        *state = known && contact.ring.has_sending ? KESHER_KEY_IN_USE : KESHER_KEY_NONE;
    ks_contact_wipe(&contact);
    return status == KESHER_NOT_FOUND ? KESHER_OK : status;
}
