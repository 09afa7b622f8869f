/* file_row.c — see file_row.h. What is odd about a row was not written by kesher. */
#include "store/embedded/readers/file_row.h"

#include "store/embedded/vault/sweep.h"

#include <string.h>

static const char files_prefix[] = "files/";

enum { NUMBER, USER, PATH, NAME, SIZE, WRITTEN, CKSUM, SHA256 };

/* False for none, for one that does not fit, and for one with a NUL in it. */
static bool read_text(sqlite3_stmt *statement, int column, char *text, size_t capacity)
{
    const void *bytes = sqlite3_column_text(statement, column);
    size_t size = (size_t)sqlite3_column_bytes(statement, column);
    if (bytes == NULL || size >= capacity || memchr(bytes, '\0', size) != NULL)
        return false;
    memcpy(text, bytes, size);
    text[size] = '\0';
    return true;
}

/* False for what is neither NULL nor an integer. */
static bool read_integer(sqlite3_stmt *statement, int column, bool *has, int64_t *value)
{
    int type = sqlite3_column_type(statement, column);
    *has = type == SQLITE_INTEGER;
    *value = sqlite3_column_int64(statement, column);
    return *has || type == SQLITE_NULL;
}

static bool read_digest(sqlite3_stmt *statement, struct ks_file_row *row)
{
    int size = sqlite3_column_bytes(statement, SHA256);
    row->digest = KS_FILE_DIGEST_UNKNOWN;
    if (sqlite3_column_type(statement, SHA256) == SQLITE_NULL)
        return true;
    row->digest = size == 0 ? KS_FILE_DIGEST_NONE : KS_FILE_DIGEST_KNOWN;
    if (size == KS_FILE_SHA256_SIZE)
        memcpy(row->sha256, sqlite3_column_blob(statement, SHA256), KS_FILE_SHA256_SIZE);
    return size == 0 || size == KS_FILE_SHA256_SIZE;
}

static bool read_numbers(sqlite3_stmt *statement, struct ks_file_row *row)
{
    int64_t size = 0;
    int64_t cksum = 0;
    if (!read_integer(statement, SIZE, &row->has_size, &size) ||
        !read_integer(statement, WRITTEN, &row->has_written, &row->written) ||
        !read_integer(statement, CKSUM, &row->has_cksum, &cksum))
        return false;
    row->size = (uint64_t)size;
    row->cksum = (uint32_t)cksum;
    return size >= 0 && cksum >= 0 && cksum <= (int64_t)UINT32_MAX;
}

bool ks_file_row_read(sqlite3_stmt *statement, struct ks_file_row *row)
{
    memset(row, 0, sizeof *row);
    row->number = sqlite3_column_int64(statement, NUMBER);
    if (sqlite3_column_bytes(statement, USER) != KS_CLIENT_ID_SIZE)
        return false;
    memcpy(row->id.bytes, sqlite3_column_blob(statement, USER), KS_CLIENT_ID_SIZE);
    return read_text(statement, PATH, row->path, sizeof row->path) &&
           strncmp(row->path, files_prefix, sizeof files_prefix - 1) == 0 &&
           read_text(statement, NAME, row->name, sizeof row->name) &&
           ks_file_name_is_valid(row->name, strlen(row->name)) && read_numbers(statement, row) &&
           read_digest(statement, row);
}

bool ks_file_row_is_same(const struct ks_file_row *one, const struct ks_file_row *other)
{
    return one->number == other->number && strcmp(one->path, other->path) == 0 &&
           one->has_size == other->has_size && one->size == other->size &&
           one->has_written == other->has_written && one->written == other->written &&
           one->has_cksum == other->has_cksum && one->cksum == other->cksum;
}

bool ks_file_row_is_of(const struct ks_file_row *row, const struct stat *status)
{
    return S_ISREG(status->st_mode) && (!row->has_size || row->size == (uint64_t)status->st_size) &&
           (!row->has_written || row->written == ks_sweep_written(status));
}

void ks_file_row_tell(const struct ks_file_row *row, const struct stat *status, struct ks_kept_file *kept)
{
    const int64_t written = status != NULL ? ks_sweep_written(status) : row->written;
    *kept = (struct ks_kept_file){
        .facts = {.size = status != NULL ? (uint64_t)status->st_size : row->size,
                  .time = written > 0 ? (uint64_t)written : 0,
                  .has_cksum = row->has_cksum,
                  .cksum = row->cksum,
                  .has_sha256 = row->digest == KS_FILE_DIGEST_KNOWN},
    };
    memcpy(kept->name, row->name, sizeof kept->name);
    memcpy(kept->facts.sha256, row->sha256, sizeof kept->facts.sha256);
}
