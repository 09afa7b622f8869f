/* chat.h — group chat: who knows a group's number and password hears what its members say (protocol.md §2).
 *
 * Part of the public interface of libkesher; include <kesher/kesher.h>.
 *
 * A chat is one connection to a chat server. There are two ways to use it:
 *
 * - kesher_chat_create, or kesher_chat_find and kesher_chat_join, answer the server's menu and its prompts,
 *   and return as a member of a group. They block, within the limits of `options`.
 * - Or nothing of that: kesher_chat_receive then gives the server's menu and prompts as they come, and
 *   kesher_chat_send sends what is to answer them.
 *
 * After that nothing blocks: poll(2) what kesher_chat_watch says, and call kesher_chat_receive, which moves
 * bytes in both directions. What waits to be sent is kept; kesher_chat_backlog tells when to hand over no
 * more. What the server sends needs no more memory than the chat has from the start.
 *
 * At a classic server nothing is encrypted: the server, and whoever sits in between, read names, passwords
 * and messages. At a secure one only the server does, and whoever talks there has an account
 * (kesher_chat_open_account): names are one's own, and who joins is told.
 *
 * Servers of the oldest kind want their input without newlines, one send for each. They are recognised by
 * calling the first valid choice of the menu invalid; then the chat connects anew and speaks as they do. With
 * those, two messages that TCP joined cannot be told apart, and messages over 1024 bytes become several.
 *
 * One thread at a time.
 */
#ifndef KESHER_CHAT_H
#define KESHER_CHAT_H

#include <kesher/account.h>
#include <kesher/home.h>
#include <kesher/options.h>

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    KESHER_CHAT_PORT = 5555,
    KESHER_CHAT_INPUT_LIMIT = 1024, /* bytes of a name or a password: what any server reads at once */
};

struct kesher_chat;

/* Connects to `address`; a missing port is KESHER_CHAT_PORT. `options` is copied, NULL for all defaults;
 * answer_ms limits how long the menu may take to come. KESHER_OK with *chat for kesher_chat_close;
 * KESHER_INVALID for an address that is none; KESHER_NOT_FOUND when the name does not resolve;
 * KESHER_CONNECTION; KESHER_TIMEOUT; KESHER_NO_MEMORY. */
KESHER_API enum kesher_status kesher_chat_open(const char *address, const struct kesher_options *options,
                                               struct kesher_chat **chat, struct kesher_error *error);

/* The same at a secure server, on a connection of its own: signs in as `account`, which need not outlive the
 * call, and asks to talk. KESHER_OK with *chat for kesher_chat_close; errors as kesher_account_ask. */
KESHER_API enum kesher_status kesher_chat_open_account(struct kesher_account *account,
                                                       const struct kesher_options *options,
                                                       struct kesher_chat **chat, struct kesher_error *error);

/* The name that a secure server proposes: the account's. Owned by the chat; empty at a classic server. */
KESHER_API const char *kesher_chat_proposed_name(const struct kesher_chat *chat);

/* Closes the connection, as it is, and wipes what was to be sent. NULL is allowed. */
KESHER_API void kesher_chat_close(struct kesher_chat *chat);

/* ---- becoming a member ----
 *
 * These are for a chat of which nothing else was asked yet. Errors that they have in common:
 * KESHER_INVALID: a name or a password that is empty or longer than KESHER_CHAT_INPUT_LIMIT, a name of which
 * only blanks are left without its control characters, a password with a line end in it, or a call out of
 * turn. KESHER_EXISTS: at a secure server, somebody else has the name. KESHER_FULL: the server has no room
 * for one more. KESHER_CONNECTION, KESHER_TIMEOUT, KESHER_NO_MEMORY, and KESHER_PROTOCOL for a server that
 * does not speak as a chat server does: the chat can only be closed. KESHER_TIMEOUT after 10 s without an
 * answer to a password: servers of the oldest kind die of one that is not digits, and the sentence says so.
 * Where a group is joined and the server may only be slowing down guesses, `options.observer` gets that as a
 * notice, and it is waited for another 20 s.
 *
 * A name goes to the server without its control characters, line ends among them. */

/* Creates a group and becomes its first member under `name`, of which the server keeps 64 bytes. KESHER_OK
 * with the number of the group in *group. */
KESHER_API enum kesher_status kesher_chat_create(struct kesher_chat *chat, const char *name,
                                                 const void *password, size_t password_size, unsigned *group,
                                                 struct kesher_error *error);

/* Looks for a group. KESHER_OK when there is one: its password is asked for. KESHER_NOT_FOUND: look for
 * another; `name` counts in the first call. */
KESHER_API enum kesher_status kesher_chat_find(struct kesher_chat *chat, const char *name, unsigned group,
                                               struct kesher_error *error);

/* Becomes a member of the group that was found. KESHER_REFUSED: the password is wrong, give another;
 * KESHER_NOT_FOUND: the group is gone, find another. A server that has had enough of wrong passwords closes
 * the connection (KESHER_CONNECTION). */
KESHER_API enum kesher_status kesher_chat_join(struct kesher_chat *chat, const void *password,
                                               size_t password_size, struct kesher_error *error);

/* ---- talking ---- */

/* Hands over bytes of lines: each line is one message (or, before one is a member, one answer), and what has
 * no line end yet waits for it. Empty lines are nothing. "Exit" alone leaves the group. KESHER_OK;
 * KESHER_NO_MEMORY, and nothing was taken. That the connection is lost is what kesher_chat_receive tells;
 * what is handed over then waits for kesher_chat_take_over. */
KESHER_API enum kesher_status kesher_chat_send(struct kesher_chat *chat, const void *bytes, size_t size,
                                               struct kesher_error *error);

/* Hands over one line: `text` and its end. Errors as kesher_chat_send. */
KESHER_API enum kesher_status kesher_chat_say(struct kesher_chat *chat, const void *text, size_t size,
                                              struct kesher_error *error);

/* How many bytes were handed over and are not on their way. Let it sink before handing over more. */
KESHER_API size_t kesher_chat_backlog(const struct kesher_chat *chat);

/* After all that was handed over: a member says that it leaves, anybody else ends his input. The server then
 * closes: KESHER_CHAT_END comes from kesher_chat_receive. KESHER_OK; KESHER_NO_MEMORY. */
KESHER_API enum kesher_status kesher_chat_leave(struct kesher_chat *chat, struct kesher_error *error);

enum kesher_chat_kind {
    KESHER_CHAT_NOTHING,       /* nothing has come: wait */
    KESHER_CHAT_MESSAGE,       /* `name` says `text` */
    KESHER_CHAT_HAS_LEFT,      /* `name` has left; `text` is the rest of the line */
    KESHER_CHAT_FAREWELL,      /* the server confirms that one leaves: the end is next */
    KESHER_CHAT_ASKS_PASSWORD, /* what is typed next should not be seen */
    KESHER_CHAT_TEXT,          /* anything else that the server says, of one line or several */
    KESHER_CHAT_END,           /* the server has closed the connection, or will */
};

/* Bytes of strangers: make them harmless before a terminal sees them. */
struct kesher_chat_line {
    enum kesher_chat_kind kind;
    const char *name; /* of MESSAGE and HAS_LEFT; not NUL-terminated, nor is `text` */
    size_t name_size;
    const char *text; /* without the line end */
    size_t text_size;
    bool unfinished; /* more of the line may come: there was no line end */
};

/* The next thing that the server says; what `line` points to stays until the next call with this chat.
 * Sends what waits, as far as the socket takes it. Does not block, except for connecting anew to a server of
 * the oldest kind, once. KESHER_OK, and `line` says which; after KESHER_CHAT_END nothing else comes.
 * KESHER_CONNECTION when the connection broke; errors of kesher_chat_open from connecting anew. */
KESHER_API enum kesher_status kesher_chat_receive(struct kesher_chat *chat, struct kesher_chat_line *line,
                                                  struct kesher_error *error);

/* When to call kesher_chat_receive again after KESHER_CHAT_NOTHING: as soon as `watched` has an event, and at
 * the latest after the returned number of milliseconds, -1 for no limit. */
KESHER_API int kesher_chat_watch(const struct kesher_chat *chat, struct pollfd *watched);

/* ---- a connection that was lost ----
 *
 * A group may go on without a member whose connection was lost: open another chat, find the group, join it,
 * and let that one take over. What others said in between is missing, and nobody knows of the last lines that
 * were sent whether they arrived. */

/* How many lines were handed over and did not go out in full; the one that says that one leaves aside. */
KESHER_API size_t kesher_chat_unsent(const struct kesher_chat *chat);

/* `chat`, which has just become a member, sends what `lost` has not sent in full, and leaves if `lost` was to
 * leave. A line of which a part has gone out is sent from its beginning, unless it is longer than 4096 bytes:
 * then its rest is a line. `lost` can only be closed. KESHER_OK; KESHER_NO_MEMORY, and nothing was taken. */
KESHER_API enum kesher_status kesher_chat_take_over(struct kesher_chat *chat, struct kesher_chat *lost,
                                                    struct kesher_error *error);

#ifdef __cplusplus
}
#endif

#endif
