/* messenger_internal.h — the inside of a messenger, for the files that make it up:
 *
 *   messenger.c     opening and closing; registering, the users, one's own public key
 *   user_keys.c     keys of and with other users: asking, sharing, accepting, forgetting
 *   send.c          texts and files to others: which key, whether it is shared before
 *   pull.c          what waits at the server: 604, onto the disk
 *   receive.c       messages from disk: next, read, done
 *   discard.c       messages that nobody can read
 *   opening.c       what is in a message: keys, texts, files
 *   sender_names.c  names of senders
 *
 * One thread at a time.
 */
#ifndef KS_CLIENT_MESSENGER_MESSENGER_INTERNAL_H
#define KS_CLIENT_MESSENGER_MESSENGER_INTERNAL_H

#include "client/inbound/client_inbox.h"
#include "client/inbound/kept.h"
#include "client/inbound/plaintext.h"
#include "client/messenger/sender_names.h"
#include "client/outbound/outgoing.h"
#include "client/people/contacts.h"
#include "client/transport/client_session.h"

#include <kesher/messages.h>

enum { KS_MESSENGER_READ_WAIT_MS = 1000 }; /* as long as another program shows a message, it has them all */

#define KS_RECEIVED_DIRECTORY "received" /* in the home: files that came */

/* The message that kesher_messenger_next gave last. */
struct ks_in_hand {
    bool active;
    bool is_text;
    bool keep;                   /* not readable now, but it may become so */
    bool is_unsaved;             /* a file that could not be saved */
    bool is_news;                /* that something under `key` was shown is to be written down */
    struct ks_symmetric_key key; /* of a text or a file */
    char sender[KS_TEXT_FIELD_SIZE];
    struct ks_place place;
    struct ks_entry entry;         /* its descriptor is ours when place.is_kept, else the inbox's */
    struct ks_plaintext plaintext; /* of a text */
};

/* How far the unreadable ones were tried with the keys that there are. */
struct ks_retrial {
    bool begun;
    uint64_t stamp; /* of contacts and names, when it began */
    uint64_t sequence;
    uint64_t offset; /* all up to this place were tried */
};

struct kesher_messenger {
    struct ks_client_session session;
    struct ks_contacts contacts;
    struct ks_client_inbox inbox;
    struct ks_kept kept;
    struct ks_sender_names senders;
    struct ks_in_hand in_hand;
    struct ks_retrial retrial;
    struct ks_client_id distrusted; /* whose public key was not the pinned one, since the last pull */
    bool has_distrusted;
    bool had_only_repeats; /* the last answer with messages had none that was new */
    bool classic;          /* as kesher_messenger_settings has it */
    bool offline;          /* a question asked on the side failed: no more of them until the next pull */
    char *file_directory;
    bool saves_at_home;                        /* file_directory is the home's, and may have to be made */
    char unsaved_reason[KESHER_SENTENCE_SIZE]; /* why the last file could not be saved */
    uint8_t piece[KS_OUTGOING_PIECE_SIZE];     /* of what goes out, or comes in */
};

/* Lets go of the message in hand, which is not done with. */
void ks_in_hand_drop(struct kesher_messenger *messenger);

#endif
