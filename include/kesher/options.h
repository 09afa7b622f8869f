/* options.h — time limits, and what a caller wants to be told while a call works.
 *
 * Part of the public interface of libkesher; include <kesher/kesher.h>.
 */
#ifndef KESHER_OPTIONS_H
#define KESHER_OPTIONS_H

#include <kesher/error.h>
#include <kesher/passphrase.h>

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Called on the thread that made the call, never after the call has returned. Each function may be NULL. */
struct kesher_observer {
    void *context;
    /* Something that is no failure yet: "server responded with an error", a lost connection that is tried
     * again. One line without a newline, safe for a terminal. */
    void (*notice)(void *context, const char *line);
    /* `sent` of `size` bytes of the file in hand are on their way. */
    void (*progress)(void *context, uint64_t sent, uint64_t size);
    /* Where several files may be in hand (<kesher/files.h>): `progress` is of the one with this tag, until
     * the next call. */
    void (*file)(void *context, void *tag);
};

/* What somebody has to be asked while a call works; on the thread that made the call. */
struct kesher_questions {
    void *context;
    /* A secure server is met for the first time, and nobody vouches for it: `question` has its address and
     * its fingerprint; one line, safe for a terminal. True: trust it from now on. NULL: nobody can be asked,
     * and such a server is refused. */
    bool (*trust)(void *context, const char *question);
};

/* What 0 stands for in kesher_options. */
enum {
    KESHER_DEFAULT_CONNECT_MS = 10 * 1000,
    KESHER_DEFAULT_ANSWER_MS = 10 * 1000,
    KESHER_DEFAULT_PROGRESS_MS = 120 * 1000,
    KESHER_DEFAULT_BACKOFF_MS = 250,
    KESHER_DEFAULT_RECONNECTS = 5,
    KESHER_DEFAULT_RETRY_MS = 60 * 1000,
};

/* All zero is a good start: 0 stands for the default. */
struct kesher_options {
    uint32_t connect_ms; /* for making a connection, name resolution aside */
    /* Until the first answer of the server: whoever is silent is no such server. */
    uint32_t answer_ms;
    /* After it: in which at least one byte must move. Silence is not repeated. */
    uint32_t progress_ms;
    uint32_t backoff_ms; /* before the first reconnect; doubles with each, up to 5 s */
    uint32_t reconnects; /* per file or request, of connections that were made and lost */
    /* How long a server that answered before is waited for, while it cannot be connected to: it may be
     * restarting. Less than backoff_ms: nothing is made again. */
    uint32_t retry_ms;
    /* How often what the server answered with an error is asked again. Only the course's batch client does
     * that; nothing that can be mended needs it. */
    uint32_t error_repeats;
    /* The home's server has moved to the address that is given: it may be told the id, and when it shows that
     * it knows the identity, its address is written to server.info. */
    bool moved;
    struct kesher_observer observer;
    struct kesher_questions questions;
    /* For the keys of a home that are under a passphrase. `ask` NULL: there is none to be had. */
    struct kesher_passphrase passphrase;
};

#ifdef __cplusplus
}
#endif

#endif
