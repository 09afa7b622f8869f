/* ask.h — the ask service: requests of four letters, and what the server replies (protocol.md §3).
 *
 * Part of the public interface of libkesher; include <kesher/kesher.h>.
 *
 * An ask is one connection. Blocking; one thread at a time.
 */
#ifndef KESHER_ASK_H
#define KESHER_ASK_H

#include <kesher/home.h>
#include <kesher/options.h>

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    KESHER_ASK_PORT = 1729,
    KESHER_ASK_BANNER_SIZE = 48,
    KESHER_ASK_REQUEST_SIZE = 4,
    KESHER_ASK_REPLY_LIMIT = 9999,
};

struct kesher_ask;

/* Connects to `address`, where a missing port is KESHER_ASK_PORT, greets, and takes the server's banner.
 * `options` is copied, NULL for all defaults; answer_ms limits how long the banner may keep us waiting.
 * KESHER_OK with *ask for kesher_ask_close; KESHER_INVALID for an address that is none; KESHER_NOT_FOUND when
 * the name does not resolve; KESHER_CONNECTION; KESHER_TIMEOUT; KESHER_NO_MEMORY. */
KESHER_API enum kesher_status kesher_ask_open(const char *address, const struct kesher_options *options,
                                              struct kesher_ask **ask, struct kesher_error *error);

/* Says EXIT, unless the conversation has ended, and closes. NULL is allowed. */
KESHER_API void kesher_ask_close(struct kesher_ask *ask);

/* What the server said first: KESHER_ASK_BANNER_SIZE bytes of a stranger, without a NUL. Owned by the ask. */
KESHER_API const char *kesher_ask_banner(const struct kesher_ask *ask);

struct kesher_ask_reply {
    char request[KESHER_ASK_REQUEST_SIZE + 1]; /* as it was sent, and a NUL */
    bool ended;        /* the server has closed instead of replying: the conversation is over */
    bool unknown;      /* the banner does not name the request, and the reply has the word "unknown" in it */
    const char *bytes; /* of a stranger, without a NUL; the ask's, until the next request */
    size_t size;       /* at most KESHER_ASK_REPLY_LIMIT */
};

/* Sends `text` in ASCII capitals, cut to four bytes or padded with blanks; line ends become blanks. KESHER_OK
 * with *reply; after EXIT, `ended` is all there is in it. KESHER_PROTOCOL when what comes is no reply, or
 * ends early; KESHER_CONNECTION; KESHER_TIMEOUT. After any failure the ask can only be closed. */
KESHER_API enum kesher_status kesher_ask_request(struct kesher_ask *ask, const char *text, size_t size,
                                                 struct kesher_ask_reply *reply, struct kesher_error *error);

/* The descriptor of the connection: it becomes readable between requests when the server closes. */
KESHER_API int kesher_ask_descriptor(const struct kesher_ask *ask);

#ifdef __cplusplus
}
#endif

#endif
