/* key_reader.c — see key_reader.h. */
#include "store/embedded/readers/key_reader.h"

#include "store/reply.h"

#include <string.h>

enum { READ_PUBLIC_KEY, READ_NAME_HOLDER }; /* the places of the statements */

/* Of several, the account, or else any. */
static const char name_holder_text[] =
    "SELECT ID FROM accounts WHERE Skeleton=?1"
    " UNION ALL SELECT ID FROM clients WHERE Skeleton=?1"
    " UNION ALL SELECT zeroblob(16) FROM retired WHERE Skeleton=?1 LIMIT 1";

static enum ks_result connect_key_reader(struct ks_key_reader *key_reader)
{
    return ks_database_reader_prepare(&key_reader->reader, READ_PUBLIC_KEY,
                                      "SELECT PublicKey FROM clients WHERE ID=?");
}

static enum ks_result read_public_key(struct ks_key_reader *key_reader, struct ks_store_public_key *request)
{
    enum ks_result found = connect_key_reader(key_reader);
    if (found != KS_OK)
        return found;
    struct ks_query query = ks_query_start(key_reader->reader.statements[READ_PUBLIC_KEY]);
    ks_query_blob(&query, request->id.bytes, sizeof request->id.bytes);
    found = KS_NOT_FOUND;
    if (ks_query_next(&query)) {
        bool whole = sqlite3_column_bytes(query.statement, 0) == KS_PUBLIC_KEY_SIZE;
        if (whole)
            memcpy(request->public_key, sqlite3_column_blob(query.statement, 0), KS_PUBLIC_KEY_SIZE);
        found = whole ? KS_OK : KS_REFUSED;
    }
    enum ks_result result = ks_query_end(&query);
    return result == KS_OK ? found : ks_database_reader_failed(&key_reader->reader, result);
}

static void run_public_key(struct ks_task *task)
{
    struct ks_store_public_key *request = KS_CONTAINER_OF(task, struct ks_store_public_key, request.task);
    struct ks_key_reader *key_reader = request->request.part;
    uint64_t era = ks_key_cache_era(key_reader->keys);
    enum ks_result result = read_public_key(key_reader, request);
    if (result == KS_OK)
        ks_key_cache_put(key_reader->keys, &request->id, request->public_key, era);
    ks_reply_post(&request->request, result);
}

void ks_key_reader_read(struct ks_key_reader *key_reader, struct ks_store_public_key *request)
{
    request->request.part = key_reader;
    request->request.task.run = run_public_key;
    ks_database_reader_post(&key_reader->reader, &request->request.task);
}

static enum ks_result read_name_holder(struct ks_key_reader *key_reader, struct ks_store_name_holder *request)
{
    enum ks_result found =
        ks_database_reader_prepare(&key_reader->reader, READ_NAME_HOLDER, name_holder_text);
    if (found != KS_OK)
        return found;
    struct ks_query query = ks_query_start(key_reader->reader.statements[READ_NAME_HOLDER]);
    ks_query_text(&query, request->skeleton, strnlen(request->skeleton, sizeof request->skeleton));
    found = KS_NOT_FOUND;
    if (ks_query_next(&query)) {
        bool whole = sqlite3_column_bytes(query.statement, 0) == KS_CLIENT_ID_SIZE;
        if (whole)
            memcpy(request->id.bytes, sqlite3_column_blob(query.statement, 0), KS_CLIENT_ID_SIZE);
        found = whole ? KS_OK : KS_IO;
    }
    enum ks_result result = ks_query_end(&query);
    return result == KS_OK ? found : ks_database_reader_failed(&key_reader->reader, result);
}

static void run_name_holder(struct ks_task *task)
{
    struct ks_store_name_holder *request = KS_CONTAINER_OF(task, struct ks_store_name_holder, request.task);
    ks_reply_post(&request->request, read_name_holder(request->request.part, request));
}

void ks_key_reader_name_holder(struct ks_key_reader *key_reader, struct ks_store_name_holder *request)
{
    request->request.part = key_reader;
    request->request.task.run = run_name_holder;
    ks_database_reader_post(&key_reader->reader, &request->request.task);
}

enum ks_result ks_key_reader_start(struct ks_key_reader *key_reader)
{
    /* From the start: while one connection is open, another that comes back after an error finds the state of
     * the write-ahead log in shared memory, and no half-written commit comes to life. */
    enum ks_result result = connect_key_reader(key_reader);
    return result != KS_OK ? result : ks_database_reader_start(&key_reader->reader, "store-reader");
}

void ks_key_reader_stop(struct ks_key_reader *key_reader)
{
    ks_database_reader_stop(&key_reader->reader);
}
