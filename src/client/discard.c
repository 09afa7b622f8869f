/* discard.c — kesher_messenger_discard: what was shown as unreadable, and is so still. */
#include "client/messenger.h"
#include "client/opening.h"
#include "crypto/secret.h"

#include <unistd.h>

/* KESHER_NOT_FOUND when the message at `index` is not to be discarded. */
static enum kesher_status judge(struct kesher_messenger *messenger, size_t index,
                                struct kesher_message *message, struct kesher_error *error)
{
    struct ks_entry entry;
    struct ks_opened opened;
    if (messenger->kept.messages[index].is_unsaved)
        return KESHER_NOT_FOUND;
    enum kesher_status status = ks_kept_open(&messenger->kept, index, &entry, error);
    if (status != KESHER_OK)
        return status;
    status = ks_opening_try(messenger, &entry, &opened, error);
    close(entry.fd);
    *message = opened.message;
    ks_secret_wipe(&opened.key, sizeof opened.key);
    if (status == KESHER_OK && message->content != KESHER_CONTENT_UNREADABLE)
        return KESHER_NOT_FOUND;
    return status;
}

static enum kesher_status discard_first(struct kesher_messenger *messenger, struct kesher_message *message,
                                        struct kesher_error *error)
{
    enum kesher_status status = ks_kept_refresh(&messenger->kept, error);
    if (status != KESHER_OK)
        return status;
    for (size_t index = 0; index < messenger->kept.count; index++) {
        status = judge(messenger, index, message, error);
        if (status == KESHER_OK)
            return ks_kept_remove(&messenger->kept, index, error);
        if (status != KESHER_NOT_FOUND)
            return status;
    }
    return KESHER_NOT_FOUND;
}

enum kesher_status kesher_messenger_discard(struct kesher_messenger *messenger,
                                            struct kesher_message *message, struct kesher_error *error)
{
    struct kesher_error why = {.sentence = ""};
    ks_in_hand_drop(messenger);
    enum kesher_status status =
        ks_home_lock_take(&messenger->inbox.reading, KS_MESSENGER_READ_WAIT_MS, "showing messages", &why);
    if (status == KESHER_OK) {
        status = discard_first(messenger, message, &why);
        ks_home_lock_release(&messenger->inbox.reading);
    }
    if (status != KESHER_OK && status != KESHER_NOT_FOUND && error != NULL)
        *error = why;
    return status;
}
