/* opening.h — what is in a received message: a key is taken in, a text is made ready to be read, a file is
 * saved. One thread at a time.
 */
#ifndef KS_CLIENT_MESSENGER_OPENING_H
#define KS_CLIENT_MESSENGER_OPENING_H

#include "client/messenger/messenger_internal.h"

struct ks_opened {
    struct kesher_message message;
    bool keep;                   /* unreadable now, but it may become readable */
    struct ks_symmetric_key key; /* of a text or a file; to be wiped */
    bool is_news;                /* once it is shown, that changes what is known of the key */
};

/* Opens the message. A text's plaintext is left open in messenger->in_hand. KESHER_OK with *opened, also when
 * a file cannot be saved; KESHER_FILE when the home cannot be written; KESHER_CRYPTO; KESHER_NO_MEMORY. What
 * only the server could tell and does not makes a message unreadable, or leaves the name empty. */
enum kesher_status ks_opening_open(struct kesher_messenger *messenger, const struct ks_entry *entry,
                                   struct ks_opened *opened, struct kesher_error *error);

/* What ks_opening_open would find, without saving a file: opened->message.content is UNREADABLE or something
 * else. KESHER_CONNECTION when the server would have to be asked and cannot be; else errors as above. */
enum kesher_status ks_opening_try(struct kesher_messenger *messenger, const struct ks_entry *entry,
                                  struct ks_opened *opened, struct kesher_error *error);

#endif
