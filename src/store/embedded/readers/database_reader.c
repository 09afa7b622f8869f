/* database_reader.c — see database_reader.h. */
#include "store/embedded/readers/database_reader.h"

#include "base/limits/log_repeats.h"

static void disconnect(struct ks_database_reader *reader)
{
    for (unsigned i = 0; i < KS_READER_STATEMENTS; i++) {
        sqlite3_finalize(reader->statements[i]);
        reader->statements[i] = NULL;
    }
    sqlite3_close_v2(reader->database);
    reader->database = NULL;
}

enum ks_result ks_database_reader_connect(struct ks_database_reader *reader)
{
    char why[256] = "";
    if (reader->database != NULL)
        return KS_OK;
    enum ks_result result =
        ks_database_open(reader->database_path, false, &reader->database, why, sizeof why);
    if (result != KS_OK)
        ks_log_trouble(reader->log, KS_LOG_ERROR, "%s cannot be read: %s", reader->subject, why);
    return result;
}

enum ks_result ks_database_reader_reconnect(struct ks_database_reader *reader)
{
    disconnect(reader);
    return ks_database_reader_connect(reader);
}

enum ks_result ks_database_reader_prepare(struct ks_database_reader *reader, unsigned place, const char *text)
{
    enum ks_result result = ks_database_reader_connect(reader);
    if (result != KS_OK || reader->statements[place] != NULL)
        return result;
    result = ks_database_prepare(reader->database, text, &reader->statements[place]);
    if (result != KS_OK)
        disconnect(reader);
    return result;
}

enum ks_result ks_database_reader_failed(struct ks_database_reader *reader, enum ks_result result)
{
    ks_log_trouble(reader->log, KS_LOG_ERROR, "the database cannot be read: %s",
                   sqlite3_errmsg(reader->database));
    disconnect(reader);
    return result;
}

void ks_database_reader_post(struct ks_database_reader *reader, struct ks_task *task)
{
    ks_executor_post(ks_thread_executor(reader->thread), task);
}

enum ks_result ks_database_reader_start(struct ks_database_reader *reader, const char *name)
{
    static const struct ks_thread_hooks no_hooks = {0};
    return ks_thread_start(&reader->thread, name, &no_hooks);
}

void ks_database_reader_stop(struct ks_database_reader *reader)
{
    ks_thread_stop(reader->thread);
    reader->thread = NULL;
    disconnect(reader);
}
