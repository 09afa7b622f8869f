/* opening.c — see opening.h. */
#include "client/messenger/opening.h"

#include "base/text.h"
#include "client/failure.h"
#include "client/inbound/saved_file.h"
#include "client/outbound/conversation.h"
#include "client/people/correspondent.h"
#include "crypto/rsa.h"
#include "crypto/secret.h"

#include <errno.h>
#include <string.h>

/* Failures of our own, which a message has to wait for; everything else is a reason not to be able to read
 * it. */
static bool is_ours(enum kesher_status status)
{
    return status == KESHER_FILE || status == KESHER_NO_MEMORY || status == KESHER_TIMEOUT ||
           status == KESHER_CRYPTO;
}

static enum kesher_status fail_result(enum ks_result result, struct kesher_error *error)
{
    if (result == KS_NO_MEMORY || result == KS_CRYPTO)
        return ks_failure_from_result(error, result, "cannot decrypt a message");
    return ks_failure_system(error, KESHER_FILE, result == KS_INVALID ? EIO : errno,
                             "cannot read a message of the inbox");
}

/* ---- type 2 ---- */

/* KS_INVALID when the content is no key for us. */
static enum ks_result decrypt_key(const struct kesher_messenger *messenger, const struct ks_entry *entry,
                                  struct ks_symmetric_key *key)
{
    uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
    uint8_t plaintext[KS_RSA_PLAINTEXT_LIMIT];
    size_t size = 0;
    if (entry->fixed.content_size != sizeof encrypted)
        return KS_INVALID;
    enum ks_result result =
        ks_message_file_read(entry->fd, encrypted, sizeof encrypted, ks_entry_content_offset(entry));
    if (result != KS_OK)
        return KS_IO;
    result = ks_private_key_decrypt(messenger->session.identity->key, encrypted, plaintext, &size);
    if (result == KS_OK && size != sizeof key->bytes)
        result = KS_INVALID;
    if (result == KS_OK)
        memcpy(key->bytes, plaintext, sizeof key->bytes);
    ks_secret_wipe(plaintext, sizeof plaintext);
    return result;
}

/* Asks the server for the sender's public key, once. A loss is KESHER_CONNECTION. */
static enum kesher_status ask_key(struct kesher_messenger *messenger, const struct ks_client_id *id,
                                  uint8_t public_key[static KS_PUBLIC_KEY_SIZE], struct kesher_error *error)
{
    if (messenger->offline)
        return ks_failure(error, KESHER_CONNECTION, "the server cannot be asked now");
    enum kesher_status status =
        ks_correspondent_ask_key(&messenger->session, id, KS_REQUEST_UNTIL_LOST, public_key, error);
    messenger->offline = status == KESHER_CONNECTION || status == KESHER_TIMEOUT;
    return messenger->offline ? KESHER_CONNECTION : status;
}

/* Pins the sender's public key or compares it with the pinned one. */
static enum kesher_status verify_key(struct kesher_messenger *messenger, const char *name,
                                     const struct ks_client_id *id, bool pinned, struct kesher_error *error)
{
    struct ks_contact contact = {.has_id = false};
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    enum kesher_status status = ask_key(messenger, id, public_key, error);
    if (status == KESHER_NO_MEMORY || (status != KESHER_OK && pinned))
        return status;
    /* Nothing is pinned yet, and the key cannot be had: it will be pinned at first sight. */
    status = ks_correspondent_adopt(&messenger->contacts, name, id, status == KESHER_OK ? public_key : NULL,
                                    &contact, NULL, error);
    ks_contact_wipe(&contact);
    return status;
}

/* Makes sure that the sender is the user whose public key is pinned, or pins it. KESHER_OK; KESHER_CHANGED
 * and other reasons not to take keys; failures of our own. */
static enum kesher_status verify_sender(struct kesher_messenger *messenger, const struct kesher_user *sender,
                                        struct kesher_error *error)
{
    struct ks_contact contact;
    struct ks_client_id id;
    memcpy(id.bytes, sender->id, sizeof id.bytes);
    enum kesher_status status = ks_contacts_load(&messenger->contacts, sender->name, &contact, error);
    bool pinned = contact.has_public_key;
    bool verified = status == KESHER_OK && pinned && memcmp(&contact.id, &id, sizeof id) == 0;
    ks_contact_wipe(&contact);
    if (verified || (status != KESHER_OK && status != KESHER_NOT_FOUND))
        return status;
    if (messenger->has_distrusted && memcmp(&messenger->distrusted, &id, sizeof id) == 0)
        return KESHER_REFUSED; /* asked and told already */
    status = verify_key(messenger, sender->name, &id, pinned, error);
    if (status == KESHER_CHANGED) {
        messenger->distrusted = id;
        messenger->has_distrusted = true;
    }
    return status;
}

static enum kesher_status take_key(struct kesher_messenger *messenger, const struct ks_symmetric_key *key,
                                   struct ks_opened *opened, struct kesher_error *error)
{
    struct kesher_message *message = &opened->message;
    struct kesher_error why = {.sentence = ""};
    const char *name = message->sender.name;
    opened->keep = true;
    if (!ks_text_is_user_name(name, strlen(name))) /* a key of nobody */
        return KESHER_OK;
    enum kesher_status status = verify_sender(messenger, &message->sender, &why);
    if (status == KESHER_OK)
        status = ks_conversation_receive_key(&messenger->contacts, name, key, messenger->classic, &why);
    if (status == KESHER_OK) {
        opened->keep = false;
        message->content = KESHER_CONTENT_NONE;
        return KESHER_OK;
    }
    if (is_ours(status)) {
        if (error != NULL)
            *error = why;
        return status;
    }
    if (status == KESHER_CHANGED || status == KESHER_INVALID)
        ks_client_session_notice(&messenger->session, why.sentence);
    return KESHER_OK;
}

static enum kesher_status open_key(struct kesher_messenger *messenger, const struct ks_entry *entry,
                                   struct ks_opened *opened, struct kesher_error *error)
{
    struct ks_symmetric_key key;
    enum ks_result result = decrypt_key(messenger, entry, &key);
    if (result == KS_INVALID)
        return KESHER_OK;
    enum kesher_status status =
        result == KS_OK ? take_key(messenger, &key, opened, error) : fail_result(result, error);
    ks_secret_wipe(&key, sizeof key);
    return status;
}

/* ---- type 1 ---- */

/* It is shown in any case; a contact that cannot be changed now is one for which the key is not shared again.
 */
static enum kesher_status open_request(struct kesher_messenger *messenger, struct kesher_message *message,
                                       struct kesher_error *error)
{
    struct kesher_error why = {.sentence = ""};
    const char *name = message->sender.name;
    message->content = KESHER_CONTENT_NONE;
    if (!ks_text_is_user_name(name, strlen(name)))
        return KESHER_OK;
    enum kesher_status status = ks_conversation_note_request(&messenger->contacts, name, &why);
    if (status == KESHER_INVALID)
        ks_client_session_notice(&messenger->session, why.sentence);
    if (status == KESHER_OK || status == KESHER_INVALID)
        return KESHER_OK;
    if (error != NULL)
        *error = why;
    return status;
}

/* ---- types 3 and 4 ---- */

static enum kesher_key_mark mark_of(enum ks_key_standing standing)
{
    switch (standing) {
    case KS_KEY_STANDING_NEW:
        return KESHER_KEY_MARK_NEW;
    case KS_KEY_STANDING_TOLD:
        return KESHER_KEY_MARK_UNACCEPTED;
    default:
        return KESHER_KEY_MARK_NONE;
    }
}

/* What follows from the key that fitted. */
static void note_key(struct ks_key_ring *ring, struct ks_opened *opened)
{
    opened->message.mark = mark_of(ks_key_ring_standing(ring, &opened->key));
    opened->is_news = ks_key_ring_note_shown(ring, &opened->key);
}

/* Looks for the key that fits. KESHER_NOT_FOUND when none does. */
static enum kesher_status find_key(struct kesher_messenger *messenger, const struct ks_entry *entry,
                                   struct ks_opened *opened, uint64_t *plain_size, struct kesher_error *error)
{
    struct ks_contact contact;
    struct kesher_error why = {.sentence = ""};
    const char *sender = opened->message.sender.name;
    if (!ks_text_is_user_name(sender, strlen(sender)))
        return KESHER_NOT_FOUND;
    enum kesher_status status = ks_contacts_load(&messenger->contacts, sender, &contact, &why);
    if (status == KESHER_OK) {
        bool is_text = entry->fixed.type == KS_MESSAGE_TEXT;
        enum ks_result result = ks_plaintext_choose(entry, &contact.ring, is_text, &opened->key, plain_size);
        if (result == KS_OK)
            note_key(&contact.ring, opened);
        status = result == KS_OK          ? KESHER_OK
                 : result == KS_NOT_FOUND ? KESHER_NOT_FOUND
                                          : fail_result(result, &why);
    }
    ks_contact_wipe(&contact);
    if (status == KESHER_INVALID) { /* a broken contact must not hold up everybody's messages */
        ks_client_session_notice(&messenger->session, why.sentence);
        return KESHER_NOT_FOUND;
    }
    if (status != KESHER_OK && status != KESHER_NOT_FOUND && error != NULL)
        *error = why;
    return status;
}

/* The home's own directory is made when the first file comes. */
static enum kesher_status make_directory(const struct kesher_messenger *messenger, struct kesher_error *error)
{
    struct kesher_home *directory = NULL;
    if (!messenger->saves_at_home)
        return KESHER_OK;
    enum kesher_status status =
        ks_home_files_directory(messenger->session.home, KS_RECEIVED_DIRECTORY, &directory, error);
    if (status == KESHER_OK)
        kesher_home_close(directory);
    return status;
}

/* That a file cannot be saved is no reason to hold up what came after it. */
static enum kesher_status save_file(struct kesher_messenger *messenger, struct kesher_message *message,
                                    struct ks_plaintext *plaintext, struct kesher_error *error)
{
    struct kesher_error why = {.sentence = ""};
    enum kesher_status status = make_directory(messenger, &why);
    if (status == KESHER_OK)
        status = ks_saved_file_write(messenger->file_directory, message->sender.name, message->message_id,
                                     plaintext, message->path, &why);
    if (status == KESHER_OK) {
        message->content = KESHER_CONTENT_FILE;
        return KESHER_OK;
    }
    if (status == KESHER_FILE) {
        message->content = KESHER_CONTENT_UNSAVED;
        memcpy(message->reason, why.sentence, sizeof message->reason);
        memcpy(messenger->unsaved_reason, why.sentence, sizeof messenger->unsaved_reason);
        return KESHER_OK;
    }
    if (error != NULL)
        *error = why;
    return status;
}

static enum kesher_status open_content(struct kesher_messenger *messenger, const struct ks_entry *entry,
                                       struct ks_opened *opened, struct kesher_error *error)
{
    struct ks_plaintext *plaintext = &messenger->in_hand.plaintext;
    struct kesher_message *message = &opened->message;
    uint64_t plain_size = 0;
    opened->keep = ks_plaintext_is_possible(entry);
    enum kesher_status status = find_key(messenger, entry, opened, &plain_size, error);
    if (status != KESHER_OK)
        return status == KESHER_NOT_FOUND ? KESHER_OK : status;
    enum ks_result result = ks_plaintext_open(plaintext, entry, &opened->key, plain_size);
    if (result != KS_OK)
        return fail_result(result, error);
    opened->keep = false;
    message->content_size = plain_size;
    message->content = KESHER_CONTENT_TEXT;
    if (message->type != KS_MESSAGE_FILE)
        return KESHER_OK;
    status = save_file(messenger, message, plaintext, error);
    ks_plaintext_close(plaintext);
    return status;
}

/* All but the content: *opened has none yet. */
static enum kesher_status open_head(struct kesher_messenger *messenger, const struct ks_entry *entry,
                                    struct ks_opened *opened, struct kesher_error *error)
{
    struct kesher_message *message = &opened->message;
    memset(opened, 0, sizeof *opened);
    message->message_id = entry->fixed.message_id;
    message->type = entry->fixed.type;
    memcpy(message->sender.id, entry->fixed.sender.bytes, sizeof message->sender.id);
    message->content_size = entry->fixed.content_size;
    message->received = entry->received;
    message->content = KESHER_CONTENT_UNREADABLE;
    return ks_sender_names_find(messenger, &entry->fixed.sender, message->sender.name, error);
}

enum kesher_status ks_opening_try(struct kesher_messenger *messenger, const struct ks_entry *entry,
                                  struct ks_opened *opened, struct kesher_error *error)
{
    struct kesher_message *message = &opened->message;
    uint64_t plain_size = 0;
    enum kesher_status status = open_head(messenger, entry, opened, error);
    if (status == KESHER_OK && message->type == KS_MESSAGE_KEY) {
        status = open_key(messenger, entry, opened, error);
    } else if (status == KESHER_OK) {
        status = find_key(messenger, entry, opened, &plain_size, error);
        if (status == KESHER_OK)
            message->content = message->type == KS_MESSAGE_FILE ? KESHER_CONTENT_FILE : KESHER_CONTENT_TEXT;
    }
    if (status != KESHER_OK && status != KESHER_NOT_FOUND)
        return status;
    /* Its key may be in a message that only the name of its sender is missing for. */
    if (message->content == KESHER_CONTENT_UNREADABLE && messenger->offline)
        return ks_failure(error, KESHER_CONNECTION,
                          "%s cannot be asked who sent the unreadable messages; so they are kept",
                          messenger->session.shown);
    return KESHER_OK;
}

enum kesher_status ks_opening_open(struct kesher_messenger *messenger, const struct ks_entry *entry,
                                   struct ks_opened *opened, struct kesher_error *error)
{
    struct kesher_message *message = &opened->message;
    enum kesher_status status = open_head(messenger, entry, opened, error);
    if (status != KESHER_OK)
        return status;
    switch (message->type) {
    case KS_MESSAGE_KEY_REQUEST:
        return open_request(messenger, message, error);
    case KS_MESSAGE_KEY:
        return open_key(messenger, entry, opened, error);
    case KS_MESSAGE_TEXT:
    case KS_MESSAGE_FILE:
        return open_content(messenger, entry, opened, error);
    default:
        return KESHER_OK;
    }
}
