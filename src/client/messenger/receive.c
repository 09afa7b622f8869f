/* receive.c — kesher_messenger_next, _read and _done: messages from disk, in the order in which they came;
 * those that could not be read come again before them when a key has arrived, and files that could not be
 * saved when they can be. */
#include "client/failure.h"
#include "client/messenger/messenger_internal.h"
#include "client/messenger/opening.h"
#include "client/outbound/conversation.h"
#include "crypto/secret.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void ks_in_hand_drop(struct kesher_messenger *messenger)
{
    struct ks_in_hand *in_hand = &messenger->in_hand;
    ks_plaintext_close(&in_hand->plaintext);
    ks_secret_wipe(&in_hand->key, sizeof in_hand->key);
    in_hand->is_news = false;
    if (!in_hand->active)
        return;
    if (in_hand->place.is_kept)
        close(in_hand->entry.fd);
    in_hand->active = false;
    ks_home_lock_release(&messenger->inbox.reading);
}

static void take_in_hand(struct kesher_messenger *messenger, const struct ks_place *place,
                         const struct ks_entry *entry, const struct ks_opened *opened)
{
    struct ks_in_hand *in_hand = &messenger->in_hand;
    in_hand->active = true;
    in_hand->is_text = opened->message.content == KESHER_CONTENT_TEXT;
    in_hand->keep = opened->keep;
    in_hand->is_unsaved = opened->message.content == KESHER_CONTENT_UNSAVED;
    in_hand->is_news = opened->is_news;
    in_hand->key = opened->key;
    memcpy(in_hand->sender, opened->message.sender.name, sizeof in_hand->sender);
    in_hand->place = *place;
    in_hand->entry = *entry;
}

/* ---- what could not be read, or saved, before ---- */

static bool is_behind(uint64_t sequence, uint64_t offset, uint64_t other_sequence, uint64_t other_offset)
{
    return sequence > other_sequence || (sequence == other_sequence && offset > other_offset);
}

/* Begins anew when a key or a name has come since the last time. */
static void update_retrial(struct kesher_messenger *messenger)
{
    struct ks_retrial *retrial = &messenger->retrial;
    uint64_t stamp = ks_contacts_stamp(&messenger->contacts) + messenger->senders.answers;
    if (retrial->begun && retrial->stamp == stamp)
        return;
    *retrial = (struct ks_retrial){.begun = true, .stamp = stamp};
}

/* The index of the next one to try, or the count. */
static size_t next_to_try(const struct kesher_messenger *messenger)
{
    const struct ks_kept *kept = &messenger->kept;
    size_t index = 0;
    while (index < kept->count && !is_behind(kept->messages[index].sequence, kept->messages[index].offset,
                                             messenger->retrial.sequence, messenger->retrial.offset))
        index++;
    return index;
}

/* Opens one of them. KESHER_NOT_FOUND when it cannot be read, or saved, still. */
static enum kesher_status try_again(struct kesher_messenger *messenger, size_t index,
                                    struct ks_opened *opened, struct kesher_error *error)
{
    const struct ks_place place = {.is_kept = true,
                                   .sequence = messenger->kept.messages[index].sequence,
                                   .offset = messenger->kept.messages[index].offset};
    struct ks_entry entry;
    enum kesher_status status = ks_kept_open(&messenger->kept, index, &entry, error);
    if (status != KESHER_OK)
        return status;
    status = ks_opening_open(messenger, &entry, opened, error);
    bool is_old_news =
        opened->message.content == KESHER_CONTENT_UNREADABLE ||
        (opened->message.content == KESHER_CONTENT_UNSAVED && messenger->kept.messages[index].is_unsaved);
    if (status == KESHER_OK && is_old_news)
        status = KESHER_NOT_FOUND;
    if (status != KESHER_OK) {
        close(entry.fd);
        return status;
    }
    opened->message.again = true;
    take_in_hand(messenger, &place, &entry, opened);
    return KESHER_OK;
}

/* A crash may come between keeping a message and being done with it: then it is still among the others. */
static bool is_waiting(const struct kesher_messenger *messenger, uint64_t sequence)
{
    char name[KS_CLIENT_INBOX_NAME_SIZE];
    ks_client_inbox_name(sequence, "messages", name);
    return ks_home_files_exists(messenger->inbox.directory, name);
}

static enum kesher_status next_kept(struct kesher_messenger *messenger, struct ks_opened *opened,
                                    struct kesher_error *error)
{
    uint64_t sequence = 0;
    uint64_t offset = 0;
    enum kesher_status status = ks_kept_refresh(&messenger->kept, error);
    if (status != KESHER_OK)
        return status;
    update_retrial(messenger);
    status = ks_client_inbox_progress(&messenger->inbox, &sequence, &offset, error);
    if (status != KESHER_OK)
        return status;
    for (size_t index = next_to_try(messenger); index < messenger->kept.count; index++) {
        const struct ks_kept_message *message = &messenger->kept.messages[index];
        if (!is_behind(sequence, offset, message->sequence, message->offset) &&
            is_waiting(messenger, message->sequence))
            return KESHER_NOT_FOUND;
        status = try_again(messenger, index, opened, error);
        if (status != KESHER_OK && status != KESHER_NOT_FOUND)
            return status;
        messenger->retrial.sequence = message->sequence;
        messenger->retrial.offset = message->offset;
        if (status == KESHER_OK)
            return KESHER_OK;
    }
    return KESHER_NOT_FOUND;
}

/* ---- what was not shown yet ---- */

static enum kesher_status next_waiting(struct kesher_messenger *messenger, struct ks_opened *opened,
                                       struct kesher_error *error)
{
    struct ks_place place;
    struct ks_entry entry;
    bool damaged = false;
    enum kesher_status status = ks_client_inbox_next(&messenger->inbox, &place, &entry, &damaged, error);
    if (damaged)
        ks_client_session_notice(
            &messenger->session,
            "a file with received messages is damaged; it was set aside in the home's inbox");
    if (status == KESHER_OK)
        status = ks_opening_open(messenger, &entry, opened, error);
    if (status == KESHER_OK)
        take_in_hand(messenger, &place, &entry, opened);
    return status;
}

enum kesher_status kesher_messenger_next(struct kesher_messenger *messenger, struct kesher_message *message,
                                         struct kesher_error *error)
{
    struct ks_opened opened;
    struct kesher_error why = {.sentence = ""};
    if (messenger->in_hand.active && messenger->in_hand.place.is_kept)
        messenger->retrial.begun = false; /* it was not done with, so it comes again */
    ks_in_hand_drop(messenger);
    enum kesher_status status =
        ks_home_lock_take(&messenger->inbox.reading, KS_MESSENGER_READ_WAIT_MS, "showing messages", &why);
    if (status == KESHER_TIMEOUT)
        return KESHER_NOT_FOUND;
    if (status == KESHER_OK)
        status = next_kept(messenger, &opened, &why);
    if (status == KESHER_NOT_FOUND)
        status = next_waiting(messenger, &opened, &why);
    if (status == KESHER_NOT_FOUND && messenger->kept.unsaved > 0)
        messenger->retrial.begun = false; /* there may be room the next time */
    if (status == KESHER_OK)
        *message = opened.message;
    else
        ks_home_lock_release(&messenger->inbox.reading);
    ks_secret_wipe(&opened.key, sizeof opened.key);
    if (status != KESHER_OK && status != KESHER_NOT_FOUND && error != NULL)
        *error = why;
    return status;
}

enum kesher_status kesher_messenger_read(struct kesher_messenger *messenger, void *bytes, size_t capacity,
                                         size_t *size, struct kesher_error *error)
{
    struct ks_in_hand *in_hand = &messenger->in_hand;
    if (!in_hand->active || !in_hand->is_text)
        return ks_failure(error, KESHER_INVALID, "there is no text in hand to be read");
    enum ks_result result = ks_plaintext_read(&in_hand->plaintext, bytes, capacity, size);
    if (result == KS_CRYPTO)
        return ks_failure_from_result(error, result, "cannot decrypt a message");
    if (result != KS_OK)
        return ks_failure_system(error, KESHER_FILE, result == KS_INVALID ? EIO : errno,
                                 "cannot read a message of the inbox");
    return KESHER_OK;
}

/* ---- done ---- */

static enum kesher_status finish_kept(struct kesher_messenger *messenger, struct kesher_error *error)
{
    const struct ks_place *place = &messenger->in_hand.place;
    struct ks_kept *kept = &messenger->kept;
    size_t index = ks_kept_find(kept, place->sequence, place->offset);
    if (index >= kept->count)
        return KESHER_OK;
    return messenger->in_hand.is_unsaved ? ks_kept_mark_unsaved(kept, index, error)
                                         : ks_kept_remove(kept, index, error);
}

/* What is not done with, though it was shown, stays. What is, does not, though a crash may have come between
 * keeping it and being done with it. */
static enum kesher_status keep_waiting(struct kesher_messenger *messenger, struct kesher_error *error)
{
    const struct ks_in_hand *in_hand = &messenger->in_hand;
    struct ks_kept *kept = &messenger->kept;
    if (in_hand->is_unsaved)
        return ks_kept_add_unsaved(kept, &in_hand->place, &in_hand->entry, error);
    if (in_hand->keep)
        return ks_kept_add(kept, &in_hand->place, &in_hand->entry, error);
    size_t index = ks_kept_find(kept, in_hand->place.sequence, in_hand->place.offset);
    return index < kept->count ? ks_kept_remove(kept, index, error) : KESHER_OK;
}

static enum kesher_status finish_waiting(struct kesher_messenger *messenger, struct kesher_error *error)
{
    const struct ks_in_hand *in_hand = &messenger->in_hand;
    enum kesher_status status = keep_waiting(messenger, error);
    if (status == KESHER_OK)
        status = ks_client_inbox_advance(&messenger->inbox, &in_hand->place, &in_hand->entry, error);
    return status;
}

enum kesher_status kesher_messenger_done(struct kesher_messenger *messenger, struct kesher_error *error)
{
    const struct ks_in_hand *in_hand = &messenger->in_hand;
    if (!in_hand->active)
        return ks_failure(error, KESHER_INVALID, "there is no message in hand to be done with");
    enum kesher_status status =
        in_hand->place.is_kept ? finish_kept(messenger, error) : finish_waiting(messenger, error);
    if (status == KESHER_OK && in_hand->is_news)
        ks_conversation_note_shown(&messenger->contacts, in_hand->sender, &in_hand->key);
    if (status == KESHER_OK)
        ks_in_hand_drop(messenger);
    return status;
}

size_t kesher_messenger_unsaved(const struct kesher_messenger *messenger, struct kesher_error *error)
{
    if (messenger->kept.unsaved > 0)
        (void)ks_failure(error, KESHER_FILE, "%s", messenger->unsaved_reason);
    return messenger->kept.unsaved;
}
