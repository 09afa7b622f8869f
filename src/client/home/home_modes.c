/* home_modes.c — see <kesher/home.h> and home_modes.h. */
#include "client/home/home_modes.h"

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

/* Adds what takes the bits `forbidden` away from a file; one that does not exist has none. */
static enum kesher_status judge_file(const struct kesher_home *home, const char *name, mode_t forbidden,
                                     struct mending *mending, struct kesher_error *error)
{
    char path[KESHER_PATH_SIZE + 16];
    struct stat status;
    if (fstatat(home->directory_fd, name, &status, 0) != 0)
        return errno == ENOENT ? KESHER_OK : ks_home_files_failure(home, errno, "look at", name, error);
    if ((status.st_mode & forbidden) == 0)
        return KESHER_OK;
    if (snprintf(path, sizeof path, "%s/%s", home->path, name) > 0)
        add(mending, forbidden == OTHERS_USE ? "600" : "go-w", path);
    return KESHER_OK;
}

static enum kesher_status judge_directory(const struct kesher_home *home, struct mending *mending,
                                          struct kesher_error *error)
{
    struct stat status;
    if (fstat(home->directory_fd, &status) != 0)
        return ks_home_files_failure(home, errno, "look at", "the directory", error);
    if ((status.st_mode & OTHERS_WRITE) != 0)
        add(mending, "go-w", home->path);
    return KESHER_OK;
}

enum kesher_status kesher_home_check_modes(const struct kesher_home *home, struct kesher_error *error)
{
    static const char *const names[] = {"me.info", "my.info", "priv.key", "account.key"};
    char shown[200];
    struct mending mending = {.used = 0};
    if (!kesher_home_exists(home))
        return KESHER_OK;
    enum kesher_status outcome = judge_directory(home, &mending, error);
    for (size_t i = 0; outcome == KESHER_OK && i < sizeof names / sizeof names[0]; i++)
        outcome = judge_file(home, names[i], OTHERS_USE, &mending, error);
    if (outcome != KESHER_OK || mending.used == 0)
        return outcome;
    ks_text_escape(home->path, strlen(home->path), shown, sizeof shown);
    return ks_failure(error, KESHER_INVALID,
                      "others may read or change the identity in '%s', and whoever has it is you; type: %s",
                      shown, mending.commands);
}

/* What may not be used as it is; "others may <what> <name> in …". */
static enum kesher_status check_file(const struct kesher_home *home, const char *name, mode_t forbidden,
                                     const char *what, struct kesher_error *error)
{
    char shown[200];
    struct mending mending = {.used = 0};
    enum kesher_status outcome = judge_directory(home, &mending, error);
    if (outcome == KESHER_OK)
        outcome = judge_file(home, name, forbidden, &mending, error);
    if (outcome != KESHER_OK || mending.used == 0)
        return outcome;
    ks_text_escape(home->path, strlen(home->path), shown, sizeof shown);
    return ks_failure(error, KESHER_INVALID, "others may %s %s in '%s', so it is not used; type: %s", what,
                      name, shown, mending.commands);
}

enum kesher_status ks_home_modes_check_secret(const struct kesher_home *home, const char *name,
                                              struct kesher_error *error)
{
    return check_file(home, name, OTHERS_USE, "read or replace", error);
}

enum kesher_status ks_home_modes_check_own(const struct kesher_home *home, const char *name,
                                           struct kesher_error *error)
{
    return check_file(home, name, OTHERS_WRITE, "change or replace", error);
}
