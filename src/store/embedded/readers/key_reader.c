/* key_reader.c — see key_reader.h. */
#include "store/embedded/readers/key_reader.h"

#include "base/log_repeats.h"
#include "store/embedded/engine.h"
#include "store/reply.h"

#include <string.h>

static void disconnect(struct ks_key_reader *readers)
{
    sqlite3_finalize(readers->read_public_key);
    readers->read_public_key = NULL;
    sqlite3_close_v2(readers->database);
    readers->database = NULL;
}

static enum ks_result connect_reader(struct ks_engine *engine)
{
    struct ks_key_reader *readers = &engine->key_reader;
    char why[256] = "";
    if (readers->database != NULL)
        return KS_OK;
    enum ks_result result =
        ks_database_open(engine->database_path, false, &readers->database, why, sizeof why);
    if (result != KS_OK) {
        ks_log_trouble(engine->log, KS_LOG_ERROR, "public keys cannot be read: %s", why);
        return result;
    }
    result = ks_database_prepare(readers->database, "SELECT PublicKey FROM clients WHERE ID=?",
                                 &readers->read_public_key);
    if (result != KS_OK)
        disconnect(readers);
    return result;
}

static enum ks_result read_public_key(struct ks_engine *engine, struct ks_store_public_key *request)
{
    enum ks_result found = connect_reader(engine);
    if (found != KS_OK)
        return found;
    struct ks_query query = ks_query_start(engine->key_reader.read_public_key);
    ks_query_blob(&query, request->id.bytes, sizeof request->id.bytes);
    found = KS_NOT_FOUND;
    if (ks_query_next(&query)) {
        bool whole = sqlite3_column_bytes(query.statement, 0) == KS_PUBLIC_KEY_SIZE;
        if (whole)
            memcpy(request->public_key, sqlite3_column_blob(query.statement, 0), KS_PUBLIC_KEY_SIZE);
        found = whole ? KS_OK : KS_REFUSED;
    }
    enum ks_result result = ks_query_end(&query);
    if (result == KS_OK)
        return found;
    ks_log_trouble(engine->log, KS_LOG_ERROR, "the database cannot be read: %s",
                   sqlite3_errmsg(engine->key_reader.database));
    disconnect(&engine->key_reader);
    return result;
}

static void run_public_key(struct ks_task *task)
{
    struct ks_store_public_key *request = KS_CONTAINER_OF(task, struct ks_store_public_key, request.task);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    uint64_t era = ks_key_cache_era(engine->keys);
    enum ks_result result = read_public_key(engine, request);
    if (result == KS_OK)
        ks_key_cache_put(engine->keys, &request->id, request->public_key, era);
    ks_reply_post(&request->request, result);
}

void ks_key_reader_public_key(struct ks_engine *engine, struct ks_store_public_key *request)
{
    request->request.task.run = run_public_key;
    ks_executor_post(ks_thread_executor(engine->key_reader.thread), &request->request.task);
}

enum ks_result ks_key_reader_start(struct ks_engine *engine)
{
    const struct ks_thread_hooks hooks = {.context = engine};
    /* From the start: while one connection is open, another that comes back after an error finds the state of
     * the write-ahead log in shared memory, and no half-written commit comes to life. */
    enum ks_result result = connect_reader(engine);
    return result != KS_OK ? result : ks_thread_start(&engine->key_reader.thread, "store-reader", &hooks);
}

void ks_key_reader_stop(struct ks_engine *engine)
{
    ks_thread_stop(engine->key_reader.thread);
    engine->key_reader.thread = NULL;
    disconnect(&engine->key_reader);
}
