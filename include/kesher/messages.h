/* messages.h — messages between users, encrypted end to end (protocol.md §1.3).
 *
 * Part of the public interface of libkesher; include <kesher/kesher.h>.
 *
 * A messenger is one identity's conversation with one server: it finds users by name, agrees on symmetric
 * keys, sends texts and files, and receives what waits. It connects when it has to, and again after a loss.
 * Blocking; one thread at a time. Contents are streamed: memory stays constant for any size.
 *
 * Trust. The public key of every user is pinned in the home at first sight; a server that later hands out
 * another one is refused (KESHER_CHANGED) until the user forgets the old one. A symmetric key from somebody
 * who has the name of a user, but not the pinned public key, is not taken. Nothing proves who made a
 * symmetric key that arrives: the server could have, and whoever has the other user's id. So it decrypts, and
 * never encrypts: what is sent is encrypted under a key that was made here and went out under the pinned
 * public key. The same key is shared again before the next text after a request for a key, or a key not seen
 * before, has come, since the other side may have lost it. Texts and files under a received key have a mark
 * (enum kesher_key_mark) until the user accepts the key. Old keys stay for decryption: the last 64 of one's
 * own, and 64 received ones, which push out none of one's own.
 *
 * Receiving. kesher_messenger_pull puts what the server sends on disk, synced, before anything is shown; only
 * kesher_messenger_next takes messages from there. So a crash at any point loses nothing that was pulled, and
 * shows nothing twice that kesher_messenger_done was called for. Messages that came before (the same sender,
 * id, type and content), which a server may send again after a crash, are dropped, requests for a key aside:
 * all of the last pull and at least the last 65,536 are remembered. What cannot be decrypted is kept, and
 * comes again from kesher_messenger_next once a key for it has arrived; over 4,096 such messages, or 512 MiB
 * of them, the oldest are dropped. So is a file that cannot be saved, which holds up nothing that came after
 * it: it comes again once it can be saved, and is never dropped.
 *
 * Sharing. Programs on one home take turns: while one receives, the others wait with kesher_messenger_pull;
 * while one has a message in hand, from kesher_messenger_next to _done, the others have none.
 */
#ifndef KESHER_MESSAGES_H
#define KESHER_MESSAGES_H

#include <kesher/identity.h>

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { KESHER_ID_SIZE = 16 };

/* Another user, as the server names it. */
struct kesher_user {
    uint8_t id[KESHER_ID_SIZE]; /* public: an alias of the secret id, from servers that tell no secrets */
    char name[KESHER_NAME_SIZE];
};

struct kesher_messenger;

struct kesher_messenger_settings {
    /* True: as the classic console. Symmetric keys live as long as the messenger, and the newest, whoever
     * made it, encrypts what is sent; nothing has a mark. False: they are read from the home and kept there
     * (0600), and only one's own encrypt. Public keys are pinned in the home either way. */
    bool classic;
    /* Where received files go: an existing directory. NULL for received/ in the home, which is made (0700)
     * when the first file comes; for a classic messenger, $TMPDIR, else /tmp. Copied. */
    const char *file_directory;
};

/* Loads the home's identity. Does not connect yet. `home` must outlive the messenger; `options` is copied,
 * NULL for defaults. Several messengers, in several processes, may share one home. KESHER_OK with *messenger
 * for kesher_messenger_close; KESHER_INVALID also when `address` is not the home's server
 * (kesher_home_server), unless options->moved; errors as kesher_identity_load. */
KESHER_API enum kesher_status kesher_messenger_open(const struct kesher_home *home, const char *address,
                                                    const struct kesher_messenger_settings *settings,
                                                    const struct kesher_options *options,
                                                    struct kesher_messenger **messenger,
                                                    struct kesher_error *error);
KESHER_API void kesher_messenger_close(struct kesher_messenger *messenger); /* wipes; NULL is allowed */

/* Registers `name` with 600 only, as the classic console does. Otherwise as kesher_register. */
KESHER_API enum kesher_status kesher_register_messages(struct kesher_home *home, const char *address,
                                                       const char *name, const struct kesher_options *options,
                                                       struct kesher_identity **identity,
                                                       struct kesher_error *error);

/* What the calls below have in common: KESHER_OK; KESHER_REFUSED when the server answered with an error (not
 * repeated); KESHER_UNKNOWN when it answered as one that does not know this user; KESHER_CONNECTION,
 * KESHER_TIMEOUT; KESHER_PROTOCOL when sizes lie or codes are wrong; KESHER_FILE for the home's files;
 * KESHER_NO_MEMORY. `user` is a name; KESHER_NOT_FOUND when the server's list has no such user,
 * KESHER_INVALID when it cannot be a name. */

/* Calls `visit` for every other user, in the order of registration. False from `visit` ends the list early,
 * which is no error. */
KESHER_API enum kesher_status kesher_messenger_users(struct kesher_messenger *messenger,
                                                     bool (*visit)(void *context,
                                                                   const struct kesher_user *user),
                                                     void *context, struct kesher_error *error);

struct kesher_user_key {
    struct kesher_user user;
    char fingerprint[KESHER_FINGERPRINT_SIZE]; /* as kesher_identity_fingerprint */
    bool is_new;                               /* pinned just now */
};

/* Asks for the public key of `user` and pins it. KESHER_CHANGED when another one is pinned: nothing changes,
 * the sentence has both fingerprints and what to do. */
KESHER_API enum kesher_status kesher_messenger_key(struct kesher_messenger *messenger, const char *user,
                                                   struct kesher_user_key *key, struct kesher_error *error);

/* Forgets what is pinned for `user` and every symmetric key shared under it; for a user who has really got a
 * new key. KESHER_NOT_FOUND when nothing is known of such a user. Does not connect. */
KESHER_API enum kesher_status kesher_messenger_forget(struct kesher_messenger *messenger, const char *user,
                                                      struct kesher_error *error);

/* Makes sure that the server has this identity's public key, which others need to share a key with it: sends
 * it where there is none, as after an operator has reset it. *published (may be NULL): that was so.
 * KESHER_CHANGED when the server has another one: what others send cannot be read then. */
KESHER_API enum kesher_status kesher_messenger_publish_key(struct kesher_messenger *messenger,
                                                           bool *published, struct kesher_error *error);

/* Type 1: asks `user` for a symmetric key. */
KESHER_API enum kesher_status kesher_messenger_request_key(struct kesher_messenger *messenger,
                                                           const char *user, struct kesher_error *error);

/* Type 2: makes a new symmetric key, sends it, and uses it for sending from now on, once the server has it.
 * Pins the public key on the way; KESHER_CHANGED. Nobody has to call this before kesher_messenger_send. */
KESHER_API enum kesher_status kesher_messenger_share_key(struct kesher_messenger *messenger, const char *user,
                                                         struct kesher_error *error);

/* Accepts the newest symmetric key that came from `user` and was not accepted before: texts and files under
 * it have no mark from now on. It concerns reading only. KESHER_NOT_FOUND when there is none. Does not
 * connect. */
KESHER_API enum kesher_status kesher_messenger_accept_key(struct kesher_messenger *messenger,
                                                          const char *user, struct kesher_error *error);

enum kesher_key_state {
    KESHER_KEY_NONE,   /* no symmetric key to send to this user with */
    KESHER_KEY_IN_USE, /* one for sending */
};

/* What there is to send to `user` with. Does not connect. */
KESHER_API enum kesher_status kesher_messenger_key_state(struct kesher_messenger *messenger, const char *user,
                                                         enum kesher_key_state *state,
                                                         struct kesher_error *error);

enum kesher_message_type {
    KESHER_MESSAGE_KEY_REQUEST = 1,
    KESHER_MESSAGE_KEY = 2,
    KESHER_MESSAGE_TEXT = 3,
    KESHER_MESSAGE_FILE = 4,
};

/* What a server says of a message that it has taken. */
struct kesher_receipt {
    bool has_id; /* there are servers that tell none */
    uint32_t message_id;
};

/* Sends `size` bytes of `fd` (read with pread(2) from its start; the caller's) as a text or a file, encrypted
 * under the symmetric key with `user`. `make_key`: shares one first when there is none; otherwise
 * KESHER_NO_KEY. Shares the same one again before, when `user` may have lost it. *receipt may be NULL.
 * KESHER_FILE when `fd` cannot be read, became shorter, or is larger than the protocol carries. A lost
 * connection is not tried again once the content was on its way: nobody could know whether the message was
 * stored. */
KESHER_API enum kesher_status kesher_messenger_send(struct kesher_messenger *messenger, const char *user,
                                                    enum kesher_message_type type, int fd, uint64_t size,
                                                    bool make_key, struct kesher_receipt *receipt,
                                                    struct kesher_error *error);

/* Asks the server for what waits (604), once, and puts it on disk. *more (may be NULL) is true when anything
 * came: the server may have more; but not after two answers in a row with nothing new, for there are servers
 * that do not delete what they deliver. An answer that breaks off leaves
 * nothing: the server sends it again. The last byte of an answer is taken only when all of it is on disk: so
 * when the program dies before, the system resets the connection, by which the server knows. KESHER_TIMEOUT
 * also when another program does not come to an end receiving; KESHER_FILE also when there is no room on the
 * disk: what waits stays with the server. */
KESHER_API enum kesher_status kesher_messenger_pull(struct kesher_messenger *messenger, bool *more,
                                                    struct kesher_error *error);

enum kesher_content {
    KESHER_CONTENT_NONE,       /* types 1 and 2; a key was taken in already */
    KESHER_CONTENT_TEXT,       /* for kesher_messenger_read */
    KESHER_CONTENT_FILE,       /* decrypted and saved, see `path` */
    KESHER_CONTENT_UNREADABLE, /* no key fits (yet), or it is broken */
    KESHER_CONTENT_UNSAVED,    /* a file that cannot be saved now, see `reason`; it is kept */
};

/* Under whose key a text or a file came. */
enum kesher_key_mark {
    KESHER_KEY_MARK_NONE, /* one's own, or one that was accepted */
    KESHER_KEY_MARK_NEW,  /* a received one, which anyone holding the sender's id could have sent; nothing
                             under it was shown before */
    KESHER_KEY_MARK_UNACCEPTED, /* the same, and not the first under it */
};

struct kesher_message {
    uint32_t message_id;
    uint8_t type;              /* enum kesher_message_type; a foreign server may send others */
    struct kesher_user sender; /* name is empty when the server's list does not have the sender */
    int64_t received;          /* when this home took it from the server: seconds since 1970, UTC. The
                                  protocol does not say when it was sent */
    enum kesher_content content;
    uint64_t content_size;             /* of the text or file, decrypted; of what came, when unreadable */
    char path[KESHER_PATH_SIZE];       /* of the saved file, absolute */
    char reason[KESHER_SENTENCE_SIZE]; /* why the file could not be saved; safe for a terminal */
    bool again;                        /* was unreadable, or could not be saved, when it was shown before */
    enum kesher_key_mark mark;
};

/* Takes the next message from disk; without kesher_messenger_done in between, the same one again. KESHER_OK
 * with *message; KESHER_NOT_FOUND when there is none, or another program has one in hand for longer than a
 * second (`error` is left alone). A file that cannot be saved comes as KESHER_CONTENT_UNSAVED the first time,
 * and then not before it can be; it is tried again after every KESHER_NOT_FOUND. Asks the server for names
 * and for keys that it needs; when that fails, messages come all the same, with empty names. */
KESHER_API enum kesher_status kesher_messenger_next(struct kesher_messenger *messenger,
                                                    struct kesher_message *message,
                                                    struct kesher_error *error);

/* The next bytes of the text of the message that kesher_messenger_next gave last; *size is 0 at its end. */
KESHER_API enum kesher_status kesher_messenger_read(struct kesher_messenger *messenger, void *bytes,
                                                    size_t capacity, size_t *size,
                                                    struct kesher_error *error);

/* That message was shown and need not come again (unless it was unreadable and becomes readable, or could not
 * be saved and can be). */
KESHER_API enum kesher_status kesher_messenger_done(struct kesher_messenger *messenger,
                                                    struct kesher_error *error);

/* Discards the first of the messages that were shown as unreadable and cannot be read still: *message says
 * which it was. What can be read is never discarded, nor is a file that only could not be saved. KESHER_OK;
 * KESHER_NOT_FOUND when there is none left (`error` is left alone); KESHER_CONNECTION when the server could
 * not be asked for the names of senders, without which it is not known what can be read; KESHER_TIMEOUT while
 * another program shows messages, or while some wait that were not shown yet; KESHER_FILE. */
KESHER_API enum kesher_status kesher_messenger_discard(struct kesher_messenger *messenger,
                                                       struct kesher_message *message,
                                                       struct kesher_error *error);

/* How many received files wait until they can be saved, as of the last kesher_messenger_next. When there are
 * any, `error` has the reason why the last one that was tried could not be, unless this messenger has tried
 * none. */
KESHER_API size_t kesher_messenger_unsaved(const struct kesher_messenger *messenger,
                                           struct kesher_error *error);

#ifdef __cplusplus
}
#endif

#endif
