/* scratch.c — see scratch.h. */
#include "scratch.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[SCRATCH_FOLDER_SIZE];

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

void scratch_remove(const char *path)
{
    (void)nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS); /* NOLINT(concurrency-mt-unsafe): one thread */
}

static void remove_folder(void)
{
    scratch_remove(folder);
}

const char *scratch_folder(void)
{
    static const char *const parents[] = {"/dev/shm/kesher-fuzz-XXXXXX", "/tmp/kesher-fuzz-XXXXXX"};
    for (size_t i = 0; folder[0] == '\0' && i < sizeof parents / sizeof parents[0]; i++) {
        memcpy(folder, parents[i], strlen(parents[i]) + 1);
        if (mkdtemp(folder) == NULL)
            folder[0] = '\0';
        else if (atexit(remove_folder) != 0)
            abort();
    }
    if (folder[0] == '\0')
        abort();
    return folder;
}

int scratch_file(void)
{
    static int made = -1;
    if (made < 0) {
        made = memfd_create("fuzz", MFD_CLOEXEC);
        if (made < 0 || ftruncate(made, SCRATCH_FILE_SIZE) != 0)
            abort();
    }
    return made;
}
