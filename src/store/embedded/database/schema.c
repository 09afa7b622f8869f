/* schema.c — see schema.h. */
#include "store/embedded/database/schema.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* "kshr" in SQLite's header, so that file(1) and we know our own. */
#define APPLICATION_ID "1802725490"
enum { APPLICATION_NUMBER = 1802725490 };

/* migrations[n] leads from user_version n to n + 1. Never change one that was released. */
static const char *const migrations[] = {
    "CREATE TABLE clients("
    " ID BLOB NOT NULL PRIMARY KEY CHECK(length(ID) = 16),"
    " Name TEXT NOT NULL UNIQUE,"
    " PublicKey BLOB,"
    " LastSeen TEXT NOT NULL,"
    " AESKey BLOB,"
    " Registered INTEGER NOT NULL,"
    " AESKeyUsed INTEGER);"
    "CREATE TABLE files("
    " ID BLOB NOT NULL CHECK(length(ID) = 16),"
    " FileName TEXT NOT NULL,"
    " PathName TEXT NOT NULL UNIQUE,"
    " Verified INTEGER NOT NULL CHECK(Verified IN (0, 1)),"
    " KeptName TEXT NOT NULL,"
    " PRIMARY KEY(ID, KeptName));"
    "CREATE TABLE settings("
    " Name TEXT NOT NULL PRIMARY KEY,"
    " Value NOT NULL) WITHOUT ROWID;"
    "PRAGMA application_id=" APPLICATION_ID ";",
    /* AUTOINCREMENT remembers the highest ID there ever was. */
    "CREATE TABLE messages("
    " ID INTEGER PRIMARY KEY AUTOINCREMENT,"
    " ToClient BLOB NOT NULL CHECK(length(ToClient) = 16),"
    " FromClient BLOB NOT NULL CHECK(length(FromClient) = 16),"
    " Type INTEGER NOT NULL CHECK(Type BETWEEN 0 AND 255),"
    " ContentSize INTEGER NOT NULL CHECK(ContentSize BETWEEN 0 AND 4294967295),"
    " Place TEXT,"
    " Content BLOB,"
    " CHECK((Place IS NULL) = (Content IS NOT NULL)),"
    " CHECK(Content IS NULL OR length(Content) = ContentSize));"
    "CREATE INDEX messages_waiting ON messages(ToClient, ID, ContentSize);"
    "CREATE INDEX messages_spooled ON messages(ToClient, ID) WHERE Place IS NOT NULL;"
    "CREATE UNIQUE INDEX messages_place ON messages(Place) WHERE Place IS NOT NULL;",
    "ALTER TABLE clients ADD COLUMN KeyReset INTEGER;"
    "ALTER TABLE files ADD COLUMN Size INTEGER;"
    "CREATE TABLE removals("
    " ID BLOB NOT NULL PRIMARY KEY CHECK(length(ID) = 16)) WITHOUT ROWID;",
    /* filing.h */
    "CREATE TABLE waiting("
    " ToClient BLOB NOT NULL,"
    " ID INTEGER NOT NULL,"
    " ContentSize INTEGER NOT NULL,"
    " PRIMARY KEY(ToClient, ID)) WITHOUT ROWID;"
    "INSERT INTO waiting SELECT ToClient, ID, ContentSize FROM messages INDEXED BY messages_waiting"
    " WHERE ToClient NOT NULL ORDER BY ToClient, ID;"
    "INSERT INTO settings(Name, Value) SELECT 'messages filed', coalesce(max(ID), 0) FROM messages;"
    "DROP INDEX messages_waiting;",
    /* journal.h: an older kesher would not look for messages there. */
    "",
    /* sums.h; and an older kesher would look for files under users' ids (relocation.h). */
    "ALTER TABLE files ADD COLUMN Cksum INTEGER;"
    "ALTER TABLE files ADD COLUMN Written INTEGER;"
    "ALTER TABLE messages ADD COLUMN Sum INTEGER;",
    /* message_rows.h: both rows of a message in one transaction. Until then, some waited for the second. */
    "INSERT INTO waiting SELECT ToClient, ID, ContentSize FROM messages"
    " WHERE ID > (SELECT Value FROM settings WHERE Name='messages filed') ORDER BY ToClient, ID;"
    "UPDATE sqlite_sequence SET seq=max(seq, (SELECT Value FROM settings WHERE Name='messages filed'))"
    " WHERE name='messages';"
    "DELETE FROM settings WHERE Name='messages filed';",
    "ALTER TABLE clients ADD COLUMN Skeleton TEXT;"
    "UPDATE clients SET Skeleton=skeleton_of(Name);"
    "CREATE INDEX clients_skeleton ON clients(Skeleton);"
    "CREATE TABLE accounts("
    " ID BLOB NOT NULL PRIMARY KEY CHECK(length(ID) = 16),"
    " Key BLOB NOT NULL UNIQUE CHECK(length(Key) = 32),"
    " ClassicID BLOB UNIQUE CHECK(ClassicID IS NULL OR length(ClassicID) = 16),"
    " Registered INTEGER NOT NULL,"
    " Skeleton TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX accounts_skeleton ON accounts(Skeleton);"
    "CREATE TABLE invitations("
    " Hash BLOB NOT NULL PRIMARY KEY CHECK(length(Hash) = 32),"
    " Uses INTEGER NOT NULL CHECK(Uses > 0),"
    " Until INTEGER NOT NULL,"
    " Name TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE retired("
    " ID BLOB NOT NULL PRIMARY KEY CHECK(length(ID) = 16),"
    " Name TEXT NOT NULL UNIQUE,"
    " Skeleton TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX retired_skeleton ON retired(Skeleton);",
    /* digests.h */
    "ALTER TABLE files ADD COLUMN SHA256 BLOB"
    " CHECK(SHA256 IS NULL OR length(SHA256) IN (0, 32));"
    "CREATE INDEX files_without_sha256 ON files(SHA256) WHERE SHA256 IS NULL;",
};

enum { NEWEST_VERSION = sizeof migrations / sizeof migrations[0] };

static enum ks_result check_origin(sqlite3 *database, int64_t version, char *why, size_t why_size)
{
    int64_t application = 0;
    int64_t tables = 0;
    enum ks_result result = ks_database_read_integer(database, "PRAGMA application_id", &application);
    if (result == KS_OK)
        result = ks_database_read_integer(database, "SELECT count(*) FROM sqlite_schema", &tables);
    if (result != KS_OK)
        return result;
    bool is_new = version == 0 && tables == 0;
    if (!is_new && application != APPLICATION_NUMBER) {
        snprintf(why, why_size, "kesher.db is the database of another program");
        return KS_INVALID;
    }
    if (version > NEWEST_VERSION) {
        snprintf(why, why_size, "kesher.db was written by a newer kesher (version %lld, this one knows %d)",
                 (long long)version, (int)NEWEST_VERSION);
        return KS_INVALID;
    }
    return KS_OK;
}

/* What went wrong is told before the rollback, which goes well. */
static enum ks_result migrate_once(sqlite3 *database, int64_t version, char *why, size_t why_size)
{
    char set_version[64];
    snprintf(set_version, sizeof set_version, "PRAGMA user_version=%lld", (long long)version + 1);
    enum ks_result result = ks_database_run(database, "BEGIN IMMEDIATE");
    if (result != KS_OK)
        return result;
    result = ks_database_run(database, migrations[version]);
    if (result == KS_OK)
        result = ks_database_run(database, set_version);
    if (result == KS_OK)
        result = ks_database_run(database, "COMMIT");
    if (result != KS_OK) {
        snprintf(why, why_size, "cannot set up kesher.db: %s", sqlite3_errmsg(database));
        ks_database_run(database, "ROLLBACK");
    }
    return result;
}

/* ---- skeletons of the users that there are ---- */

struct skeletons {
    ks_schema_skeleton of; /* NULL: lower case */
};

/* A name that an older kesher let in, and of which none can be made, is at least its own. */
static enum ks_result make_skeleton(const struct skeletons *skeletons, const char *name, size_t size,
                                    char skeleton[static KS_SKELETON_SIZE])
{
    enum ks_result result = KS_INVALID;
    if (skeletons->of != NULL)
        result = skeletons->of(name, size, skeleton);
    if (result != KS_INVALID)
        return result;
    size_t kept = size < KS_SKELETON_SIZE ? size : KS_SKELETON_SIZE - 1;
    ks_text_to_lower(name, kept, skeleton);
    skeleton[kept] = '\0';
    return KS_OK;
}

static void skeleton_of(sqlite3_context *context, int count, sqlite3_value **values)
{
    char skeleton[KS_SKELETON_SIZE];
    const struct skeletons *skeletons = sqlite3_user_data(context);
    const char *name = count == 1 ? (const char *)sqlite3_value_text(values[0]) : NULL;
    enum ks_result result = KS_NO_MEMORY;
    if (name != NULL)
        result = make_skeleton(skeletons, name, (size_t)sqlite3_value_bytes(values[0]), skeleton);
    if (result == KS_OK)
        sqlite3_result_text(context, skeleton, -1, SQLITE_TRANSIENT);
    else if (result == KS_NO_MEMORY)
        sqlite3_result_error_nomem(context);
    else
        sqlite3_result_error(context, "the skeleton of a name cannot be made", -1);
}

static enum ks_result migrate(sqlite3 *database, int64_t version, ks_schema_skeleton skeleton, char *why,
                              size_t why_size)
{
    static const char name[] = "skeleton_of";
    const int kind = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
    struct skeletons skeletons = {.of = skeleton};
    enum ks_result result = ks_database_result(
        sqlite3_create_function(database, name, 1, kind, &skeletons, skeleton_of, NULL, NULL));
    for (; result == KS_OK && version < NEWEST_VERSION; version++)
        result = migrate_once(database, version, why, why_size);
    (void)sqlite3_create_function(database, name, 1, kind, NULL, NULL, NULL, NULL);
    return result;
}

enum ks_result ks_schema_upgrade(sqlite3 *database, ks_schema_skeleton skeleton, char *why, size_t why_size)
{
    int64_t version = 0;
    why[0] = '\0';
    enum ks_result result = ks_database_read_integer(database, "PRAGMA user_version", &version);
    if (result == KS_OK)
        result = check_origin(database, version, why, why_size);
    if (result == KS_OK && version < NEWEST_VERSION)
        result = migrate(database, version, skeleton, why, why_size);
    if (result != KS_OK && why[0] == '\0')
        snprintf(why, why_size, "cannot set up kesher.db: %s", sqlite3_errmsg(database));
    return result;
}

static enum ks_result read_alias_key(sqlite3 *database, uint8_t key[static KS_ALIAS_KEY_SIZE])
{
    sqlite3_stmt *statement = NULL;
    enum ks_result result =
        ks_database_prepare(database, "SELECT Value FROM settings WHERE Name='alias key'", &statement);
    if (result != KS_OK)
        return result;
    int code = sqlite3_step(statement);
    if (code == SQLITE_DONE)
        result = KS_NOT_FOUND;
    else if (code != SQLITE_ROW)
        result = ks_database_result(code);
    else if (sqlite3_column_bytes(statement, 0) != KS_ALIAS_KEY_SIZE)
        result = KS_INVALID;
    else
        memcpy(key, sqlite3_column_blob(statement, 0), KS_ALIAS_KEY_SIZE);
    sqlite3_finalize(statement);
    return result;
}

static enum ks_result write_alias_key(sqlite3 *database, const uint8_t key[static KS_ALIAS_KEY_SIZE])
{
    sqlite3_stmt *statement = NULL;
    enum ks_result result =
        ks_database_prepare(database, "INSERT INTO settings(Name, Value) VALUES('alias key', ?)", &statement);
    if (result != KS_OK)
        return result;
    int code = sqlite3_bind_blob(statement, 1, key, KS_ALIAS_KEY_SIZE, SQLITE_TRANSIENT);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    sqlite3_finalize(statement);
    return ks_database_result(code);
}

enum ks_result ks_schema_alias_key(sqlite3 *database, const struct ks_random *random,
                                   uint8_t key[static KS_ALIAS_KEY_SIZE])
{
    enum ks_result result = read_alias_key(database, key);
    if (result != KS_NOT_FOUND)
        return result;
    result = ks_random_fill(random, key, KS_ALIAS_KEY_SIZE);
    return result == KS_OK ? write_alias_key(database, key) : result;
}
