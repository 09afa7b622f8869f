/* injector.c — a library to be preloaded (LD_PRELOAD): it makes calls of the C library fail that a program
 * makes, and those that SQLite, libuv and OpenSSL make for it. Which and when stands in a file that the
 * program and the test have mapped: so a fault comes and goes while the program runs, and calls are counted.
 * Here: the start, judgement, and places; injector_files.c, injector_loops.c and injector_memory.c have the
 * calls.
 *
 * From the environment, at the start:
 *
 *   KESHER_FAULTS       the file (struct injector_map); without it everything goes straight to the system
 *   KESHER_FAULTS_ROOT  the data directory, absolute, without links in it
 *
 * The system is called by syscall(), or by the next function of that name, so nothing here comes here again.
 */
#include "injector.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const names[] = {
#define INJECTOR_NAME(name, text) text,
    INJECTOR_KINDS(INJECTOR_NAME)
#undef INJECTOR_NAME
};

/* A preloaded library has no other place for what it knows than the process. */
static struct {
    struct injector_map *map;
    char root[PATH_MAX];
    size_t root_size;
    dev_t device;
    pthread_mutex_t lock; /* of places */
} injector = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the start ---- */

static struct injector_map *map_file(const char *path)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    struct injector_map *map =
        (void *)syscall(SYS_mmap, NULL, sizeof *map, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
    syscall(SYS_close, fd);
    return map == MAP_FAILED ? NULL : map;
}

/* Who made the file must mean by a row what we mean. */
static bool is_ours(const struct injector_map *map)
{
    if (strncmp(map->magic, INJECTOR_MAGIC, sizeof map->magic) != 0)
        return false;
    for (size_t i = 0; i < INJECTOR_KIND_COUNT; i++)
        if (strncmp(map->rows[i].name, names[i], sizeof map->rows[i].name) != 0)
            return false;
    return true;
}

__attribute__((constructor)) static void start(void)
{
    struct stat status;
    void *frames[1];
    /* There is one thread yet. NOLINTBEGIN(concurrency-mt-unsafe) */
    const char *file = getenv("KESHER_FAULTS");
    const char *root = getenv("KESHER_FAULTS_ROOT");
    /* NOLINTEND(concurrency-mt-unsafe) */
    if (file == NULL || root == NULL)
        return;
    struct injector_map *map = map_file(file);
    if (map == NULL || !is_ours(map) || strlen(root) >= sizeof injector.root ||
        syscall(SYS_newfstatat, AT_FDCWD, root, &status, 0) != 0) {
        fprintf(stderr, "the injector cannot use %s for %s\n", file, root);
        _exit(99); /* a run without faults would look like one with them */
    }
    (void)backtrace(frames, 1); /* the first one loads a library */
    injector.root_size = strlen(root);
    memcpy(injector.root, root, injector.root_size);
    injector.device = status.st_dev;
    injector.map = map;
}

struct injector_map *injector_current(void)
{
    return injector.map;
}

void *injector_next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

/* ---- places ---- */

static uint64_t hash_of(enum injector_kind kind, void *const *frames, int depth)
{
    uint64_t hash = 0xCBF29CE484222325U + (uint64_t)kind;
    for (int i = 0; i < depth; i++)
        hash = (hash ^ (uintptr_t)frames[i]) * 0x100000001B3U;
    return hash != 0 ? hash : 1;
}

/* The row of these frames, which may be new; UINT32_MAX when there is no room. Needs the lock. */
static uint32_t row_of(uint64_t hash, enum injector_kind kind, void *const *frames, int depth)
{
    for (uint32_t i = 0; i < INJECTOR_PLACES; i++) {
        uint32_t number = (uint32_t)((hash + i) % INJECTOR_PLACES);
        struct injector_place *place = &injector.map->places[number];
        if (place->hash == hash)
            return number;
        if (place->hash != 0)
            continue;
        place->kind = kind;
        place->depth = (uint32_t)depth;
        memcpy(place->frames, frames, (size_t)depth * sizeof frames[0]);
        place->hash = hash;
        return number;
    }
    return UINT32_MAX;
}

static uint32_t note_place(enum injector_kind kind, bool fails)
{
    void *frames[INJECTOR_FRAMES];
    int depth = backtrace(frames, INJECTOR_FRAMES);
    uint64_t hash = hash_of(kind, frames, depth);
    pthread_mutex_lock(&injector.lock);
    uint32_t number = row_of(hash, kind, frames, depth);
    if (number != UINT32_MAX) {
        injector.map->places[number].calls++;
        injector.map->places[number].failed += fails;
    }
    pthread_mutex_unlock(&injector.lock);
    return number;
}

/* ---- judgement ---- */

/* The same for a call of the same number each time. */
static uint32_t dice(enum injector_kind kind, uint64_t call)
{
    uint64_t mixed = (call + ((uint64_t)kind << 32)) * 0x9E3779B97F4A7C15U;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
    return (uint32_t)((mixed ^ (mixed >> 27)) >> 32);
}

static bool is_due(const struct injector_row *row, enum injector_kind kind, uint64_t call)
{
    if (atomic_load(&row->is_armed) == 0 || call < row->from)
        return false;
    uint64_t behind = row->every > 0 ? (call - row->from) % row->every : call - row->from;
    return behind < row->in_a_row && (row->chance == UINT32_MAX || dice(kind, call) < row->chance);
}

static void enter_fault(enum injector_kind kind, uint64_t call, int error, uint32_t place)
{
    uint64_t number = atomic_fetch_add(&injector.map->fault_count, 1);
    if (number < INJECTOR_FAULTS)
        injector.map->faults[number] =
            (struct injector_fault){.call = call, .kind = kind, .error = error, .place = place};
}

struct injector_verdict injector_judge(enum injector_kind kind)
{
    struct injector_map *map = injector.map;
    if (map == NULL)
        return (struct injector_verdict){.error = 0};
    struct injector_row *row = &map->rows[kind];
    int failure = errno;
    uint64_t call = atomic_fetch_add(&row->calls, 1) + 1;
    bool fails = is_due(row, kind, call);
    uint32_t place = fails || map->notes_places != 0 ? note_place(kind, fails) : UINT32_MAX;
    if (fails) {
        atomic_fetch_add(&row->failed, 1);
        enter_fault(kind, call, row->error, place);
    }
    errno = failure;
    if (!fails)
        return (struct injector_verdict){.error = 0};
    return (struct injector_verdict){.is_short = row->error == 0 || row->is_torn != 0, .error = row->error};
}

bool injector_fails(enum injector_kind kind)
{
    struct injector_verdict verdict = injector_judge(kind);
    if (verdict.error == 0)
        return false;
    errno = verdict.error;
    return true;
}

/* ---- what a call is about ---- */

enum injector_target injector_target_of(int fd)
{
    struct stat status;
    int failure = errno;
    if (injector.map == NULL)
        return TARGET_OTHER;
    if (fd == STDOUT_FILENO || fd == STDERR_FILENO)
        return TARGET_LOG;
    long result = syscall(SYS_fstat, fd, &status);
    errno = failure;
    if (result != 0)
        return TARGET_OTHER;
    if (S_ISSOCK(status.st_mode))
        return TARGET_SOCKET;
    bool is_ours = status.st_dev == injector.device && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
    return is_ours ? TARGET_DATA : TARGET_OTHER;
}

bool injector_is_data(int directory, const char *path)
{
    if (injector.map == NULL)
        return false;
    if (path[0] != '/')
        return directory != AT_FDCWD && injector_target_of(directory) == TARGET_DATA;
    return strncmp(path, injector.root, injector.root_size) == 0 &&
           (path[injector.root_size] == '/' || path[injector.root_size] == '\0');
}
