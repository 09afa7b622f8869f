/* content_source.c — see content_source.h. Works in steps that stay in the first-level caches' neighbourhood,
 * so that memory is touched once. */
#include "client/outbound/content_source.h"

#include "wire/drop_codec.h"

#include <errno.h>
#include <unistd.h>

enum { STEP = 32 * 1024 };

enum ks_result ks_content_source_open(struct ks_content_source *source, int fd, uint64_t size,
                                      const uint8_t key[static 16])
{
    *source = (struct ks_content_source){
        .fd = fd,
        .plain_left = size,
        .content_left = ks_content_size_of_file(size),
        .cksum = ks_cksum_start(),
    };
    return ks_content_encryptor_new(key, &source->cipher);
}

void ks_content_source_close(struct ks_content_source *source)
{
    ks_content_cipher_free(source->cipher);
    source->cipher = NULL;
}

static enum ks_result read_exactly(struct ks_content_source *source, uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t got = pread(source->fd, bytes, size, (off_t)source->offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            source->error_number = errno;
            return KS_IO;
        }
        if (got == 0)
            return KS_MORE;
        bytes += got;
        size -= (size_t)got;
        source->offset += (uint64_t)got;
        source->plain_left -= (uint64_t)got;
    }
    return KS_OK;
}

static enum ks_result read_step(struct ks_content_source *source, uint8_t *bytes, size_t capacity,
                                size_t *produced)
{
    bool last = source->content_left <= capacity;
    size_t size = last ? (size_t)source->plain_left : capacity;
    enum ks_result result = read_exactly(source, bytes, size);
    if (result != KS_OK)
        return result;
    ks_cksum_add(&source->cksum, bytes, size);
    *produced = size;
    result = last ? ks_content_encrypt_last(source->cipher, bytes, size, bytes, produced)
                  : ks_content_cipher_blocks(source->cipher, bytes, bytes, size);
    source->content_left -= *produced;
    return result;
}

enum ks_result ks_content_source_read(struct ks_content_source *source, uint8_t *bytes, size_t capacity,
                                      size_t *size)
{
    *size = 0;
    while (source->content_left > 0 && *size < capacity) {
        size_t room = capacity - *size < STEP ? capacity - *size : STEP;
        size_t produced = 0;
        enum ks_result result = read_step(source, bytes + *size, room, &produced);
        if (result != KS_OK)
            return result;
        *size += produced;
    }
    return KS_OK;
}
