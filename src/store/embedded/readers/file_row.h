/* file_row.h — a row of the table files, as those who read it have it (schema.h): file_reader.h finds them,
 * stored_files.h opens their files, digests.h computes what is not known yet. Pure but for the statement that
 * is read.
 */
#ifndef KS_STORE_EMBEDDED_READERS_FILE_ROW_H
#define KS_STORE_EMBEDDED_READERS_FILE_ROW_H

#include "store/embedded/database/query.h"
#include "store/embedded/vault/names.h"
#include "store/store_files.h"

#include <sys/stat.h>

enum ks_file_digest {
    KS_FILE_DIGEST_UNKNOWN, /* not computed yet */
    KS_FILE_DIGEST_KNOWN,
    KS_FILE_DIGEST_NONE, /* there is none: the file was found damaged, or gone */
};

struct ks_file_row {
    int64_t number;
    struct ks_client_id id;
    char path[KS_NAMES_PATH_SIZE]; /* in the data directory */
    char name[KS_TEXT_FIELD_SIZE]; /* the kept name */
    bool has_size;
    bool has_written;
    bool has_cksum;
    uint64_t size;
    int64_t written; /* nanoseconds since 1970 */
    uint32_t cksum;
    enum ks_file_digest digest;
    uint8_t sha256[KS_FILE_SHA256_SIZE]; /* if known */
};

/* The columns that ks_file_row_read wants, as the first ones. */
#define KS_FILE_ROW_COLUMNS "rowid, ID, PathName, KeptName, Size, Written, Cksum, SHA256"

/* Reads the row that the statement stands on. False when it is not sound; its number is known even then. */
bool ks_file_row_read(sqlite3_stmt *statement, struct ks_file_row *row);

/* Whether both are of one file, as far as rows can tell. */
bool ks_file_row_is_same(const struct ks_file_row *one, const struct ks_file_row *other);

/* Whether a file that looks like this is the row's. */
bool ks_file_row_is_of(const struct ks_file_row *row, const struct stat *status);

/* What is known of the row's file, which looks like this; NULL when only the row is known. */
void ks_file_row_tell(const struct ks_file_row *row, const struct stat *status, struct ks_kept_file *kept);

#endif
