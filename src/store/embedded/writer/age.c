/* age.c — see age.h. */
#include "store/embedded/writer/age.h"

enum { NOTE_SECONDS = 3600 };

/* The directory's time now. */
static int64_t stored_now(const struct ks_age *age)
{
    return ks_age_to_stored(age, ks_clock_steady_seconds(age->clock));
}

/* What an earlier kesher has noted is of the clock on the wall: it says nothing. */
static enum ks_result begin_time(sqlite3 *database)
{
    enum ks_result result =
        ks_database_run(database, "BEGIN IMMEDIATE;"
                                  "UPDATE clients SET AESKeyUsed=0"
                                  " WHERE AESKey NOT NULL OR PublicKey IS NULL;"
                                  "INSERT INTO settings(Name, Value) VALUES('seconds run', 0);"
                                  "COMMIT");
    if (result != KS_OK)
        (void)ks_database_run(database, "ROLLBACK"); /* there may be nothing to undo */
    return result;
}

enum ks_result ks_age_load(struct ks_age *age)
{
    int64_t run = 0;
    enum ks_result result = ks_database_read_integer(
        age->writer->database, "SELECT Value FROM settings WHERE Name='seconds run'", &run);
    if (result == KS_NOT_FOUND)
        result = begin_time(age->writer->database);
    if (run < 0 || run > INT64_MAX / 2)
        return KS_INVALID;
    age->ahead = run - ks_clock_steady_seconds(age->clock);
    age->next_note = run + NOTE_SECONDS;
    return result;
}

int64_t ks_age_to_stored(const struct ks_age *age, int64_t steady_seconds)
{
    return steady_seconds + age->ahead;
}

int64_t ks_age_from_stored(const struct ks_age *age, int64_t stored)
{
    int64_t now = stored_now(age);
    return (stored >= 0 && stored < now ? stored : now) - age->ahead;
}

void ks_age_note(struct ks_age *age, bool always)
{
    int64_t now = stored_now(age);
    if (!always && now < age->next_note)
        return;
    age->next_note = now + NOTE_SECONDS;
    if (ks_database_writer_begin(age->writer) == KS_OK) {
        struct ks_query query = ks_database_writer_query(age->writer, KS_STATEMENT_SET_AGE);
        ks_query_integer(&query, now);
        /* What fails, the log has; the next hour comes. */
        (void)ks_database_writer_check(age->writer, ks_query_run(&query));
    }
    (void)ks_database_writer_finish(age->writer);
    ks_database_writer_forget_failure(age->writer);
}
