/* put_source.c — see put_source.h. */
#include "client/files/put_source.h"

#include "client/failure.h"
#include "crypto/digest.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char id_label[] = "kesher put 1"; /* with its NUL */

static enum kesher_status look(const struct kesher_put *put, struct stat *status, struct kesher_error *error)
{
    char shown[KS_FILES_SHOWN_SIZE];
    if (fstat(put->fd, status) == 0)
        return KESHER_OK;
    return ks_failure_system(error, KESHER_FILE, errno, "cannot read '%s'", ks_files_show(put->name, shown));
}

static enum kesher_status make_put_id(struct ks_put_source *source, struct kesher_error *error)
{
    uint8_t bytes[sizeof id_label + 4 * sizeof(uint64_t) + KS_FILE_NAME_LIMIT];
    uint8_t digest[KS_SHA256_SIZE];
    struct ks_writer writer = ks_writer_over(bytes, sizeof bytes);
    const uint64_t numbers[] = {source->device, source->inode, source->size,
                                (uint64_t)source->changed.tv_sec * UINT64_C(1000000000) +
                                    (uint64_t)source->changed.tv_nsec};
    ks_writer_put(&writer, id_label, sizeof id_label);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        uint8_t *room = ks_writer_reserve(&writer, sizeof numbers[i]);
        if (room != NULL)
            ks_store_u64(room, numbers[i]);
    }
    ks_writer_put(&writer, source->put->name, strlen(source->put->name));
    enum ks_result result = writer.failed ? KS_TOO_LARGE : ks_sha256(bytes, writer.size, digest);
    if (result != KS_OK)
        return ks_failure_from_result(error, result, "cannot name what is put");
    memcpy(source->put_id, digest, KS_PUT_ID_SIZE);
    return KESHER_OK;
}

enum kesher_status ks_put_source_open(struct ks_put_source *source, const struct kesher_put *put,
                                      struct kesher_error *error)
{
    char shown[KS_FILES_SHOWN_SIZE];
    struct stat found;
    enum kesher_status status = kesher_file_name_check(put->name, error);
    if (status == KESHER_OK)
        status = look(put, &found, error);
    if (status != KESHER_OK)
        return status;
    if (!S_ISREG(found.st_mode))
        return ks_failure(error, KESHER_FILE, "'%s' is no regular file, and cannot be put as one",
                          ks_files_show(put->name, shown));
    *source = (struct ks_put_source){.put = put,
                                     .size = (uint64_t)found.st_size,
                                     .device = found.st_dev,
                                     .inode = found.st_ino,
                                     .changed = found.st_mtim};
    return make_put_id(source, error);
}

static enum kesher_status fail_changed(const struct ks_put_source *source, const char *how,
                                       struct kesher_error *error)
{
    char shown[KS_FILES_SHOWN_SIZE];
    return ks_failure(error, KESHER_FILE,
                      "'%s' %s while it was being sent; try again when nobody writes to it",
                      ks_files_show(source->put->name, shown), how);
}

enum kesher_status ks_put_source_check(const struct ks_put_source *source, struct kesher_error *error)
{
    struct stat found;
    enum kesher_status status = look(source->put, &found, error);
    if (status != KESHER_OK)
        return status;
    if ((uint64_t)found.st_size != source->size)
        return fail_changed(
            source, (uint64_t)found.st_size < source->size ? "became shorter" : "became longer", error);
    bool is_same =
        found.st_mtim.tv_sec == source->changed.tv_sec && found.st_mtim.tv_nsec == source->changed.tv_nsec;
    return is_same ? KESHER_OK : fail_changed(source, "changed", error);
}

enum kesher_status ks_put_source_read(const struct ks_put_source *source, struct ks_cksum *sum,
                                      uint8_t *bytes, size_t size, struct kesher_error *error)
{
    char shown[KS_FILES_SHOWN_SIZE];
    size_t filled = 0;
    while (filled < size) {
        ssize_t got = pread(source->put->fd, bytes + filled, size - filled, (off_t)(sum->length + filled));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ks_failure_system(error, KESHER_FILE, errno, "cannot read '%s'",
                                     ks_files_show(source->put->name, shown));
        if (got == 0)
            return fail_changed(source, "became shorter", error);
        filled += (size_t)got;
    }
    ks_cksum_add(sum, bytes, size);
    return KESHER_OK;
}
