/* account_rows.c — see account_rows.h. */
#include "store/embedded/writer/account_rows.h"

#include <string.h>

/* A change that no constraint can refuse, unless the tables contradict each other: then nothing of the batch
 * may stay, for the statements before this one were run already. */
static enum ks_result change(struct ks_database_writer *writer, struct ks_query *query)
{
    enum ks_result result = ks_query_run(query);
    return ks_database_writer_check(writer, result == KS_EXISTS ? KS_IO : result);
}

static void bind_id(struct ks_query *query, const struct ks_client_id *id)
{
    ks_query_blob(query, id->bytes, sizeof id->bytes);
}

static void bind_text(struct ks_query *query, const char *text)
{
    ks_query_text(query, text, strlen(text));
}

/* The blob of a column; false when it has another size. */
static bool take_blob(sqlite3_stmt *row, int column, uint8_t *bytes, size_t size)
{
    if (sqlite3_column_bytes(row, column) != (int)size)
        return false;
    memcpy(bytes, sqlite3_column_blob(row, column), size);
    return true;
}

/* Ends a look-up that found what `found` says. */
static enum ks_result end_look_up(struct ks_database_writer *writer, struct ks_query *query,
                                  enum ks_result found)
{
    enum ks_result result = ks_query_end(query);
    if (result == KS_OK && found == KS_IO)
        result = KS_IO;
    result = ks_database_writer_check(writer, result);
    return result == KS_OK ? found : result;
}

/* ---- accounts ---- */

static enum ks_result find_account(struct ks_database_writer *writer, struct ks_query *query,
                                   struct ks_account_row *row)
{
    enum ks_result found = KS_NOT_FOUND;
    if (ks_query_next(query)) {
        bool whole = take_blob(query->statement, 0, row->id.bytes, sizeof row->id.bytes) &&
                     take_blob(query->statement, 1, row->key, sizeof row->key);
        row->registered = sqlite3_column_int64(query->statement, 2);
        row->has_classic_id = sqlite3_column_type(query->statement, 3) != SQLITE_NULL;
        found = whole ? KS_OK : KS_IO;
    }
    return end_look_up(writer, query, found);
}

enum ks_result ks_account_rows_by_key(struct ks_database_writer *writer,
                                      const uint8_t key[static KS_ACCOUNT_KEY_SIZE],
                                      struct ks_account_row *row)
{
    struct ks_query query = ks_database_writer_query(writer, KS_STATEMENT_ACCOUNT_BY_KEY);
    ks_query_blob(&query, key, KS_ACCOUNT_KEY_SIZE);
    return find_account(writer, &query, row);
}

enum ks_result ks_account_rows_by_id(struct ks_database_writer *writer, const struct ks_client_id *id,
                                     struct ks_account_row *row)
{
    struct ks_query query = ks_database_writer_query(writer, KS_STATEMENT_ACCOUNT_BY_ID);
    bind_id(&query, id);
    return find_account(writer, &query, row);
}

enum ks_result ks_account_rows_insert(struct ks_database_writer *writer, const struct ks_account_row *row)
{
    struct ks_query query = ks_database_writer_query(writer, KS_STATEMENT_INSERT_ACCOUNT);
    ks_query_blob(&query, row->key, sizeof row->key);
    ks_query_integer(&query, row->registered);
    bind_id(&query, &row->id);
    return change(writer, &query);
}

enum ks_result ks_account_rows_set_key(struct ks_database_writer *writer, const struct ks_account_row *row)
{
    struct ks_query query = ks_database_writer_query(writer, KS_STATEMENT_SET_ACCOUNT_KEY);
    ks_query_blob(&query, row->key, sizeof row->key);
    bind_id(&query, &row->id);
    return change(writer, &query);
}

enum ks_result ks_account_rows_set_classic_id(struct ks_database_writer *writer,
                                              const struct ks_client_id *id,
                                              const struct ks_client_id *classic_id)
{
    struct ks_query query = ks_database_writer_query(writer, KS_STATEMENT_SET_CLASSIC_ID);
    if (classic_id != NULL)
        bind_id(&query, classic_id);
    else
        ks_query_null(&query);
    bind_id(&query, id);
    return change(writer, &query);
}

enum ks_result ks_account_rows_set_classic_key(struct ks_database_writer *writer, int64_t number,
                                               const uint8_t *public_key)
{
    struct ks_query query = ks_database_writer_query(writer, KS_STATEMENT_SET_CLASSIC_KEY);
    if (public_key != NULL)
        ks_query_blob(&query, public_key, KS_PUBLIC_KEY_SIZE);
    else
        ks_query_null(&query);
    ks_query_integer(&query, number);
    return change(writer, &query);
}

/* ---- names ---- */

enum ks_result ks_account_rows_judge_skeleton(struct ks_database_writer *writer, const char *skeleton,
                                              bool of_anybody)
{
    struct ks_query query = ks_database_writer_query(writer, of_anybody ? KS_STATEMENT_SKELETON_OF_ANYBODY
                                                                        : KS_STATEMENT_SKELETON_OF_ACCOUNT);
    bind_text(&query, skeleton);
    bool taken = ks_query_next(&query);
    return end_look_up(writer, &query, taken ? KS_EXISTS : KS_OK);
}

enum ks_result ks_account_rows_retire(struct ks_database_writer *writer, const struct ks_client_id *id)
{
    struct ks_query retire = ks_database_writer_query(writer, KS_STATEMENT_RETIRE_ACCOUNT);
    bind_id(&retire, id);
    enum ks_result result = change(writer, &retire);
    if (result != KS_OK)
        return result;
    struct ks_query account = ks_database_writer_query(writer, KS_STATEMENT_DELETE_ACCOUNT);
    bind_id(&account, id);
    return change(writer, &account);
}

enum ks_result ks_account_rows_retired(struct ks_database_writer *writer, const char *name,
                                       struct ks_client_id *id)
{
    struct ks_query query = ks_database_writer_query(writer, KS_STATEMENT_RETIRED_BY_NAME);
    enum ks_result found = KS_NOT_FOUND;
    bind_text(&query, name);
    if (ks_query_next(&query))
        found = take_blob(query.statement, 0, id->bytes, sizeof id->bytes) ? KS_OK : KS_IO;
    return end_look_up(writer, &query, found);
}

enum ks_result ks_account_rows_bring_back(struct ks_database_writer *writer, const struct ks_client_id *id)
{
    struct ks_query retired = ks_database_writer_query(writer, KS_STATEMENT_DELETE_RETIRED);
    bind_id(&retired, id);
    enum ks_result result = change(writer, &retired);
    if (result != KS_OK)
        return result;
    struct ks_query note = ks_database_writer_query(writer, KS_STATEMENT_DELETE_REMOVAL);
    bind_id(&note, id);
    return change(writer, &note);
}

/* ---- invitations ---- */

enum ks_result ks_account_rows_invitation(struct ks_database_writer *writer,
                                          const uint8_t hash[static KS_INVITATION_HASH_SIZE],
                                          struct ks_invitation_row *row)
{
    struct ks_query query = ks_database_writer_query(writer, KS_STATEMENT_READ_INVITATION);
    enum ks_result found = KS_NOT_FOUND;
    ks_query_blob(&query, hash, KS_INVITATION_HASH_SIZE);
    memset(row, 0, sizeof *row);
    if (ks_query_next(&query)) {
        int64_t uses = sqlite3_column_int64(query.statement, 0);
        const void *name = sqlite3_column_text(query.statement, 2);
        size_t size = (size_t)sqlite3_column_bytes(query.statement, 2);
        bool whole = uses > 0 && uses <= KS_INVITATION_USES_LIMIT && name != NULL && size < sizeof row->name;
        if (whole) {
            memcpy(row->name, name, size);
            row->uses = (unsigned)uses;
            row->until = sqlite3_column_int64(query.statement, 1);
        }
        found = whole ? KS_OK : KS_IO;
    }
    return end_look_up(writer, &query, found);
}

enum ks_result ks_account_rows_use(struct ks_database_writer *writer,
                                   const uint8_t hash[static KS_INVITATION_HASH_SIZE], unsigned uses)
{
    enum ks_statement statement = uses > 1 ? KS_STATEMENT_USE_INVITATION : KS_STATEMENT_DELETE_INVITATION;
    struct ks_query query = ks_database_writer_query(writer, statement);
    ks_query_blob(&query, hash, KS_INVITATION_HASH_SIZE);
    return change(writer, &query);
}

enum ks_result ks_account_rows_invite(struct ks_database_writer *writer,
                                      const uint8_t hash[static KS_INVITATION_HASH_SIZE],
                                      const struct ks_invitation_row *row)
{
    struct ks_query query = ks_database_writer_query(writer, KS_STATEMENT_INSERT_INVITATION);
    ks_query_blob(&query, hash, KS_INVITATION_HASH_SIZE);
    ks_query_integer(&query, row->uses);
    ks_query_integer(&query, row->until);
    bind_text(&query, row->name);
    return ks_database_writer_check(writer, ks_query_run(&query));
}

enum ks_result ks_account_rows_count_invitations(struct ks_database_writer *writer, int64_t *count)
{
    struct ks_query query = ks_database_writer_query(writer, KS_STATEMENT_COUNT_INVITATIONS);
    *count = ks_query_next(&query) ? sqlite3_column_int64(query.statement, 0) : 0;
    return ks_database_writer_check(writer, ks_query_end(&query));
}

enum ks_result ks_account_rows_delete_over(struct ks_database_writer *writer, int64_t now)
{
    struct ks_query query = ks_database_writer_query(writer, KS_STATEMENT_DELETE_OVER_INVITATIONS);
    ks_query_integer(&query, now);
    return change(writer, &query);
}
