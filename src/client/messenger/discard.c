/* discard.c — kesher_messenger_discard: what was shown as unreadable, and is so still. */
#include "client/failure.h"
#include "client/messenger/messenger_internal.h"
#include "client/messenger/opening.h"
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

/* There may be a key among what was not shown yet, because another program was at it. */
static enum kesher_status check_nothing_waits(struct kesher_messenger *messenger, struct kesher_error *error)
{
    struct ks_client_inbox_listing listing;
    uint64_t sequence = 0;
    uint64_t offset = 0;
    enum kesher_status status = ks_client_inbox_progress(&messenger->inbox, &sequence, &offset, error);
    uint64_t done = sequence > 0 ? sequence - 1 : 0;
    if (status == KESHER_OK)
        status = ks_client_inbox_list(&messenger->inbox, done, &listing, error);
    if (status != KESHER_OK || listing.next == 0)
        return status;
    return ks_failure(error, KESHER_TIMEOUT,
                      "messages wait to be shown, and a key may be among them, so nothing is discarded; try "
                      "again");
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
            status = check_nothing_waits(messenger, error);
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
