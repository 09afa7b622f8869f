/* digest_findings.c — see digest_findings.h. */
#include "store/embedded/readers/digest_findings.h"

#include <string.h>

struct ks_digest_finding *ks_digest_findings_find(struct ks_digest_findings *findings,
                                                  const struct ks_file_row *row)
{
    for (size_t i = 0; i < findings->count; i++)
        if (ks_file_row_is_same(&findings->items[i].row, row))
            return &findings->items[i];
    return NULL;
}

size_t ks_digest_findings_count(const struct ks_digest_findings *findings, const struct ks_client_id *id)
{
    size_t count = 0;
    for (size_t i = 0; i < findings->count; i++)
        count += ks_digest_askers_count(&findings->items[i].askers, id);
    return count;
}

static void bind_known(struct ks_query *query, bool is_known, int64_t value)
{
    if (is_known)
        ks_query_integer(query, value);
    else
        ks_query_null(query);
}

/* In the transaction. */
static enum ks_result write_one(struct ks_database_writer *writer, struct ks_digest_finding *finding)
{
    const struct ks_file_row *row = &finding->row;
    const bool is_sound = finding->is_sound;
    struct ks_query query = ks_database_writer_query(writer, KS_STATEMENT_SET_FILE_DIGEST);
    ks_query_blob(&query, finding->sha256, is_sound ? sizeof finding->sha256 : 0);
    bind_known(&query, is_sound || row->has_size, (int64_t)(is_sound ? finding->size : row->size));
    bind_known(&query, is_sound || row->has_written, is_sound ? finding->written : row->written);
    ks_query_integer(&query, row->number);
    ks_query_text(&query, row->path, strlen(row->path));
    bind_known(&query, row->has_size, (int64_t)row->size);
    bind_known(&query, row->has_written, row->written);
    bind_known(&query, row->has_cksum, row->cksum);
    enum ks_result result = ks_database_writer_check(writer, ks_query_run(&query));
    finding->is_written = result == KS_OK && sqlite3_changes(writer->database) == 1;
    return result;
}

enum ks_result ks_digest_findings_write(struct ks_digest_findings *findings,
                                        struct ks_database_writer *writer)
{
    enum ks_result result = ks_database_writer_begin(writer);
    for (size_t i = 0; i < findings->count && result == KS_OK; i++)
        result = write_one(writer, &findings->items[i]);
    enum ks_result finished = ks_database_writer_finish(writer);
    ks_database_writer_forget_failure(writer);
    return result != KS_OK ? result : finished;
}
