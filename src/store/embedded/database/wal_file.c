/* wal_file.c — see wal_file.h. A file system of SQLite's (sqlite.org/vfs.html) that differs from the default
 * one only in how it opens write-ahead logs. */
#include "store/embedded/database/wal_file.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    JOINED_LIMIT = 512 * 1024, /* bytes that wait */
    PIECE_LIMIT = 64 * 1024,   /* of one write: SQLite's Unix file system takes fewer than 128 KiB */
};

/* An open log. The default file system's file lies behind it, where SQLite left the room that we asked for.
 */
struct wal_file {
    sqlite3_file base;
    sqlite3_file *real;
    uint8_t *joined;      /* JOINED_LIMIT bytes */
    sqlite3_int64 offset; /* in the log, of what waits */
    int size;             /* of what waits */
};

static struct wal_file *wal_of(sqlite3_file *file)
{
    return (struct wal_file *)(void *)file;
}

/* Writes what waits. After a failure nothing waits either: the transaction it belonged to is rolled back. */
static int write_joined(struct wal_file *wal)
{
    int size = wal->size;
    wal->size = 0;
    for (int done = 0; done < size; done += PIECE_LIMIT) {
        int piece = size - done < PIECE_LIMIT ? size - done : PIECE_LIMIT;
        int code = wal->real->pMethods->xWrite(wal->real, wal->joined + done, piece, wal->offset + done);
        if (code != SQLITE_OK)
            return code;
    }
    return SQLITE_OK;
}

static int wal_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset)
{
    struct wal_file *wal = wal_of(file);
    bool continues = wal->size > 0 && offset == wal->offset + wal->size && size <= JOINED_LIMIT - wal->size;
    if (!continues) {
        int code = write_joined(wal);
        if (code != SQLITE_OK || size > JOINED_LIMIT)
            return code != SQLITE_OK ? code : wal->real->pMethods->xWrite(wal->real, bytes, size, offset);
        wal->offset = offset;
    }
    memcpy(wal->joined + wal->size, bytes, (size_t)size);
    wal->size += size;
    return SQLITE_OK;
}

static int wal_close(sqlite3_file *file)
{
    struct wal_file *wal = wal_of(file);
    int written = write_joined(wal);
    int closed = wal->real->pMethods->xClose(wal->real);
    sqlite3_free(wal->joined);
    wal->joined = NULL;
    return written != SQLITE_OK ? written : closed;
}

static int wal_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 offset)
{
    struct wal_file *wal = wal_of(file);
    int code = write_joined(wal);
    return code != SQLITE_OK ? code : wal->real->pMethods->xRead(wal->real, bytes, size, offset);
}

static int wal_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct wal_file *wal = wal_of(file);
    int code = write_joined(wal);
    return code != SQLITE_OK ? code : wal->real->pMethods->xTruncate(wal->real, size);
}

static int wal_sync(sqlite3_file *file, int flags)
{
    struct wal_file *wal = wal_of(file);
    int code = write_joined(wal);
    return code != SQLITE_OK ? code : wal->real->pMethods->xSync(wal->real, flags);
}

static int wal_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    struct wal_file *wal = wal_of(file);
    int code = write_joined(wal);
    return code != SQLITE_OK ? code : wal->real->pMethods->xFileSize(wal->real, size);
}

static int wal_lock(sqlite3_file *file, int level)
{
    struct wal_file *wal = wal_of(file);
    return wal->real->pMethods->xLock(wal->real, level);
}

static int wal_unlock(sqlite3_file *file, int level)
{
    struct wal_file *wal = wal_of(file);
    return wal->real->pMethods->xUnlock(wal->real, level);
}

static int wal_check_reserved_lock(sqlite3_file *file, int *reserved)
{
    struct wal_file *wal = wal_of(file);
    return wal->real->pMethods->xCheckReservedLock(wal->real, reserved);
}

/* Hints about the size that is to come, and the like. */
static int wal_file_control(sqlite3_file *file, int operation, void *argument)
{
    struct wal_file *wal = wal_of(file);
    int code = write_joined(wal);
    return code != SQLITE_OK ? code : wal->real->pMethods->xFileControl(wal->real, operation, argument);
}

static int wal_sector_size(sqlite3_file *file)
{
    struct wal_file *wal = wal_of(file);
    return wal->real->pMethods->xSectorSize(wal->real);
}

static int wal_device_characteristics(sqlite3_file *file)
{
    struct wal_file *wal = wal_of(file);
    return wal->real->pMethods->xDeviceCharacteristics(wal->real);
}

/* Version 1: a log needs neither shared memory nor memory maps, which belong to the database's own file. */
static const sqlite3_io_methods wal_methods = {
    .iVersion = 1,
    .xClose = wal_close,
    .xRead = wal_read,
    .xWrite = wal_write,
    .xTruncate = wal_truncate,
    .xSync = wal_sync,
    .xFileSize = wal_file_size,
    .xLock = wal_lock,
    .xUnlock = wal_unlock,
    .xCheckReservedLock = wal_check_reserved_lock,
    .xFileControl = wal_file_control,
    .xSectorSize = wal_sector_size,
    .xDeviceCharacteristics = wal_device_characteristics,
};

static sqlite3_vfs *default_system(void)
{
    return sqlite3_vfs_find(NULL);
}

static int open_wal(sqlite3_vfs *system, const char *name, struct wal_file *wal, int flags, int *out_flags)
{
    wal->base.pMethods = NULL; /* so SQLite does not close what was not opened */
    wal->real = (sqlite3_file *)(void *)(wal + 1);
    wal->size = 0;
    wal->offset = 0;
    wal->joined = sqlite3_malloc(JOINED_LIMIT);
    if (wal->joined == NULL)
        return SQLITE_NOMEM;
    int code = system->xOpen(system, name, wal->real, flags, out_flags);
    if (code == SQLITE_OK) {
        wal->base.pMethods = &wal_methods;
        return SQLITE_OK;
    }
    if (wal->real->pMethods != NULL)
        (void)wal->real->pMethods->xClose(wal->real);
    sqlite3_free(wal->joined);
    wal->joined = NULL;
    return code;
}

static int open_file(sqlite3_vfs *ours, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    sqlite3_vfs *system = default_system();
    (void)ours;
    if ((flags & SQLITE_OPEN_WAL) != 0)
        return open_wal(system, name, wal_of(file), flags, out_flags);
    return system->xOpen(system, name, file, flags, out_flags);
}

/* SQLite keeps a list of file systems for the whole process; ours joins it once. */
static struct {
    pthread_once_t once;
    sqlite3_vfs system;
    bool registered;
} wal_system = {.once = PTHREAD_ONCE_INIT};

/* What is not overridden is the default one's functions, which look at nothing of this structure but
 * pAppData. */
static void register_system(void)
{
    const sqlite3_vfs *system = default_system();
    if (system == NULL)
        return;
    wal_system.system = *system;
    wal_system.system.zName = "kesher-wal";
    wal_system.system.pNext = NULL;
    wal_system.system.szOsFile = (int)sizeof(struct wal_file) + system->szOsFile;
    wal_system.system.xOpen = open_file;
    wal_system.registered = sqlite3_vfs_register(&wal_system.system, 0) == SQLITE_OK;
}

const char *ks_wal_file_system(void)
{
    if (pthread_once(&wal_system.once, register_system) != 0 || !wal_system.registered)
        return NULL;
    return wal_system.system.zName;
}
