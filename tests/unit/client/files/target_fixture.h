/* target_fixture.h — an empty directory for every test, into which files are fetched. The test's state is a
 * struct target_fixture. */
#ifndef KS_TESTS_UNIT_CLIENT_FILES_TARGET_FIXTURE_H
#define KS_TESTS_UNIT_CLIENT_FILES_TARGET_FIXTURE_H

#include "unit/unit.h"

#include "client/files/landing.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct target_fixture {
    char path[64];
    int directory;
    struct kesher_error error;
};

static inline int target_fixture_remove(const char *path, const struct stat *status, int kind,
                                        struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static inline int open_target_fixture(void **state)
{
    struct target_fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    strcpy(fixture->path, "/tmp/kesher-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->path));
    fixture->directory = open(fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fixture->directory >= 0);
    umask(022);
    *state = fixture;
    return 0;
}

static inline int close_target_fixture(void **state)
{
    struct target_fixture *fixture = *state;
    close(fixture->directory);
    assert_int_equal(nftw(fixture->path, target_fixture_remove, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(fixture);
    return 0;
}

/* ---- what is in a directory ---- */

static inline void directory_write(int directory, const char *name, const char *text, mode_t mode)
{
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static inline bool directory_has(int directory, const char *name)
{
    return faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline mode_t directory_mode(int directory, const char *name)
{
    struct stat status;
    assert_int_equal(fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW), 0);
    return status.st_mode;
}

/* Whether the file holds exactly this. */
static inline bool directory_holds(int directory, const char *name, const void *bytes, size_t size)
{
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    uint8_t *read_bytes = malloc(size + 1);
    assert_non_null(read_bytes);
    ssize_t got = pread(fd, read_bytes, size + 1, 0);
    bool is_same = got == (ssize_t)size && memcmp(read_bytes, bytes, size) == 0;
    free(read_bytes);
    close(fd);
    return is_same;
}

static inline bool directory_says(int directory, const char *name, const char *text)
{
    return directory_holds(directory, name, text, strlen(text));
}

/* ---- targets ---- */

static inline struct kesher_get fixture_get(const struct target_fixture *fixture, const char *target,
                                            bool replace)
{
    return (struct kesher_get){
        .name = "name", .directory = fixture->directory, .target = target, .replace = replace};
}

static inline enum kesher_status fixture_open_destination(struct target_fixture *fixture,
                                                          struct ks_destination *destination,
                                                          const char *path, bool replace)
{
    struct kesher_get get = fixture_get(fixture, path, replace);
    return ks_destination_open(destination, &get, &fixture->error);
}

/* A target and its partial file. */
static inline void fixture_open_landing(struct target_fixture *fixture, struct ks_landing *landing,
                                        const char *path, bool replace)
{
    enum kesher_status status = fixture_open_destination(fixture, &landing->destination, path, replace);
    if (status == KESHER_OK)
        status = ks_partial_file_open(&landing->partial, &landing->destination, &fixture->error);
    if (status != KESHER_OK)
        fail_msg("%s", fixture->error.sentence);
}

static inline enum kesher_status landing_add(struct ks_landing *landing, const char *text,
                                             struct kesher_error *error)
{
    return ks_partial_file_add(&landing->partial, &landing->destination, (const uint8_t *)text, strlen(text),
                               error);
}

static inline void close_landing(struct ks_landing *landing, bool remove)
{
    ks_partial_file_close(&landing->partial, &landing->destination, remove);
    ks_destination_close(&landing->destination);
}

#define TARGET_TEST(function)                                                                                \
    cmocka_unit_test_setup_teardown(function, open_target_fixture, close_target_fixture)

#endif
