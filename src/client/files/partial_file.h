/* partial_file.h — what has come of a file that is fetched: NAME.part in the directory of its target NAME,
 * where it is found again. Where that is too long a name, it is .kesher-HASH.part, of the SHA-256 of NAME.
 *
 * One program at a time has it, by flock(2). A partial file is marked by the sticky bit, which no other file
 * of that name has: so a file of the user's that happens to be called NAME.part is never written over
 * (ks_partial_file_restart), and what broke off is. One thread at a time.
 */
#ifndef KS_CLIENT_FILES_PARTIAL_FILE_H
#define KS_CLIENT_FILES_PARTIAL_FILE_H

#include "client/files/destination.h"

struct ks_partial_file {
    int fd; /* owned; -1 for none */
    char name[NAME_MAX + 1];
    bool is_short; /* the name */
    bool is_marked;
    bool is_changed;       /* since it was opened */
    bool has_target_name;  /* it is complete, and none of ours any more */
    struct ks_cksum cksum; /* of what it has; with its length */
    uint64_t writing_back; /* up to there the system was asked to write it to the disk */
};

/* Opens the one of `target`, or makes it, locks it, and reads what it has. KESHER_OK, and
 * ks_partial_file_close is due; KESHER_FILE, also when another program has it, and when there is something
 * else of its name; KESHER_INVALID for a name that the file system cannot have; KESHER_NO_MEMORY. */
enum kesher_status ks_partial_file_open(struct ks_partial_file *partial,
                                        const struct ks_destination *destination, struct kesher_error *error);

/* Closes it. It stays where it is, unless there is nothing in it, or `remove`. One that was closed is fine.
 */
void ks_partial_file_close(struct ks_partial_file *partial, const struct ks_destination *destination,
                           bool remove);

/* Makes sure that there is room on the disk for all of `size` bytes. KESHER_OK; KESHER_FILE. */
enum kesher_status ks_partial_file_make_room(struct ks_partial_file *partial,
                                             const struct ks_destination *destination, uint64_t size,
                                             struct kesher_error *error);

/* Adds bytes at its end. KESHER_OK; KESHER_FILE: what was added before is kept. */
enum kesher_status ks_partial_file_add(struct ks_partial_file *partial,
                                       const struct ks_destination *destination, const uint8_t *bytes,
                                       size_t size, struct kesher_error *error);

/* Forgets what it has, since that is of another file. KESHER_OK; KESHER_FILE, also for a file that is no
 * partial file, and stays as it is. */
enum kesher_status ks_partial_file_restart(struct ks_partial_file *partial,
                                           const struct ks_destination *destination,
                                           struct kesher_error *error);

/* Gives it the target's name, and the permissions of the file that it replaces. It is closed by
 * ks_partial_file_close as ever, and keeps the name. KESHER_OK and *replaced; KESHER_FILE, also when it is
 * not in its place any more; errors as ks_destination_take_name. */
enum kesher_status ks_partial_file_take_name(struct ks_partial_file *partial,
                                             const struct ks_destination *destination, bool *replaced,
                                             struct kesher_error *error);

#endif
