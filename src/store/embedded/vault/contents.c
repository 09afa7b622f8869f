/* contents.c — see contents.h. A piece that is asked for as a whole is read to where it is wanted; of the
 * others, at the ends of a page, the whole piece is read too, for only that has a sum. */
#include "store/embedded/vault/contents.h"

#include "base/bytes.h"
#include "crypto/checksum.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One content that is open. */
struct content_file {
    int fd;
    uint32_t content_size;
    bool has_sums;
};

/* Those of an older kesher end without sums. */
static bool is_size_of(uint64_t file_size, uint32_t content_size)
{
    return file_size == content_size || file_size == content_size + ks_sums_size(content_size);
}

static enum ks_result damaged(struct ks_contents *contents, const char *why)
{
    contents->why = why;
    return KS_INVALID;
}

/* By errno: whether there is no such file, or nobody knows. */
static enum ks_result not_found(struct ks_contents *contents)
{
    if (errno == ENOENT || errno == ELOOP || errno == ENOTDIR)
        return damaged(contents, "its file is missing");
    return errno == ENOMEM ? KS_NO_MEMORY : KS_IO;
}

static enum ks_result judge(struct ks_contents *contents, const struct stat *status)
{
    uint64_t size = (uint64_t)status->st_size;
    if (!S_ISREG(status->st_mode))
        return damaged(contents, "its file is none");
    if (is_size_of(size, contents->content_size))
        return KS_OK;
    return damaged(contents,
                   size < contents->content_size ? "its file is too short" : "its file is too long");
}

static enum ks_result open_file(struct ks_contents *contents, struct content_file *file)
{
    struct stat status;
    file->fd = openat(contents->directory_fd, contents->place, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file->fd < 0)
        return not_found(contents);
    enum ks_result result = fstat(file->fd, &status) == 0 ? judge(contents, &status) : KS_IO;
    if (result != KS_OK) {
        close(file->fd);
        return result;
    }
    file->content_size = contents->content_size;
    file->has_sums = (uint64_t)status.st_size != contents->content_size;
    return KS_OK;
}

/* A sector that cannot be read may be there: so only what is read is judged. */
static enum ks_result read_at(struct ks_contents *contents, const struct content_file *file, uint8_t *bytes,
                              size_t size, uint64_t offset)
{
    size_t done = 0;
    while (done < size) {
        ssize_t count = pread(file->fd, bytes + done, size - done, (off_t)(offset + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return errno == ENOMEM ? KS_NO_MEMORY : KS_IO;
        if (count == 0)
            return damaged(contents, "its file is too short");
        done += (size_t)count;
    }
    return KS_OK;
}

/* Reads piece `number`, of `size` bytes, and judges it. */
static enum ks_result read_piece(struct ks_contents *contents, const struct content_file *file,
                                 uint64_t number, uint8_t *bytes, size_t size)
{
    uint8_t sum[KS_SUMS_SIZE];
    enum ks_result result = read_at(contents, file, bytes, size, number * KS_SUMS_PIECE);
    if (result != KS_OK || !file->has_sums)
        return result;
    result = read_at(contents, file, sum, sizeof sum, file->content_size + number * KS_SUMS_SIZE);
    if (result == KS_OK && ks_load_u32(sum) != ks_crc32(bytes, size))
        result = damaged(contents, "its content is not what was stored");
    return result;
}

static size_t piece_size(const struct content_file *file, uint64_t number)
{
    uint64_t left = file->content_size - number * KS_SUMS_PIECE;
    return left < KS_SUMS_PIECE ? (size_t)left : KS_SUMS_PIECE;
}

static enum ks_result read_pieces(struct ks_contents *contents, const struct content_file *file,
                                  uint64_t offset, uint8_t *bytes, size_t size)
{
    enum ks_result result = KS_OK;
    while (size > 0 && result == KS_OK) {
        uint64_t number = offset / KS_SUMS_PIECE;
        size_t skipped = (size_t)(offset % KS_SUMS_PIECE);
        size_t whole = piece_size(file, number);
        size_t part = whole - skipped < size ? whole - skipped : size;
        if (part == whole) {
            result = read_piece(contents, file, number, bytes, whole);
        } else {
            result = read_piece(contents, file, number, contents->scratch, whole);
            memcpy(bytes, contents->scratch + skipped, part);
        }
        offset += part;
        bytes += part;
        size -= part;
    }
    return result;
}

enum ks_result ks_contents_look(struct ks_contents *contents)
{
    struct stat status;
    if (fstatat(contents->directory_fd, contents->place, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return not_found(contents);
    return judge(contents, &status);
}

enum ks_result ks_contents_read(struct ks_contents *contents, uint64_t offset, uint8_t *bytes, size_t size)
{
    struct content_file file;
    enum ks_result result = open_file(contents, &file);
    if (result != KS_OK)
        return result;
    result = read_pieces(contents, &file, offset, bytes, size);
    int failure = errno;
    close(file.fd);
    errno = failure;
    return result;
}

enum ks_result ks_contents_check(struct ks_contents *contents, bool (*go_on)(void *context), void *context)
{
    struct content_file file;
    enum ks_result result = open_file(contents, &file);
    if (result != KS_OK)
        return result;
    uint64_t pieces = ks_sums_size(contents->content_size) / KS_SUMS_SIZE;
    for (uint64_t number = 0; number < pieces && result == KS_OK; number++) {
        result = go_on == NULL || go_on(context) ? KS_OK : KS_CLOSED;
        if (result == KS_OK)
            result = read_piece(contents, &file, number, contents->scratch, piece_size(&file, number));
    }
    close(file.fd);
    return result;
}
