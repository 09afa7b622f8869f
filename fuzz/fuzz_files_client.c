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
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { FILES = 3, SMALL_SIZE = 3000, LARGE_SIZE = 300 * 1024 };

static const char *const names[FILES] = {"a", "a/b", "c"};
static const char *const targets[FILES] = {"got a", "got b", "got c"};
static const char *const partials[FILES] = {"got a.part", "got b.part", "got c.part"};

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names. What is synced is another matter, and nobody
 * reads what the client sends: it is taken all the same. */
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags);
int __wrap_poll(struct pollfd *descriptors, nfds_t count, int timeout);
int __real_poll(struct pollfd *descriptors, nfds_t count, int timeout);
int __wrap_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left);

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

int __wrap_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left)
{
    (void)clock;
    (void)flags;
    (void)time;
    (void)left;
    return 0;
}

/* Once the client waits, the server has said its all. */
int __wrap_poll(struct pollfd *descriptors, nfds_t count, int timeout)
{
    int ready = __real_poll(descriptors, count, 0);
    if (ready == 0 && count > 0 && timeout != 0 && quick_account_hang_up())
        ready = __real_poll(descriptors, count, 0);
    return ready;
}

ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags)
{
    (void)fd;
    (void)bytes;
    (void)flags;
    return (ssize_t)size;
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
    int fds[FILES];
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
    size_t place = getting->given;
    if (place == FILES)
        return false;
    *get = (struct kesher_get){.name = names[place],
                               .directory = getting->directory,
                               .target = targets[place],
                               .replace = place != 1,
                               .to_descriptor = getting->to_descriptor,
                               .fd = getting->fds[place],
                               .tag = &getting->fds[place]};
    getting->given++;
    return true;
}

static void got(void *context, const struct kesher_get *get, const struct kesher_get_result *result,
                const struct kesher_error *error)
{
    struct getting *getting = context;
    const int *fd = get->tag;
    getting->told++;
    judge(result->status, error);
    if (result->status != KESHER_OK)
        return;
    int opened =
        get->to_descriptor ? dup(*fd) : openat(getting->directory, get->target, O_RDONLY | O_CLOEXEC);
    require(opened >= 0);
    judge_content(opened, result);
    close(opened);
}

static void write_file(int directory, const char *name, const char *content)
{
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t size = strlen(content);
    require(fd >= 0 && write(fd, content, size) == (ssize_t)size && close(fd) == 0);
}

static void get(struct kesher_files *files, bool to_descriptor)
{
    struct getting getting = {.to_descriptor = to_descriptor,
                              .directory = open(scratch_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    const struct kesher_get_list wanted = {.context = &getting, .next = next_get, .done = got};
    struct kesher_error error = {.sentence = ""};
    require(getting.directory >= 0);
    for (size_t i = 0; i < FILES; i++)
        require((getting.fds[i] = memfd_create("got", MFD_CLOEXEC)) >= 0);
    judge(kesher_files_get(files, &wanted, &error), &error);
    require(getting.told == getting.given);
    for (size_t i = 0; i < FILES; i++) {
        require(unlinkat(getting.directory, targets[i], 0) == 0 || errno == ENOENT);
        require(unlinkat(getting.directory, partials[i], 0) == 0 || errno == ENOENT);
        close(getting.fds[i]);
    }
    close(getting.directory);
}

/* What may be there before: the same, something else, and the beginning of it. */
static void get_over_files(struct kesher_files *files)
{
    int directory = open(scratch_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    require(directory >= 0);
    write_file(directory, targets[0], "hello");
    write_file(directory, targets[1], "other");
    write_file(directory, partials[2], "hel");
    close(directory);
    get(files, false);
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
        list, list_some, remove_some, get_to_descriptor, get_to_files, put_small, put_large, get_over_files};
    struct kesher_files *files = NULL;
    struct kesher_error error = {.sentence = ""};
    if (size < 1 || size > QUICK_ACCOUNT_INPUT_LIMIT)
        return 0;
    quick_account_prepare(bytes + 1, size - 1, true);
    enum kesher_status status =
        kesher_files_open(quick_account_home(), QUICK_ACCOUNT_LINK, &options, &files, &error);
    judge(status, &error);
    if (status == KESHER_OK)
        doings[bytes[0] % (sizeof doings / sizeof doings[0])](files);
    kesher_files_close(files);
    quick_account_end();
    return 0;
}
