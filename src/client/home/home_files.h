/* home_files.h — a home as a directory, for the rest of libkesher: its files, written durably, its
 * directories, and the sentences about them. Whatever it holds below has a directory in it that is a home of
 * its own: contacts/, inbox/, put/. One thread at a time.
 */
#ifndef KS_CLIENT_HOME_HOME_FILES_H
#define KS_CLIENT_HOME_HOME_FILES_H

#include "base/buffer.h"

#include <kesher/home.h>

#include <dirent.h>
#include <stdbool.h>

struct kesher_home {
    int directory_fd; /* -1 while there is no such directory; then nothing is written either */
    char *path;
};

/* Opens the directory of home->path, if there is one. KESHER_OK; KESHER_FILE. */
enum kesher_status ks_home_files_open(struct kesher_home *home, struct kesher_error *error);

/* Makes the directory and its parents (0700) where they do not exist. KESHER_OK; KESHER_FILE. */
enum kesher_status ks_home_files_make(struct kesher_home *home, struct kesher_error *error);

/* Reads a whole small file of the home into the empty `buffer`, whose limit holds. KESHER_OK;
 * KESHER_NOT_FOUND; KESHER_FILE; KESHER_INVALID when it is longer than the limit; KESHER_NO_MEMORY. */
enum kesher_status ks_home_files_read(const struct kesher_home *home, const char *name,
                                      struct ks_buffer *buffer, struct kesher_error *error);

/* Replaces it durably, mode 0600. KESHER_OK; KESHER_FILE. */
enum kesher_status ks_home_files_write(const struct kesher_home *home, const char *name,
                                       const struct ks_buffer *bytes, struct kesher_error *error);

/* Copies `name`, if it is there, to the first of name.old.1, name.old.2, … that is free.
 * KESHER_OK; errors as above. */
enum kesher_status ks_home_files_keep_old(const struct kesher_home *home, const char *name,
                                          struct kesher_error *error);

bool ks_home_files_exists(const struct kesher_home *home, const char *name);

/* Opens the directory `name` of the home as a home of its own, creating it (0700) where it does not exist.
 * KESHER_OK with *directory for kesher_home_close; KESHER_FILE; KESHER_NO_MEMORY. */
enum kesher_status ks_home_files_directory(const struct kesher_home *home, const char *name,
                                           struct kesher_home **directory, struct kesher_error *error);

/* Begins to list the directory of the home; *entries is to be closed with closedir(3). KESHER_OK;
 * KESHER_FILE. */
enum kesher_status ks_home_files_list(const struct kesher_home *home, DIR **entries,
                                      struct kesher_error *error);

/* Removes the temporary files of ks_home_files_write by programs that died, which have keys in them: those
 * that nobody has written to for so many seconds. */
void ks_home_files_sweep(const struct kesher_home *home, unsigned age_seconds);

/* Removes those of one file, however new: the caller holds a lock that all who write it take. */
void ks_home_files_sweep_of(const struct kesher_home *home, const char *name);

/* KESHER_FILE with the sentence "cannot <doing> <name> in '<home>': <reason>". */
enum kesher_status ks_home_files_failure(const struct kesher_home *home, int error_number, const char *doing,
                                         const char *name, struct kesher_error *error);

/* KESHER_INVALID with the sentence "<name> in '<home>' is not as it should be; it needs <expected>". */
enum kesher_status ks_home_files_fail_content(const struct kesher_home *home, const char *name,
                                              const char *expected, struct kesher_error *error);

#endif
