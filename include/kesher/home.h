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

/* Opens `directory`, creating it and its parents (mode 0700) where they do not exist.
 * KESHER_OK with *home for kesher_home_close; KESHER_FILE; KESHER_NO_MEMORY. `error` may be NULL here and in
 * every call of this library. */
KESHER_API enum kesher_status kesher_home_open(const char *directory, struct kesher_home **home,
                                               struct kesher_error *error);
KESHER_API void kesher_home_close(struct kesher_home *home); /* NULL is allowed */

/* The directory as it was given. Owned by the home. */
KESHER_API const char *kesher_home_path(const struct kesher_home *home);

/* The server's "address:port": server.info, else line 1 of transfer.info, else 127.0.0.1:1357.
 * KESHER_OK; KESHER_INVALID when a file is there and makes no sense; KESHER_FILE. */
KESHER_API enum kesher_status kesher_home_server(const struct kesher_home *home,
                                                 char address[KESHER_ADDRESS_SIZE],
                                                 struct kesher_error *error);

/* The same for another service of that server: its host with `port`. */
KESHER_API enum kesher_status kesher_home_service(const struct kesher_home *home, uint16_t port,
                                                  char address[KESHER_ADDRESS_SIZE],
                                                  struct kesher_error *error);

/* Writes server.info unless there is one. KESHER_OK, also when there was one; KESHER_INVALID for an address
 * that is none; KESHER_FILE. */
KESHER_API enum kesher_status kesher_home_remember_server(const struct kesher_home *home, const char *address,
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
