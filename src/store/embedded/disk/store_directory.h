/* store_directory.h — the data directory is opened, locked against other servers, and what must be there is
 * made. The opener's thread.
 */
#ifndef KS_STORE_EMBEDDED_DISK_STORE_DIRECTORY_H
#define KS_STORE_EMBEDDED_DISK_STORE_DIRECTORY_H

#include "base/log.h"
#include "base/result.h"

#include <stddef.h>

/* Opens `directory`, creates it with 0700 where there is none, and takes the lock in it, which ends with
 * *lock_fd. What was opened when it fails is in *directory_fd and *lock_fd all the same, else they stay as
 * they were. KS_OK; KS_EXISTS when another server has the lock; KS_NO_SPACE, KS_NO_MEMORY, KS_IO; `why` then
 * has a sentence. */
enum ks_result ks_store_directory_open(const char *directory, const struct ks_log *log, int *directory_fd,
                                       int *lock_fd, char *why, size_t why_size);

/* Makes staging/, files/, messages/ and the file of the database, closed to others, where they are missing,
 * durably. The paths are for `why`. The same results but KS_EXISTS. */
enum ks_result ks_store_directory_fill(int directory_fd, const char *directory, const char *database_path,
                                       char *why, size_t why_size);

#endif
