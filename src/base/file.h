/* file.h — small files, whole: read with a limit, replaced atomically and durably. Blocking; any thread. */
#ifndef KS_BASE_FILE_H
#define KS_BASE_FILE_H

#include "base/buffer.h"
#include "base/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Reads all of `name` (relative to `directory_fd`, or AT_FDCWD) into `buffer`, whose limit holds.
 * KS_OK; KS_NOT_FOUND; KS_TOO_LARGE; KS_NO_MEMORY; KS_IO (errno). The buffer must be empty. */
enum ks_result ks_file_read(int directory_fd, const char *name, struct ks_buffer *buffer);

/* Makes `name` hold exactly `bytes`: temporary file beside it with `mode`, synced, renamed over it, directory
 * synced. After KS_OK it survives a power cut; after anything else the old file is untouched, except where
 * only the last step failed: then it is replaced, and a power cut may still bring the old one back.
 * KS_NO_SPACE; KS_NO_MEMORY; KS_NOT_FOUND when there is no such directory; KS_IO (errno). `name` has no slash
 * and at most 200 bytes; one thread of a process at a time replaces a name. */
enum ks_result ks_file_replace(int directory_fd, const char *name, const void *bytes, size_t size,
                               mode_t mode);

/* Makes the directory `path` and its parents, mode 0700, where they do not exist. It survives a power cut
 * from then on, and so do the parents that were made. The bytes of `path` are changed and restored. False
 * with errno. */
bool ks_file_make_directories(char *path);

/* write(2) or pwrite(2) until all is written, over short writes and EINTR. KS_OK, KS_NO_SPACE, KS_IO (errno).
 */
enum ks_result ks_file_write_all(int fd, const void *bytes, size_t size);
enum ks_result ks_file_write_all_at(int fd, const void *bytes, size_t size, off_t offset);

/* Renames `from` to `to`, both in that directory, where nothing has that name; also where the file system has
 * no such rename. There a program that dies may leave both names, or an empty file as `to`. False with errno;
 * EEXIST when there is something. */
bool ks_file_rename_new(int directory_fd, const char *from, const char *to);

/* Makes room on the disk for the first `size` bytes of a file, whose size stays. KS_OK, also from a file
 * system that cannot promise room; KS_NO_SPACE; KS_IO (errno). */
enum ks_result ks_file_make_room(int fd, off_t size);

#endif
