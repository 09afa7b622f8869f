/* message_rows.c — see message_rows.h. */
#include "store/embedded/writer/message_rows.h"

#include "store/embedded/disk/sums.h"

#include <string.h>

/* No constraint can be broken in a sound database. */
static enum ks_result run_without_conflict(struct ks_database_writer *writer, struct ks_query *query)
{
    enum ks_result result = ks_query_run(query);
    return ks_database_writer_check(writer, result == KS_EXISTS ? KS_IO : result);
}

static uint32_t sum_of(const struct ks_journal_record *record)
{
    bool has_place = record->place != NULL;
    return ks_sums_of_row(&(struct ks_sums_row){
        .message_id = record->message_id,
        .receiver = &record->receiver,
        .sender = &record->sender,
        .type = record->type,
        .content_size = record->content_size,
        .bytes = has_place ? (const void *)record->place : record->content,
        .size = has_place ? strlen(record->place) : record->content_size,
    });
}

static void bind_row(struct ks_query *query, const struct ks_journal_record *record)
{
    ks_query_integer(query, (int64_t)record->message_id);
    ks_query_blob(query, record->receiver.bytes, sizeof record->receiver.bytes);
    ks_query_blob(query, record->sender.bytes, sizeof record->sender.bytes);
    ks_query_integer(query, record->type);
    ks_query_integer(query, record->content_size);
    if (record->place != NULL) {
        ks_query_text(query, record->place, strlen(record->place));
        ks_query_null(query);
    } else {
        ks_query_null(query);
        /* No bytes are an empty blob, a null pointer would be NULL. */
        ks_query_blob(query, record->content_size > 0 ? record->content : (const void *)"",
                      record->content_size);
    }
    ks_query_integer(query, sum_of(record));
}

static enum ks_result insert(struct ks_database_writer *writer, enum ks_statement statement,
                             const struct ks_journal_record *records, size_t count)
{
    struct ks_query query = ks_database_writer_query(writer, statement);
    for (size_t i = 0; i < count; i++)
        bind_row(&query, &records[i]);
    return run_without_conflict(writer, &query);
}

/* Many rows by one statement cost less than half of what they cost one by one. */
enum ks_result ks_message_rows_insert(struct ks_database_writer *writer,
                                      const struct ks_journal_record *records, size_t count)
{
    if (count == KS_INSERTED_TOGETHER)
        return insert(writer, KS_STATEMENT_INSERT_MESSAGES_TOGETHER, records, count);
    enum ks_result result = KS_OK;
    for (size_t i = 0; i < count && result == KS_OK; i++)
        result = insert(writer, KS_STATEMENT_INSERT_MESSAGE, &records[i], 1);
    return result;
}

enum ks_result ks_message_rows_index(struct ks_database_writer *writer, uint64_t after, uint64_t last)
{
    struct ks_query query = ks_database_writer_query(writer, KS_STATEMENT_INDEX_MESSAGES);
    ks_query_integer(&query, (int64_t)after);
    ks_query_integer(&query, (int64_t)last);
    return run_without_conflict(writer, &query);
}
