/* destination.h — where a file that is fetched goes: a path below a directory that is open already. It never
 * leads out of that: not absolutely, not over "..", not through a symbolic link. One thread at a time.
 */
#ifndef KS_CLIENT_FILES_DESTINATION_H
#define KS_CLIENT_FILES_DESTINATION_H

#include "client/files/files_internal.h"
#include "crypto/checksum.h"

#include <limits.h>
#include <sys/stat.h>

struct ks_destination {
    int base;         /* the directory that is open; the caller's */
    const char *path; /* below it; the caller's */
    const char *name; /* of the file itself: the end of `path` */
    bool replace;
    int directory; /* owned: the one that has the file, as O_PATH; -1 for none */
    dev_t device;  /* the directory's */
    ino_t inode;
    char shown[KS_FILES_SHOWN_SIZE]; /* the path, safe for sentences */
};

/* What has the name already. */
struct ks_destination_present {
    bool is_there;
    bool is_file; /* a regular one */
    uint64_t size;
    mode_t mode; /* its permissions; of a regular file */
};

/* Judges the path and opens its directory, making those that are not there (0777, less the umask).
 * KESHER_OK, and ks_destination_close is due; KESHER_INVALID for a path that leads out of the directory, or
 * that the file system cannot have; KESHER_FILE; KESHER_NO_MEMORY. */
enum kesher_status ks_destination_open(struct ks_destination *destination, const struct kesher_get *get,
                                       struct kesher_error *error);
void ks_destination_close(struct ks_destination *destination); /* one that was closed is fine */

/* KESHER_OK when there is nothing, a regular file, or, with `replace`, a symbolic link, which is not
 * followed; KESHER_EXISTS when there is something else, without `replace`; KESHER_FILE with it, since it
 * cannot be replaced; KESHER_INVALID for a name that the file system cannot have. */
enum kesher_status ks_destination_look(const struct ks_destination *destination,
                                       struct ks_destination_present *present, struct kesher_error *error);

/* KESHER_EXISTS: there is a file, and it is not to be replaced. */
enum kesher_status ks_destination_fail_exists(const struct ks_destination *destination,
                                              struct kesher_error *error);

/* Reads the first `size` bytes of the regular file that is there, or fewer if it has. KESHER_OK; KESHER_FILE;
 * KESHER_NO_MEMORY. */
enum kesher_status ks_destination_read(const struct ks_destination *destination, uint64_t size,
                                       struct ks_cksum *cksum, struct kesher_error *error);

/* Gives the file `from`, of the same directory, this name: over what is there only with `replace`,
 * else nothing is lost, whoever may be faster. KESHER_OK and *replaced; errors as ks_destination_look. */
enum kesher_status ks_destination_take_name(const struct ks_destination *destination, const char *from,
                                            bool *replaced, struct kesher_error *error);

/* Syncs the directory that has the file; `path_too`: also those above it, up to the open one: whoever made
 * them may have been killed before this. `fd` is any file on the same file system. KESHER_OK; KESHER_FILE. */
enum kesher_status ks_destination_sync(const struct ks_destination *destination, bool path_too, int fd,
                                       struct kesher_error *error);

/* KESHER_FILE with "cannot <doing> '<path>': <reason>", or KESHER_INVALID where it is the name that the file
 * system does not take. */
enum kesher_status ks_destination_failure(const struct ks_destination *destination, int error_number,
                                          const char *doing, struct kesher_error *error);

/* Reads a file from the beginning on, `size` bytes or to its end. False with errno. */
bool ks_destination_sum(int fd, uint64_t size, struct ks_cksum *cksum);

#endif
