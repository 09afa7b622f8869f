/* home.h — the directory with a user's files: me.info, priv.key, server.info and transfer.info are classic,
 * account.key and server.trust of the secure port.
 *
 * Part of the public interface of libkesher; include <kesher/kesher.h>.
 *
 * A home is an open directory. It is used by one thread at a time. Files are read liberally (CRLF, blank
 * lines, no newline at the end) and written strictly, each by temporary file, sync and rename.
 */
#ifndef KESHER_HOME_H
#define KESHER_HOME_H

#include <kesher/error.h>

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    KESHER_ADDRESS_SIZE = 320, /* of "address:port" with its NUL */
    KESHER_NAME_SIZE = 255,    /* of a user's name with its NUL */
    KESHER_PATH_SIZE = 4096,
};

struct kesher_home;

/* Opens `directory`. One that does not exist is a home without files; the first registration makes it, with
 * its parents (mode 0700), and nothing else does. Temporary files with keys in them that programs have left
 * there which died, an hour ago or longer, are removed. KESHER_OK with *home for kesher_home_close;
 * KESHER_FILE; KESHER_NO_MEMORY. `error` may be NULL here and in every call of this library. */
KESHER_API enum kesher_status kesher_home_open(const char *directory, struct kesher_home **home,
                                               struct kesher_error *error);
KESHER_API void kesher_home_close(struct kesher_home *home); /* NULL is allowed */

/* The directory as it was given. Owned by the home. */
KESHER_API const char *kesher_home_path(const struct kesher_home *home);

/* Whether there is such a directory. */
KESHER_API bool kesher_home_exists(const struct kesher_home *home);

/* Whether the home keeps its secrets: nobody but its owner may read or write me.info, my.info, priv.key and
 * account.key, or write to the directory. The library itself uses the classic ones all the same. KESHER_OK,
 * also for what does not exist; KESHER_INVALID with the command that mends it; KESHER_FILE. */
KESHER_API enum kesher_status kesher_home_check_modes(const struct kesher_home *home,
                                                      struct kesher_error *error);

enum kesher_server_kind {
    KESHER_SERVER_CLASSIC, /* the ports of the first half of the protocol: for networks that one trusts */
    KESHER_SERVER_SECURE,  /* TLS, accounts */
};

/* Whom to talk to. */
struct kesher_server {
    enum kesher_server_kind kind;
    char address[KESHER_ADDRESS_SIZE]; /* "host:port" */
    bool has_fingerprint;              /* the link said which key the server has */
    unsigned char fingerprint[32];
    bool has_invitation;
    unsigned char invitation[16]; /* a secret: wipe it */
};

/* Which server a command talks to. `given` is what the caller said, a link (kesher://…, https://…) or a
 * classic "address:port", or NULL for nothing. Neither kind ever becomes the other by itself:
 *
 *     the home                         nothing given            a link                   "address:port"
 *     -------------------------------  -----------------------  -----------------------  -------------------
 *     new                              kesher://127.0.0.1:1358  that server              that server
 *     with a server.info or            the classic server       that server              that server
 *       transfer.info, no identity       that it names
 *     with a classic identity          its classic server,      refused: see `adopt`     that server (1)
 *                                        else 127.0.0.1:1357
 *     the same, `adopt`                the server that it       that server (2)          refused
 *                                        began with, or refused
 *     that trusts a secure server      its server               its server; another one  refused
 *                                                                 is refused, unless
 *                                                                 `moved` (2)
 *     with an account, trusting none   refused                  that server              refused
 *       (kesher server --forget)
 *
 * (1) It is told the id only if it is the home's, or has `moved` (kesher_home_server). (2) The server must
 * still prove itself: moved, it must show the key that the home trusts. A home has a classic identity when
 * there is a me.info or my.info and no account that a server has confirmed; `adopt` is for the call that
 * turns the one into the other (kesher register --adopt). In a home that is not classic it changes nothing
 * but that an "address:port" is refused.
 *
 * KESHER_OK with *server; KESHER_INVALID for what is refused, with what to do, for what is neither a link nor
 * an address, and when a file of the home makes no sense; KESHER_FILE; KESHER_NO_MEMORY. */
KESHER_API enum kesher_status kesher_home_choose_server(const struct kesher_home *home, const char *given,
                                                        bool adopt, bool moved, struct kesher_server *server,
                                                        struct kesher_error *error);

/* The classic server's "address:port": server.info, else line 1 of transfer.info, else 127.0.0.1:1357.
 * Registering writes server.info, unless the home says the same already; so does the first call that shows a
 * server to know an identity whose home says nothing. The home's id is told to no other server: calls that
 * would are refused (KESHER_INVALID), unless kesher_options.moved is set. Addresses are compared, not looked
 * up. KESHER_OK; KESHER_INVALID when a file is there and makes no sense, and in a home that belongs to a
 * secure server; KESHER_FILE. */
KESHER_API enum kesher_status kesher_home_server(const struct kesher_home *home,
                                                 char address[KESHER_ADDRESS_SIZE],
                                                 struct kesher_error *error);

/* The same for another service of that server: its host with `port`. */
KESHER_API enum kesher_status kesher_home_service(const struct kesher_home *home, uint16_t port,
                                                  char address[KESHER_ADDRESS_SIZE],
                                                  struct kesher_error *error);

struct kesher_transfer {
    char address[KESHER_ADDRESS_SIZE];
    char name[KESHER_NAME_SIZE];
    char path[KESHER_PATH_SIZE]; /* of the file to send, as it stands in line 3 */
};

/* Reads transfer.info. KESHER_OK; KESHER_NOT_FOUND; KESHER_INVALID; KESHER_FILE. */
KESHER_API enum kesher_status kesher_home_transfer(const struct kesher_home *home,
                                                   struct kesher_transfer *transfer,
                                                   struct kesher_error *error);

#ifdef __cplusplus
}
#endif

#endif
