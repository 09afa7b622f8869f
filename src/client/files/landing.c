/* landing.c — see landing.h. For one or two files, and one or two directories, an fsync of each is cheapest;
 * from SYNC_TOGETHER on, one syncfs is.
 *
 * What syncfs tells is what went wrong since the descriptor was opened that it is called on. So it is called
 * on that which was opened first. When it tells of something, each file is asked by itself. */
#include "client/files/landing.h"

#include "client/failure.h"

#include <errno.h>
#include <unistd.h>

enum { SYNC_TOGETHER = 3 };

/* Those of one disk. */
struct disk {
    struct ks_landing *landings[KS_LANDINGS_LIMIT];
    size_t count;
    bool is_synced; /* with all that was on it before the names */
};

static bool is_same_directory(const struct ks_landing *one, const struct ks_landing *other)
{
    return one->destination.device == other->destination.device &&
           one->destination.inode == other->destination.inode;
}

/* ---- data ---- */

static void sync_data(struct disk *disk)
{
    disk->is_synced = disk->count >= SYNC_TOGETHER && syncfs(disk->landings[0]->partial.fd) == 0;
    for (size_t i = 0; i < disk->count && !disk->is_synced; i++) {
        struct ks_landing *landing = disk->landings[i];
        if (fdatasync(landing->partial.fd) != 0)
            landing->status = ks_destination_failure(&landing->destination, errno, "sync", &landing->error);
    }
}

/* ---- names ---- */

static void give_names(const struct disk *disk)
{
    for (size_t i = 0; i < disk->count; i++) {
        struct ks_landing *landing = disk->landings[i];
        if (landing->status == KESHER_OK)
            landing->status = ks_partial_file_take_name(&landing->partial, &landing->destination,
                                                        &landing->replaced, &landing->error);
    }
}

/* ---- directories ---- */

/* Whether one of those before it has the same directory, and a name in it. */
static bool is_repeated(const struct disk *disk, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (disk->landings[i]->status == KESHER_OK &&
            is_same_directory(disk->landings[i], disk->landings[index]))
            return true;
    return false;
}

static size_t count_directories(const struct disk *disk)
{
    size_t count = 0;
    for (size_t i = 0; i < disk->count; i++)
        count += disk->landings[i]->status == KESHER_OK && !is_repeated(disk, i) ? 1 : 0;
    return count;
}

/* The directories above a file's own were synced with the disk, or are now. */
static void sync_directories(const struct disk *disk)
{
    if (count_directories(disk) >= SYNC_TOGETHER && syncfs(disk->landings[0]->partial.fd) == 0)
        return;
    for (size_t i = 0; i < disk->count; i++) {
        struct ks_landing *landing = disk->landings[i];
        if (landing->status == KESHER_OK && !is_repeated(disk, i))
            landing->status = ks_destination_sync(&landing->destination, !disk->is_synced,
                                                  landing->partial.fd, &landing->error);
    }
}

/* The next disk, with all that are on it and were not taken. False when there is none. */
static bool take_disk(struct ks_landing *const *landings, size_t count, bool taken[static KS_LANDINGS_LIMIT],
                      struct disk *disk)
{
    disk->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (taken[i] ||
            (disk->count > 0 && disk->landings[0]->destination.device != landings[i]->destination.device))
            continue;
        taken[i] = true;
        disk->landings[disk->count++] = landings[i];
    }
    return disk->count > 0;
}

void ks_landings_settle(struct ks_landing *const *landings, size_t count)
{
    bool taken[KS_LANDINGS_LIMIT] = {false};
    struct disk disk;
    for (size_t i = 0; i < count; i++) {
        landings[i]->status = KESHER_OK;
        landings[i]->replaced = false;
    }
    while (take_disk(landings, count, taken, &disk)) {
        sync_data(&disk);
        give_names(&disk);
        sync_directories(&disk);
    }
}
