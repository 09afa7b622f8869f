/* error.h — how every fallible call of libkesher reports: a status for the program, a sentence for people.
 *
 * Part of the public interface of libkesher; include <kesher/kesher.h>.
 */
#ifndef KESHER_ERROR_H
#define KESHER_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define KESHER_API __attribute__((visibility("default")))
#else
#define KESHER_API
#endif

enum kesher_status {
    KESHER_OK = 0,
    KESHER_INVALID,    /* an argument, or a file of the home, breaks a rule */
    KESHER_NOT_FOUND,  /* no such file, no identity, no address */
    KESHER_EXISTS,     /* there is an identity already */
    KESHER_REFUSED,    /* the server answered, and it was not yes */
    KESHER_CONNECTION, /* no connection could be made, or it was lost */
    KESHER_TIMEOUT,    /* nothing moved for the time limit */
    KESHER_PROTOCOL,   /* what the server sent breaks the protocol */
    KESHER_CHANGED,    /* a user's public key is not the one that was pinned */
    KESHER_NO_KEY,     /* there is no symmetric key with that user */
    KESHER_MISMATCH,   /* the server got something else than was sent, four times */
    KESHER_FILE,       /* a file of one's own cannot be read or written */
    KESHER_CRYPTO,     /* a key does not fit, or the crypto library said no */
    KESHER_NO_MEMORY,
    KESHER_FULL,       /* the server has no room for one more */
    KESHER_NOT_SENT,   /* left out, because an earlier file of the list was given up */
    KESHER_UNKNOWN,    /* the server does not know the home's identity (any more) */
    KESHER_PASSPHRASE, /* the home is under a passphrase, and that was not given */
};

enum { KESHER_SENTENCE_SIZE = 768 };

struct kesher_error {
    enum kesher_status status;
    /* What happened, where, and what to do, without a newline; always NUL-terminated, safe for a terminal. */
    char sentence[KESHER_SENTENCE_SIZE];
};

/* The name of a status, such as "timed out". Never NULL, static storage; any thread. */
KESHER_API const char *kesher_status_text(enum kesher_status status);

#ifdef __cplusplus
}
#endif

#endif
