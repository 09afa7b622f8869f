/* spool.h — what is to be sent as a file, since its size has to be known before the first byte is sent. Main
 * thread. */
#ifndef KS_CLI_COMMANDS_SPOOL_H
#define KS_CLI_COMMANDS_SPOOL_H

#include <kesher/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies `from` to its end into an unlinked temporary file in $TMPDIR (/tmp without it). The descriptor, to
 * be closed, with *size; or -1 after printing why not, which includes more than `limit` bytes. */
int ks_spool(int from, uint64_t limit, uint64_t *size);

/* A file in memory that holds a copy of `bytes`. The descriptor, to be closed; or -1 with `error`. */
int ks_spool_bytes(const void *bytes, size_t size, struct kesher_error *error);

/* Opens the regular file at `path`; with `no_link` it is not opened through a symbolic link of that name. The
 * descriptor, to be closed, with *size; or -1 with `error`, whose sentence says what stands at `path`
 * instead.
 */
int ks_spool_open(const char *path, bool no_link, uint64_t *size, struct kesher_error *error);

#endif
