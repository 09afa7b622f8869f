/* contents.h — contents of large messages, in files of messages/: read, and compared with the sums behind
 * them (sums.h). Knows no database. Blocking; any thread.
 */
#ifndef KS_STORE_EMBEDDED_VAULT_CONTENTS_H
#define KS_STORE_EMBEDDED_VAULT_CONTENTS_H

#include "base/result.h"
#include "store/embedded/disk/sums.h"

#include <stdbool.h>

struct ks_contents {
    int directory_fd;      /* of the data directory */
    const char *place;     /* in it */
    uint32_t content_size; /* as the row has it */
    uint8_t *scratch;      /* KS_SUMS_PIECE bytes to work with */
    const char *why;       /* out, with KS_INVALID: what is wrong, in words */
};

/* Reads `size` bytes from `offset` on, which the content has. KS_OK; KS_INVALID: the file is missing, is a
 * directory or the like, has another size, or one of the pieces in which these bytes lie has another sum;
 * KS_NO_MEMORY, KS_IO (errno): nobody knows. */
enum ks_result ks_contents_read(struct ks_contents *contents, uint64_t offset, uint8_t *bytes, size_t size);

/* The same for all of it, and it goes nowhere. Has a turn with `go_on` before each piece, and stops with
 * KS_CLOSED when that says false; NULL is allowed. */
enum ks_result ks_contents_check(struct ks_contents *contents, bool (*go_on)(void *context), void *context);

/* The same for what can be told without reading it. */
enum ks_result ks_contents_look(struct ks_contents *contents);

#endif
