/* conversation.c — see conversation.h. */
#include "client/outbound/conversation.h"

#include "client/failure.h"
#include "client/outbound/outgoing.h"
#include "crypto/random.h"
#include "crypto/rsa.h"
#include "crypto/secret.h"
#include "wire/messages_codec.h"

#include <string.h>

/* ---- the ring on disk ---- */

struct ring_change {
    void (*change)(struct ks_key_ring *ring, const struct ks_symmetric_key *key);
    const struct ks_symmetric_key *key;
    const uint8_t *public_key; /* under which it is shared */
    struct ks_contact *result;
};

static enum kesher_status change_ring(struct ks_contact *contact, void *context, struct kesher_error *error)
{
    const struct ring_change *change = context;
    if (!ks_contact_has_pinned(contact, change->public_key))
        return ks_failure(error, KESHER_CHANGED,
                          "another program has just changed or forgotten the public key of this user; try "
                          "again");
    change->change(&contact->ring, change->key);
    *change->result = *contact;
    return KESHER_OK;
}

static enum kesher_status change_keys(struct ks_correspondent *correspondent,
                                      void (*how)(struct ks_key_ring *ring,
                                                  const struct ks_symmetric_key *key),
                                      const struct ks_symmetric_key *key, struct kesher_error *error)
{
    char name[KS_TEXT_FIELD_SIZE];
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    struct ring_change change = {
        .change = how, .key = key, .public_key = public_key, .result = &correspondent->contact};
    memcpy(name, correspondent->contact.name, sizeof name);
    memcpy(public_key, correspondent->contact.public_key, sizeof public_key);
    return ks_contacts_change(correspondent->contacts, name, change_ring, &change, error);
}

/* ---- type 2 ---- */

static enum kesher_status encrypt_key(const struct ks_contact *contact, const struct ks_symmetric_key *key,
                                      uint8_t encrypted[static KS_RSA_ENCRYPTED_SIZE],
                                      struct kesher_error *error)
{
    struct ks_public_key *public_key = NULL;
    enum ks_result result = ks_public_key_parse(contact->public_key, &public_key);
    if (result == KS_OK)
        result = ks_public_key_encrypt(public_key, key->bytes, sizeof key->bytes, encrypted);
    ks_public_key_free(public_key);
    return result == KS_OK ? KESHER_OK : ks_failure_from_result(error, result, "cannot encrypt the new key");
}

/* *sent (may be NULL) is true when the server may have it. */
static enum kesher_status send_key(const struct ks_correspondent *correspondent,
                                   const uint8_t encrypted[static KS_RSA_ENCRYPTED_SIZE], bool *sent,
                                   struct kesher_error *error)
{
    const struct ks_outgoing outgoing = {.target = &correspondent->contact.id,
                                         .receiver = correspondent->contact.name,
                                         .type = KS_MESSAGE_KEY,
                                         .content_size = KS_RSA_ENCRYPTED_SIZE,
                                         .content = encrypted};
    return ks_outgoing_send(correspondent->session, &outgoing, NULL, sent, error);
}

/* The key is in the ring before it is sent: if its receipt gets lost, what the user encrypts under it can be
 * read all the same. */
static enum kesher_status offer_and_send(struct ks_correspondent *correspondent,
                                         const struct ks_symmetric_key *key, struct kesher_error *error)
{
    uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
    bool sent = false;
    enum kesher_status status = encrypt_key(&correspondent->contact, key, encrypted, error);
    if (status == KESHER_OK)
        status = change_keys(correspondent, ks_key_ring_offer, key, error);
    if (status != KESHER_OK)
        return status;
    status = send_key(correspondent, encrypted, &sent, error);
    if (status == KESHER_OK)
        return change_keys(correspondent, ks_key_ring_use, key, error);
    if (!sent) /* that this fails too leaves a key that decrypts nothing */
        (void)change_keys(correspondent, ks_key_ring_withdraw, key, NULL);
    return status;
}

/* Under the pinned public key: whoever has a key of ours has been pinned. */
enum kesher_status ks_conversation_share_again(struct ks_correspondent *correspondent,
                                               struct kesher_error *error)
{
    uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
    struct ks_symmetric_key key = correspondent->contact.ring.sending;
    enum kesher_status status = encrypt_key(&correspondent->contact, &key, encrypted, error);
    if (status == KESHER_OK)
        status = send_key(correspondent, encrypted, NULL, error);
    if (status == KESHER_OK)
        status = change_keys(correspondent, ks_key_ring_use, &key, error);
    ks_secret_wipe(&key, sizeof key);
    return status;
}

enum kesher_status ks_conversation_share_key(struct ks_correspondent *correspondent,
                                             struct kesher_error *error)
{
    struct ks_symmetric_key key;
    enum kesher_status status = ks_correspondent_pin(correspondent, NULL, error);
    if (status == KESHER_OK && ks_random_fill(ks_random_system(), key.bytes, sizeof key.bytes) != KS_OK)
        status = ks_failure(error, KESHER_CRYPTO, "cannot make a key: there is no randomness");
    if (status == KESHER_OK)
        status = offer_and_send(correspondent, &key, error);
    ks_secret_wipe(&key, sizeof key);
    return status;
}

static enum kesher_status receive_key(struct ks_contact *contact, void *context, struct kesher_error *error)
{
    (void)error;
    ks_key_ring_receive(&contact->ring, context);
    return KESHER_OK;
}

static enum kesher_status take_over_key(struct ks_contact *contact, void *context, struct kesher_error *error)
{
    (void)error;
    ks_key_ring_use(&contact->ring, context);
    return KESHER_OK;
}

enum kesher_status ks_conversation_receive_key(struct ks_contacts *contacts, const char *name,
                                               const struct ks_symmetric_key *key, bool as_ours,
                                               struct kesher_error *error)
{
    struct ks_symmetric_key received = *key;
    enum kesher_status status =
        ks_contacts_change(contacts, name, as_ours ? take_over_key : receive_key, &received, error);
    ks_secret_wipe(&received, sizeof received);
    return status;
}

/* ---- type 1 ---- */

static enum kesher_status send_request(const struct ks_correspondent *correspondent,
                                       struct kesher_error *error)
{
    const struct ks_outgoing outgoing = {.target = &correspondent->contact.id,
                                         .receiver = correspondent->contact.name,
                                         .type = KS_MESSAGE_KEY_REQUEST};
    return ks_outgoing_send(correspondent->session, &outgoing, NULL, NULL, error);
}

enum kesher_status ks_conversation_request_key(struct ks_correspondent *correspondent,
                                               struct kesher_error *error)
{
    enum kesher_status status = send_request(correspondent, error);
    if (status != KESHER_REFUSED)
        return status;
    status = ks_correspondent_refresh(correspondent, error);
    return status == KESHER_OK ? send_request(correspondent, error) : status;
}

static enum kesher_status note_request(struct ks_contact *contact, void *context, struct kesher_error *error)
{
    (void)context;
    (void)error;
    (void)ks_key_ring_ask(&contact->ring);
    return KESHER_OK;
}

enum kesher_status ks_conversation_note_request(struct ks_contacts *contacts, const char *name,
                                                struct kesher_error *error)
{
    struct ks_contact contact;
    enum kesher_status status = ks_contacts_load(contacts, name, &contact, error);
    bool is_news = status == KESHER_OK && ks_key_ring_ask(&contact.ring);
    ks_contact_wipe(&contact);
    if (status == KESHER_NOT_FOUND)
        return KESHER_OK;
    return is_news ? ks_contacts_change(contacts, name, note_request, NULL, error) : status;
}

/* ---- types 3 and 4 ---- */

/* Nothing is saved where it changes nothing: the contact may have been forgotten meanwhile. */
static enum kesher_status note_shown(struct ks_contact *contact, void *context, struct kesher_error *error)
{
    (void)error;
    return ks_key_ring_note_shown(&contact->ring, context) ? KESHER_OK : KESHER_NOT_FOUND;
}

void ks_conversation_note_shown(struct ks_contacts *contacts, const char *name,
                                const struct ks_symmetric_key *key)
{
    struct ks_symmetric_key shown = *key;
    (void)ks_contacts_change(contacts, name, note_shown, &shown, NULL);
    ks_secret_wipe(&shown, sizeof shown);
}
