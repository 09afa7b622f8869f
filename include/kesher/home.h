/* home.h — the directory with a user's classic files: me.info, priv.key, server.info, transfer.info.
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

/* Whether the home keeps its secrets: nobody but its owner may read or write me.info, my.info and priv.key,
 * or write to the directory. The library itself uses such files all the same. KESHER_OK, also for what does
 * not exist; KESHER_INVALID with the command that mends it; KESHER_FILE. */
KESHER_API enum kesher_status kesher_home_check_modes(const struct kesher_home *home,
                                                      struct kesher_error *error);

/* The server's "address:port": server.info, else line 1 of transfer.info, else 127.0.0.1:1357. Registering
 * writes server.info, unless the home says the same already; so does the first call that shows a server to
 * know an identity whose home says nothing. The home's id is told to no other server: calls that would are
 * refused (KESHER_INVALID), unless kesher_options.moved is set. Addresses are compared, not looked up.
 * KESHER_OK; KESHER_INVALID when a file is there and makes no sense; KESHER_FILE. */
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
