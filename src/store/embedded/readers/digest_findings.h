/* digest_findings.h — what was found of files, for their rows: gathered, and written together, each only into
 * the row of that very file. All that is empty is zeros. One thread at a time.
 */
#ifndef KS_STORE_EMBEDDED_READERS_DIGEST_FINDINGS_H
#define KS_STORE_EMBEDDED_READERS_DIGEST_FINDINGS_H

#include "store/embedded/readers/digest_askers.h"
#include "store/embedded/readers/file_row.h"
#include "store/embedded/writer/writer.h"

enum { KS_DIGEST_FINDINGS = 64 };

struct ks_digest_finding {
    struct ks_file_row row; /* as it was */
    bool is_sound;          /* or else there is no SHA-256 of it: it is damaged, or gone */
    uint8_t sha256[KS_FILE_SHA256_SIZE];
    uint64_t size;   /* as the file was opened */
    int64_t written; /* likewise */
    bool is_written; /* its row was still there */
    struct ks_digest_askers askers;
};

struct ks_digest_findings {
    struct ks_digest_finding items[KS_DIGEST_FINDINGS];
    size_t count;
};

/* The one of a row; NULL for none. */
struct ks_digest_finding *ks_digest_findings_find(struct ks_digest_findings *findings,
                                                  const struct ks_file_row *row);

/* How many of those who wait are this user's. */
size_t ks_digest_findings_count(const struct ks_digest_findings *findings, const struct ks_client_id *id);

/* The writer's thread, between two batches: writes all, in a transaction of its own. KS_OK with their
 * is_written; KS_NO_SPACE, KS_NO_MEMORY, KS_IO. */
enum ks_result ks_digest_findings_write(struct ks_digest_findings *findings,
                                        struct ks_database_writer *writer);

#endif
