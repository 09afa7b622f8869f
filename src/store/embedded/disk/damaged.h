/* damaged.h — what is damaged is put aside, into damaged/ of the data directory (0700): nothing is deleted.
 * Beside each thing lies a note, its name and ".txt", which says in words what it is and why it is there. A
 * note may stand alone, for what is missing.
 *
 * When a call returns, all is durable: a row may go. A crash in between leaves at most a note, or the thing
 * twice. Names are never used again: the second of a name gets "-2" behind it. Blocking; any thread.
 */
#ifndef KS_STORE_EMBEDDED_DISK_DAMAGED_H
#define KS_STORE_EMBEDDED_DISK_DAMAGED_H

#include "base/result.h"

#include <stddef.h>
#include <stdint.h>

enum { KS_DAMAGED_NAME_LIMIT = 200, KS_DAMAGED_PATH_SIZE = 240 };

struct ks_damaged {
    const char *name;                /* in: what it should be called, without a slash; at most the limit */
    const char *note;                /* in: lines for people */
    char path[KS_DAMAGED_PATH_SIZE]; /* out: where it, or the note alone, was put, in the data directory */
};

/* Writes a note alone. KS_OK; KS_NO_SPACE, KS_NO_MEMORY, KS_IO (errno). */
enum ks_result ks_damaged_note(int directory_fd, struct ks_damaged *damaged);

/* Writes `bytes`, and the note. The same results. */
enum ks_result ks_damaged_write(int directory_fd, struct ks_damaged *damaged, const void *bytes, size_t size);

/* Moves the file `path` of the data directory, and writes the note. The same results; KS_NOT_FOUND when there
 * is no such file: then the note stands alone. */
enum ks_result ks_damaged_move(int directory_fd, struct ks_damaged *damaged, const char *path);

#endif
