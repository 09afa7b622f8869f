/* send.c — kesher_messenger_send: which key a text or a file goes under, whether that is made or shared again
 * before, and what follows from a refusal. */
#include "base/text.h"
#include "client/failure.h"
#include "client/messenger/messenger_internal.h"
#include "client/outbound/conversation.h"
#include "client/outbound/outgoing.h"
#include "wire/drop_codec.h"

#include <string.h>

enum { SEND_ATTEMPTS = 2 }; /* the second with an id from a new list */

struct text_or_file {
    uint8_t type;
    int fd;
    uint64_t size;
    bool make_key;
    struct kesher_receipt *receipt;
};

static enum kesher_status send_content(struct kesher_messenger *messenger, const struct ks_contact *contact,
                                       const struct text_or_file *content, struct kesher_error *error)
{
    const struct ks_outgoing outgoing = {
        .target = &contact->id,
        .receiver = contact->name,
        .type = content->type,
        .content_size = (uint32_t)ks_content_size_of_file(content->size),
        .fd = content->fd,
        .plain_size = content->size,
        .key = contact->ring.sending.bytes,
        .piece = messenger->piece,
    };
    return ks_outgoing_send(&messenger->session, &outgoing, content->receipt, NULL, error);
}

static enum kesher_status fail_without_symmetric_key(const struct ks_contact *contact,
                                                     struct kesher_error *error)
{
    char shown[300];
    return ks_failure(error, KESHER_NO_KEY, "there is no symmetric key with '%s'; share one, or ask for one",
                      ks_text_escape(contact->name, strlen(contact->name), shown, sizeof shown));
}

/* Makes sure that the user has a key of ours. */
static enum kesher_status prepare_key(const struct kesher_messenger *messenger,
                                      struct ks_correspondent *correspondent, bool make_key,
                                      struct kesher_error *error)
{
    const struct ks_key_ring *ring = &correspondent->contact.ring;
    if (!ring->has_sending)
        return make_key ? ks_conversation_share_key(correspondent, error)
                        : fail_without_symmetric_key(&correspondent->contact, error);
    if (ring->share_again && !messenger->classic)
        return ks_conversation_share_again(correspondent, error);
    return KESHER_OK;
}

static enum kesher_status send_to(struct kesher_messenger *messenger, struct ks_correspondent *correspondent,
                                  const struct text_or_file *content, struct kesher_error *error)
{
    enum kesher_status status = prepare_key(messenger, correspondent, content->make_key, error);
    return status == KESHER_OK ? send_content(messenger, &correspondent->contact, content, error) : status;
}

static enum kesher_status check_content(enum kesher_message_type type, uint64_t size,
                                        struct kesher_error *error)
{
    if (type != KESHER_MESSAGE_TEXT && type != KESHER_MESSAGE_FILE)
        return ks_failure(error, KESHER_INVALID, "only texts and files can be sent this way");
    if (size > KS_OUTGOING_PLAIN_LIMIT)
        return ks_failure(error, KESHER_FILE,
                          "a message of %llu bytes is too long, the protocol carries at most %llu; split it",
                          (unsigned long long)size, (unsigned long long)KS_OUTGOING_PLAIN_LIMIT);
    return KESHER_OK;
}

enum kesher_status kesher_messenger_send(struct kesher_messenger *messenger, const char *user,
                                         enum kesher_message_type type, int fd, uint64_t size, bool make_key,
                                         struct kesher_receipt *receipt, struct kesher_error *error)
{
    const struct text_or_file content = {
        .type = (uint8_t)type, .fd = fd, .size = size, .make_key = make_key, .receipt = receipt};
    struct ks_correspondent correspondent;
    enum kesher_status status = ks_client_session_is_classic(&messenger->session, "messages", error);
    if (status == KESHER_OK)
        status = check_content(type, size, error);
    if (status != KESHER_OK)
        return status;
    status = ks_correspondent_find(&messenger->session, &messenger->contacts, user, &correspondent, error);
    for (int attempt = 0; status == KESHER_OK && attempt < SEND_ATTEMPTS; attempt++) {
        status = send_to(messenger, &correspondent, &content, error);
        if (status != KESHER_REFUSED)
            break;
        status = ks_correspondent_refresh(&correspondent, error);
    }
    ks_correspondent_wipe(&correspondent);
    return status;
}
