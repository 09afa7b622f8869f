/* correspondent.c — see correspondent.h. */
#include "client/people/correspondent.h"

#include "base/text.h"
#include "client/failure.h"
#include "client/people/user_list.h"
#include "crypto/rsa.h"
#include "crypto/secret.h"
#include "wire/messages_codec.h"

#include <string.h>

void ks_correspondent_wipe(struct ks_correspondent *correspondent)
{
    ks_secret_wipe(correspondent, sizeof *correspondent);
}

static bool is_same_id(const struct ks_client_id *left, const struct ks_client_id *right)
{
    return memcmp(left->bytes, right->bytes, sizeof left->bytes) == 0;
}

/* KESHER_OK when nothing else is pinned for the contact than `public_key`, else KESHER_CHANGED. */
static enum kesher_status check_pin(const struct ks_contact *contact,
                                    const uint8_t public_key[static KS_PUBLIC_KEY_SIZE],
                                    struct kesher_error *error)
{
    char shown[200];
    char pinned[KESHER_FINGERPRINT_SIZE];
    char offered[KESHER_FINGERPRINT_SIZE];
    if (!contact->has_public_key || ks_contact_has_pinned(contact, public_key))
        return KESHER_OK;
    enum kesher_status status = ks_identity_fingerprint_of(contact->public_key, pinned, error);
    if (status == KESHER_OK)
        status = ks_identity_fingerprint_of(public_key, offered, error);
    if (status != KESHER_OK)
        return status;
    return ks_failure(
        error, KESHER_CHANGED,
        "the public key of '%s' has CHANGED: the server now gives %s, the pinned one is %s; this "
        "may be an attack: ask the user in another way, and only if the key is really new, "
        "forget the old one (kesher key USER --forget)",
        ks_text_escape(contact->name, strlen(contact->name), shown, sizeof shown), offered, pinned);
}

/* ---- what is written down ---- */

struct correspondent_adoption {
    const struct ks_client_id *id;
    const uint8_t *public_key; /* NULL when it is not known */
    struct ks_contact *result;
    bool is_new;
};

static enum kesher_status adopt(struct ks_contact *contact, void *context, struct kesher_error *error)
{
    struct correspondent_adoption *adoption = context;
    bool moves = contact->has_id && !is_same_id(&contact->id, adoption->id);
    if (adoption->public_key != NULL) {
        enum kesher_status status = check_pin(contact, adoption->public_key, error);
        if (status != KESHER_OK)
            return status;
    } else if (moves && contact->has_public_key) {
        return ks_failure(error, KESHER_CHANGED,
                          "another program has just pinned the public key of this user; try again");
    }
    /* The same user, known anew, at a server that has lost its data: a key that waited there is lost as well.
     */
    if (moves && contact->has_public_key)
        (void)ks_key_ring_ask(&contact->ring);
    if (moves && !contact->has_public_key)
        ks_key_ring_retire(
            &contact->ring); /* whoever has the name now need not be whom they are shared with */
    contact->id = *adoption->id;
    contact->has_id = true;
    adoption->is_new = adoption->public_key != NULL && !contact->has_public_key;
    if (adoption->is_new) {
        memcpy(contact->public_key, adoption->public_key, KS_PUBLIC_KEY_SIZE);
        contact->has_public_key = true;
    }
    *adoption->result = *contact;
    return KESHER_OK;
}

enum kesher_status ks_correspondent_adopt(struct ks_contacts *contacts, const char *name,
                                          const struct ks_client_id *id, const uint8_t *public_key,
                                          struct ks_contact *contact, bool *is_new,
                                          struct kesher_error *error)
{
    struct correspondent_adoption adoption = {.id = id, .public_key = public_key, .result = contact};
    enum kesher_status status = ks_contacts_change(contacts, name, adopt, &adoption, error);
    if (is_new != NULL)
        *is_new = adoption.is_new;
    return status;
}

/* ---- 602 ---- */

static enum kesher_status take_key(struct ks_client_session *session, const struct ks_client_id *id,
                                   const struct ks_answer *answer,
                                   uint8_t public_key[static KS_PUBLIC_KEY_SIZE], struct kesher_error *error)
{
    struct ks_user_key_answer parsed;
    struct ks_public_key *key = NULL;
    if (answer->payload_size > sizeof answer->payload ||
        ks_user_key_answer_parse(answer->payload, answer->payload_size, &parsed) != KS_OK ||
        !is_same_id(&parsed.target, id))
        return ks_channel_fail_protocol(session->channel, error, "the public key of somebody else, or none");
    enum ks_result result = ks_public_key_parse(parsed.public_key, &key);
    ks_public_key_free(key);
    if (result == KS_NO_MEMORY || result == KS_CRYPTO)
        return ks_failure_from_result(error, result, "cannot read a public key");
    if (result != KS_OK)
        return ks_channel_fail_protocol(session->channel, error, "a public key that is none");
    memcpy(public_key, parsed.public_key, KS_PUBLIC_KEY_SIZE);
    ks_client_session_is_known(session);
    return KESHER_OK;
}

enum kesher_status ks_correspondent_ask_key(struct ks_client_session *session, const struct ks_client_id *id,
                                            enum ks_request_repeat repeat,
                                            uint8_t public_key[static KS_PUBLIC_KEY_SIZE],
                                            struct kesher_error *error)
{
    const struct ks_small_request request = {.repeat = repeat,
                                             .code = KS_REQUEST_USER_KEY,
                                             .payload = id->bytes,
                                             .payload_size = KS_TARGET_PAYLOAD_SIZE,
                                             .doing = "tell the user's public key",
                                             .expected = KS_RESPONSE_USER_KEY};
    struct ks_answer answer;
    enum kesher_status status = ks_request_ask(session, &request, &answer, error);
    if (status == KESHER_OK)
        status = take_key(session, id, &answer, public_key, error);
    if (status == KESHER_PROTOCOL)
        ks_client_session_disconnect(session);
    return status;
}

/* ---- finding ---- */

/* A server lists the others only: nobody knows what it calls oneself. */
static enum kesher_status fail_oneself(const char *user, struct kesher_error *error)
{
    char shown[300];
    return ks_failure(
        error, KESHER_NOT_FOUND,
        "'%s' is this home's own name, and messages and keys go to others; name one of those in "
        "the list of users",
        ks_text_escape(user, strlen(user), shown, sizeof shown));
}

/* At a secure server an account may have a name that the classic ports cannot carry. */
static enum kesher_status fail_not_classic(const struct ks_client_session *session, const char *user,
                                           struct kesher_error *error)
{
    char shown[300];
    return ks_failure(error, KESHER_REFUSED,
                      "'%s' is not on the classic ports of %s, so there is no classic key to show",
                      ks_text_escape(user, strlen(user), shown, sizeof shown), session->shown);
}

enum kesher_status ks_correspondent_find(struct ks_client_session *session, struct ks_contacts *contacts,
                                         const char *user, struct ks_correspondent *correspondent,
                                         struct kesher_error *error)
{
    struct ks_client_id id;
    struct ks_contact *contact = &correspondent->contact;
    if (session->access != NULL && !ks_text_is_user_name(user, strlen(user)))
        return fail_not_classic(session, user, error);
    correspondent->session = session;
    correspondent->contacts = contacts;
    correspondent->id_was_cached = false;
    enum kesher_status status = ks_contacts_load(contacts, user, contact, error);
    if (status != KESHER_OK && status != KESHER_NOT_FOUND)
        return status;
    correspondent->id_was_cached = contact->has_id;
    if (contact->has_id)
        return KESHER_OK;
    status = ks_user_list_find(session, user, &id, error);
    if (status == KESHER_NOT_FOUND && strcmp(user, ks_client_session_name(session)) == 0)
        return fail_oneself(user, error);
    return status == KESHER_OK ? ks_correspondent_adopt(contacts, user, &id, NULL, contact, NULL, error)
                               : status;
}

enum kesher_status ks_correspondent_refresh(struct ks_correspondent *correspondent,
                                            struct kesher_error *error)
{
    struct ks_client_session *session = correspondent->session;
    struct ks_contact *contact = &correspondent->contact;
    struct ks_client_id id;
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    bool pinned = contact->has_public_key;
    struct kesher_error why = {.status = KESHER_OK};
    if (!correspondent->id_was_cached)
        return KESHER_REFUSED;
    correspondent->id_was_cached = false;
    enum kesher_status status = ks_user_list_find(session, contact->name, &id, &why);
    if (status == KESHER_REFUSED || (status == KESHER_OK && is_same_id(&id, &contact->id)))
        return KESHER_REFUSED;
    if (status == KESHER_OK && pinned)
        status = ks_correspondent_ask_key(session, &id, KS_REQUEST_UNTIL_ANSWERED, public_key, &why);
    if (status == KESHER_OK)
        status = ks_correspondent_adopt(correspondent->contacts, contact->name, &id,
                                        pinned ? public_key : NULL, contact, NULL, &why);
    if (status != KESHER_OK && error != NULL)
        *error = why;
    return status;
}

static enum kesher_status fail_without_public_key(const struct ks_correspondent *correspondent,
                                                  struct kesher_error *error)
{
    char shown[200];
    const char *name = correspondent->contact.name;
    if (correspondent->session->access != NULL)
        return fail_not_classic(correspondent->session, name, error);
    return ks_failure(
        error, KESHER_REFUSED,
        "there is no public key of '%s' at %s; it comes there with the next kesher put, inbox or "
        "send of that user",
        ks_text_escape(name, strlen(name), shown, sizeof shown), correspondent->session->shown);
}

enum kesher_status ks_correspondent_pin(struct ks_correspondent *correspondent, bool *is_new,
                                        struct kesher_error *error)
{
    struct ks_client_session *session = correspondent->session;
    struct ks_contact *contact = &correspondent->contact;
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    struct ks_client_id id = contact->id;
    char name[KS_TEXT_FIELD_SIZE];
    enum kesher_status status =
        ks_correspondent_ask_key(session, &id, KS_REQUEST_UNTIL_ANSWERED, public_key, error);
    if (status == KESHER_REFUSED) {
        status = ks_correspondent_refresh(correspondent, error);
        if (status == KESHER_OK) {
            id = contact->id;
            status = ks_correspondent_ask_key(session, &id, KS_REQUEST_UNTIL_ANSWERED, public_key, error);
        }
    }
    if (status == KESHER_REFUSED)
        return fail_without_public_key(correspondent, error);
    memcpy(name, contact->name, sizeof name);
    return status == KESHER_OK ? ks_correspondent_adopt(correspondent->contacts, name, &id, public_key,
                                                        contact, is_new, error)
                               : status;
}
