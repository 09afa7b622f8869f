/* fuzz_files_client.c — whatever a secure server may say of own files, against the client: the first byte of
 * the input chooses what the client is doing, the rest is all that the server ever says, in one connection
 * after the other (quick_account.h).
 *
 * The properties: it ends, it reads nothing beyond its buffers, every failure has a sentence, each file that
 * was asked for is told about once; what is listed is a name that files may have, and in order; what was
 * fetched is as long as was said, and has the cksum that was said; and what is under a file's name is whole.
 */
#include "crypto/checksum.h"
#include "quick_account.h"
#include "scratch.h"
#include "wire/files_codec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { FILES = 3, SMALL_SIZE = 3000, LARGE_SIZE = 300 * 1024 };

static const char *const names[FILES] = {"a", "a/b", "c"};

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names. What is synced is another matter. */
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);

int __wrap_fsync(int fd)
{
    (void)fd;
    return 0;
}

int __wrap_fdatasync(int fd)
{
    (void)fd;
    return 0;
}
/* NOLINTEND(bugprone-reserved-identifier) */

static const struct kesher_options options = {.retry_ms = 1}; /* who is not there is not waited for */

static void judge(enum kesher_status status, const struct kesher_error *error)
{
    if (status != KESHER_OK)
        require(error != NULL && error->status == status && error->sentence[0] != '\0');
}

/* ---- list and remove ---- */

static bool see(void *context, const struct kesher_file *file)
{
    char *last = context;
    size_t size = strnlen(file->name, sizeof file->name);
    require(ks_file_name_is_valid(file->name, size) && strcmp(last, file->name) < 0);
    require(file->size <= KS_FILE_LARGEST);
    memcpy(last, file->name, size + 1);
    return true;
}

static void list(struct kesher_files *files)
{
    char last[KESHER_FILE_NAME_SIZE] = "";
    struct kesher_error error = {.sentence = ""};
    judge(kesher_files_list(files, NULL, see, last, &error), &error);
}

static void list_some(struct kesher_files *files)
{
    char last[KESHER_FILE_NAME_SIZE] = "";
    struct kesher_error error = {.sentence = ""};
    judge(kesher_files_list(files, "a/", see, last, &error), &error);
    require(last[0] == '\0' || strncmp(last, "a/", 2) == 0);
}

static void removed(void *context, size_t index, enum kesher_status status, const struct kesher_error *error)
{
    size_t *next = context;
    require(index == (*next)++);
    judge(status, error);
}

static void remove_some(struct kesher_files *files)
{
    size_t next = 0;
    struct kesher_error error = {.sentence = ""};
    enum kesher_status status = kesher_files_remove(files, names, FILES, removed, &next, &error);
    judge(status, &error);
    require(next <= FILES && (status != KESHER_OK || next == FILES));
}

/* ---- get ---- */

struct getting {
    bool to_descriptor;
    int directory;
    int fd;
    size_t given;
    size_t told;
};

static void judge_content(int fd, const struct kesher_get_result *result)
{
    struct stat status;
    struct ks_cksum sum = ks_cksum_start();
    require(fstat(fd, &status) == 0 && (uint64_t)status.st_size == result->size);
    uint8_t bytes[4096];
    for (off_t place = 0; place < status.st_size;) {
        ssize_t got = pread(fd, bytes, sizeof bytes, place);
        require(got > 0);
        ks_cksum_add(&sum, bytes, (size_t)got);
        place += got;
    }
    require(ks_cksum_value(&sum) == result->cksum);
}

static bool next_get(void *context, struct kesher_get *get)
{
    struct getting *getting = context;
    if (getting->given == FILES)
        return false;
    if (getting->to_descriptor)
        require(ftruncate(getting->fd, 0) == 0 && lseek(getting->fd, 0, SEEK_SET) == 0);
    *get = (struct kesher_get){.name = names[getting->given],
                               .directory = getting->directory,
                               .target = "got",
                               .replace = getting->given != 1,
                               .to_descriptor = getting->to_descriptor,
                               .fd = getting->fd};
    getting->given++;
    return true;
}

static void got(void *context, const struct kesher_get *get, const struct kesher_get_result *result,
                const struct kesher_error *error)
{
    struct getting *getting = context;
    getting->told++;
    judge(result->status, error);
    if (result->status != KESHER_OK)
        return;
    int fd = get->to_descriptor ? dup(getting->fd) : openat(getting->directory, "got", O_RDONLY | O_CLOEXEC);
    require(fd >= 0);
    judge_content(fd, result);
    close(fd);
}

static void get(struct kesher_files *files, bool to_descriptor)
{
    struct getting getting = {.to_descriptor = to_descriptor,
                              .directory = open(scratch_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                              .fd = memfd_create("got", MFD_CLOEXEC)};
    const struct kesher_get_list wanted = {.context = &getting, .next = next_get, .done = got};
    struct kesher_error error = {.sentence = ""};
    require(getting.directory >= 0 && getting.fd >= 0);
    judge(kesher_files_get(files, &wanted, &error), &error);
    require(getting.told == getting.given);
    require(unlinkat(getting.directory, "got", 0) == 0 || errno == ENOENT);
    require(unlinkat(getting.directory, "got.part", 0) == 0 || errno == ENOENT);
    close(getting.fd);
    close(getting.directory);
}

static void get_to_descriptor(struct kesher_files *files)
{
    get(files, true);
}

static void get_to_files(struct kesher_files *files)
{
    get(files, false);
}

/* ---- put ---- */

struct putting {
    int fd;
    bool digest;
    size_t count;
    size_t given;
    size_t told;
};

static bool next_put(void *context, struct kesher_put *put)
{
    struct putting *putting = context;
    if (putting->given == putting->count)
        return false;
    *put = (struct kesher_put){.fd = putting->fd,
                               .name = names[putting->given],
                               .replace = putting->given == 0,
                               .digest = putting->digest};
    putting->given++;
    return true;
}

static void was_put(void *context, const struct kesher_put *put, const struct kesher_put_result *result,
                    const struct kesher_error *error)
{
    struct putting *putting = context;
    (void)put;
    putting->told++;
    judge(result->status, error);
    require(result->resumed_at <= (uint64_t)LARGE_SIZE);
}

static int file_of(size_t size)
{
    int fd = memfd_create("put", MFD_CLOEXEC);
    require(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    return fd;
}

static void put(struct kesher_files *files, int fd, size_t count, bool digest)
{
    struct putting putting = {.fd = fd, .count = count, .digest = digest};
    const struct kesher_put_list offered = {.context = &putting, .next = next_put, .done = was_put};
    struct kesher_error error = {.sentence = ""};
    judge(kesher_files_put(files, &offered, &error), &error);
    require(putting.told == putting.given);
}

static void put_small(struct kesher_files *files)
{
    static int fd = -1;
    if (fd < 0)
        fd = file_of(SMALL_SIZE);
    put(files, fd, FILES, false);
}

static void put_large(struct kesher_files *files)
{
    static int fd = -1;
    if (fd < 0)
        fd = file_of(LARGE_SIZE);
    put(files, fd, 1, true);
}

/* ---- an input ---- */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static void (*const doings[])(struct kesher_files *) = {
        list, list_some, remove_some, get_to_descriptor, get_to_files, put_small, put_large};
    struct kesher_files *files = NULL;
    struct kesher_error error = {.sentence = ""};
    if (size < 1 || size > QUICK_ACCOUNT_INPUT_LIMIT)
        return 0;
    quick_account_prepare(bytes + 1, size - 1);
    enum kesher_status status =
        kesher_files_open(quick_account_home(), QUICK_ACCOUNT_LINK, &options, &files, &error);
    judge(status, &error);
    if (status == KESHER_OK)
        doings[bytes[0] % (sizeof doings / sizeof doings[0])](files);
    kesher_files_close(files);
    quick_account_end();
    return 0;
}
