/* spool.h — the standard input as a file, since the size has to be known before the first byte is sent. Main
 * thread. */
#ifndef KS_CLI_SPOOL_H
#define KS_CLI_SPOOL_H

#include <stdint.h>

/* Copies `from` to its end into an unlinked temporary file in $TMPDIR (/tmp without it). The descriptor, to
 * be closed, with *size; or -1 after printing why not, which includes more than `limit` bytes. */
int ks_spool(int from, uint64_t limit, uint64_t *size);

#endif
