/* The contract of store.h, kept by the embedded engine: SQLite and the vault, in a directory that goes away.
 */
#include "unit/store/contract/contract.h"

#include "store/embedded/embedded.h"

#include <sys/statvfs.h>

#define MEMORY_DIRECTORY "/dev/shm"

enum { ROOM_NEEDED = 512 * 1024 * 1024 };

struct place {
    char directory[64];
    struct ks_log log;
    const struct ks_clock *clock;
    const struct ks_store_limits *limits;
};

static bool has_room(const char *directory)
{
    struct statvfs status;
    return statvfs(directory, &status) == 0 && (uint64_t)status.f_bavail * status.f_frsize >= ROOM_NEEDED;
}

/* In memory, where that can be: each case opens a store of its own, and a contract has no need of a disk to
 * wait for. What only a disk can show is in the tests of its parts, and in tests/torture. */
static void make_directory(char path[static 64])
{
    strcpy(path, MEMORY_DIRECTORY "/kesher-unit-XXXXXX");
    if (!has_room(MEMORY_DIRECTORY) || mkdtemp(path) == NULL)
        fixture_directory_make(path);
}

static void *make_place(const struct ks_clock *clock, const struct ks_store_limits *limits)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    make_directory(place->directory);
    place->log = fixture_log();
    place->clock = clock;
    place->limits = limits;
    return place;
}

static struct ks_store *open_store(void *context)
{
    const struct place *place = context;
    const struct ks_embedded_options options = {.data_directory = place->directory,
                                                .clock = place->clock,
                                                .random = ks_random_system(),
                                                .log = &place->log,
                                                .vault_threads = 2,
                                                .limits = place->limits};
    struct ks_store *store = NULL;
    char why[256];
    assert_int_equal(ks_embedded_open(&options, &store, why, sizeof why), KS_OK);
    return store;
}

static void remove_place(void *context)
{
    struct place *place = context;
    close(place->log.fd);
    fixture_directory_remove(place->directory);
    free(place);
}

int main(void)
{
    static const struct contract_harness embedded = {
        .name = "embedded", .set_up = make_place, .open = open_store, .tear_down = remove_place};
    return contract_run(&embedded);
}
