/* home_modes.c — who else may read a home's secrets, or put others in their place (<kesher/home.h>). */
#include "client/home/home_files.h"

#include "base/text.h"
#include "client/failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    OTHERS_WRITE = S_IWGRP | S_IWOTH,
    OTHERS_USE = S_IRWXG | S_IRWXO,
    COMMANDS_SIZE = 400,
    WORD_SIZE = 160,
};

/* Commands to type, one behind another. */
struct mending {
    char commands[COMMANDS_SIZE];
    size_t used;
};

static void add(struct mending *mending, const char *mode, const char *path)
{
    char word[WORD_SIZE];
    size_t room = sizeof mending->commands - mending->used;
    int size = snprintf(mending->commands + mending->used, room, "%schmod %s %s",
                        mending->used > 0 ? " && " : "", mode, ks_text_shell_word(path, word, sizeof word));
    if (size > 0 && (size_t)size < room)
        mending->used += (size_t)size;
    mending->commands[mending->used] = '\0';
}

static enum kesher_status judge_file(const struct kesher_home *home, const char *name,
                                     struct mending *mending, struct kesher_error *error)
{
    char path[KESHER_PATH_SIZE + 16];
    struct stat status;
    if (fstatat(home->directory_fd, name, &status, 0) != 0)
        return errno == ENOENT ? KESHER_OK : ks_home_files_failure(home, errno, "look at", name, error);
    if ((status.st_mode & OTHERS_USE) == 0)
        return KESHER_OK;
    if (snprintf(path, sizeof path, "%s/%s", home->path, name) > 0)
        add(mending, "600", path);
    return KESHER_OK;
}

enum kesher_status kesher_home_check_modes(const struct kesher_home *home, struct kesher_error *error)
{
    static const char *const names[] = {"me.info", "my.info", "priv.key"};
    char shown[200];
    struct mending mending = {.used = 0};
    struct stat status;
    enum kesher_status outcome = KESHER_OK;
    if (!kesher_home_exists(home))
        return KESHER_OK;
    if (fstat(home->directory_fd, &status) != 0)
        return ks_home_files_failure(home, errno, "look at", "the directory", error);
    if ((status.st_mode & OTHERS_WRITE) != 0)
        add(&mending, "go-w", home->path);
    for (size_t i = 0; outcome == KESHER_OK && i < sizeof names / sizeof names[0]; i++)
        outcome = judge_file(home, names[i], &mending, error);
    if (outcome != KESHER_OK || mending.used == 0)
        return outcome;
    ks_text_escape(home->path, strlen(home->path), shown, sizeof shown);
    return ks_failure(error, KESHER_INVALID,
                      "others may read or change the identity in '%s', and whoever has it is you; type: %s",
                      shown, mending.commands);
}
