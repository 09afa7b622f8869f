/* put_source.h — the file that a put sends: read with pread(2), and watched, so that what is sent is one
 * content and no mixture of two. One thread at a time.
 */
#ifndef KS_CLIENT_FILES_PUT_SOURCE_H
#define KS_CLIENT_FILES_PUT_SOURCE_H

#include "client/files/files_internal.h"
#include "crypto/checksum.h"

#include <sys/types.h>
#include <time.h>

struct ks_put_source {
    const struct kesher_put *put; /* the caller's */
    uint64_t size;
    dev_t device;
    ino_t inode;
    struct timespec changed; /* when its content changed last */
    uint8_t put_id[KS_PUT_ID_SIZE];
};

/* Looks at the file, keeps what it was, and makes the put id of this content under its name (protocol.md
 * §10.3). KESHER_OK; KESHER_INVALID for a name that no file may have; KESHER_FILE, also for what is no
 * regular file; KESHER_CRYPTO. */
enum kesher_status ks_put_source_open(struct ks_put_source *source, const struct kesher_put *put,
                                      struct kesher_error *error);

/* Whether the file is still what it was. KESHER_OK; KESHER_FILE. */
enum kesher_status ks_put_source_check(const struct ks_put_source *source, struct kesher_error *error);

/* Reads exactly `size` bytes from where the sum ends, and adds them to it. KESHER_OK; KESHER_FILE, also when
 * the file has become shorter. */
enum kesher_status ks_put_source_read(const struct ks_put_source *source, struct ks_cksum *sum,
                                      uint8_t *bytes, size_t size, struct kesher_error *error);

#endif
