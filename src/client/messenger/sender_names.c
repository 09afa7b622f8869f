/* sender_names.c — see sender_names.h. */
#include "client/messenger/sender_names.h"

#include "client/messenger/messenger_internal.h"
#include "client/people/user_list.h"

#include <stdlib.h>
#include <string.h>

enum { LOOK_AHEAD = 4096 }; /* messages */

void ks_sender_names_reset(struct ks_sender_names *senders)
{
    senders->count = 0;
}

static int compare(const void *left, const void *right)
{
    const struct ks_sender_name *a = left;
    const struct ks_sender_name *b = right;
    return memcmp(a->id.bytes, b->id.bytes, sizeof a->id.bytes);
}

static struct ks_sender_name *find(struct ks_sender_names *senders, const struct ks_client_id *id)
{
    const struct ks_sender_name wanted = {.id = *id};
    return senders->count == 0 ? NULL
                               : bsearch(&wanted, senders->senders, senders->count, sizeof wanted, compare);
}

/* Puts `id` among those to ask for, unless it is there or nobody else fits. */
static void add(struct ks_sender_names *senders, const struct ks_client_id *id)
{
    size_t at = senders->count;
    if (senders->count == KS_SENDER_NAMES_LIMIT || find(senders, id) != NULL)
        return;
    while (at > 0 && memcmp(senders->senders[at - 1].id.bytes, id->bytes, sizeof id->bytes) > 0)
        at--;
    memmove(&senders->senders[at + 1], &senders->senders[at],
            (senders->count - at) * sizeof senders->senders[0]);
    senders->senders[at] = (struct ks_sender_name){.id = *id, .is_listed = false};
    senders->count++;
}

static void add_unknown(struct kesher_messenger *messenger, const struct ks_client_id *id)
{
    char name[KS_TEXT_FIELD_SIZE];
    if (ks_contacts_name_of(&messenger->contacts, id, name, NULL) == KESHER_NOT_FOUND)
        add(&messenger->senders, id);
}

/* Whose messages come next: they are asked for together. */
static void add_coming(struct kesher_messenger *messenger)
{
    const struct ks_client_inbox *inbox = &messenger->inbox;
    struct ks_entry entry;
    uint64_t sequence = 0;
    uint64_t offset = 0;
    for (size_t i = 0; i < messenger->kept.count; i++)
        add_unknown(messenger, &messenger->kept.messages[i].sender);
    if (inbox->frame.fd < 0 || ks_client_inbox_progress(inbox, &sequence, &offset, NULL) != KESHER_OK)
        return;
    if (inbox->frame_sequence != sequence)
        offset = KS_MESSAGE_FILE_HEADER_SIZE;
    for (unsigned i = 0; i < LOOK_AHEAD && ks_message_file_entry(&inbox->frame, offset, &entry) == KS_OK;
         i++) {
        add_unknown(messenger, &entry.fixed.sender);
        offset += ks_entry_size(&entry);
    }
}

static bool note_user(void *context, const struct kesher_user *user)
{
    struct ks_client_id id;
    memcpy(id.bytes, user->id, sizeof id.bytes);
    struct ks_sender_name *sender = find(context, &id);
    if (sender != NULL) {
        sender->is_listed = true;
        memcpy(sender->name, user->name, sizeof sender->name);
    }
    return true;
}

/* Asks once, without patience: messages come with or without names. */
static void ask(struct kesher_messenger *messenger)
{
    enum kesher_status status =
        ks_user_list_each(&messenger->session, KS_REQUEST_UNTIL_LOST, note_user, &messenger->senders, NULL);
    if (status == KESHER_OK)
        messenger->senders.answers++;
    else
        ks_sender_names_reset(&messenger->senders); /* nobody has said whom the list has */
    messenger->offline = status != KESHER_OK;
}

enum kesher_status ks_sender_names_find(struct kesher_messenger *messenger, const struct ks_client_id *id,
                                        char name[static KS_TEXT_FIELD_SIZE], struct kesher_error *error)
{
    enum kesher_status status = ks_contacts_name_of(&messenger->contacts, id, name, error);
    if (status != KESHER_NOT_FOUND)
        return status;
    const struct ks_sender_name *sender = find(&messenger->senders, id);
    if (sender == NULL && !messenger->offline) {
        if (messenger->senders.count == KS_SENDER_NAMES_LIMIT)
            ks_sender_names_reset(&messenger->senders);
        add(&messenger->senders, id);
        add_coming(messenger);
        ask(messenger);
        sender = find(&messenger->senders, id);
    }
    name[0] = '\0';
    if (sender != NULL && sender->is_listed)
        memcpy(name, sender->name, KS_TEXT_FIELD_SIZE);
    return KESHER_OK;
}
