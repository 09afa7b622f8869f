/* digest_reading.h — a thread that reads an open file, and computes its SHA-256 and its cksum: one file at a
 * time. It knows no row but that of the file, and opens and closes nothing (digests.h).
 */
#ifndef KS_STORE_EMBEDDED_READERS_DIGEST_READING_H
#define KS_STORE_EMBEDDED_READERS_DIGEST_READING_H

#include "crypto/digest.h"
#include "store/embedded/readers/stored_files.h"

struct ks_digest_reading {
    struct ks_thread *thread;
    uint8_t *buffer; /* the thread's, as these two */
    struct ks_digest *digest;
    struct ks_cksum sum;
    _Atomic bool is_cancelled; /* whatever is on its way ends soon */

    /* Set before it is begun; the thread's until `finished`. */
    struct ks_stored_file *file;
    struct ks_task task;
    /* Whether others need the disk more, and this goes slowly; NULL: never. The thread's. */
    bool (*has_to_wait)(const struct ks_digest_reading *reading);
    struct ks_file_reader *reader;                       /* on whose thread … */
    void (*finished)(struct ks_digest_reading *reading); /* … this runs */

    /* What it has come to. KS_OK with the SHA-256; KS_INVALID: the file is damaged, that is, its cksum is not
     * the row's, it was changed meanwhile, or it cannot be read; KS_NOT_FOUND: it was removed, and its space
     * is wanted; KS_CLOSED: cancelled; KS_IO: it cannot be looked at; KS_CRYPTO, KS_NO_MEMORY. */
    enum ks_result result;
    uint8_t sha256[KS_FILE_SHA256_SIZE];
};

/* KS_OK; KS_NO_MEMORY, KS_CRYPTO, KS_IO. */
enum ks_result ks_digest_reading_start(struct ks_digest_reading *reading, const char *name,
                                       const struct ks_thread_hooks *hooks);

/* Reads reading->file, and has `finished` run. Any thread. */
void ks_digest_reading_begin(struct ks_digest_reading *reading);

/* Any thread: what is read is not wanted any more. */
void ks_digest_reading_cancel(struct ks_digest_reading *reading);

/* Ends what is read, which is told, and the thread; nothing is begun any more. Not started is fine, here and
 * below. */
void ks_digest_reading_stop(struct ks_digest_reading *reading);

void ks_digest_reading_free(struct ks_digest_reading *reading);

#endif
