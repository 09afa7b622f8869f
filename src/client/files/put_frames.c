/* put_frames.c — see put_frames.h. */
#include "client/files/put_frames.h"

#include "client/failure.h"

#include <string.h>

static void fill_header(enum ks_request_code code, size_t payload_size,
                        uint8_t bytes[static KS_REQUEST_HEADER_SIZE])
{
    const struct ks_request_header header = {
        .version = KS_VERSION_SECURE, .code = (uint16_t)code, .payload_size = (uint32_t)payload_size};
    ks_request_header_encode(&header, bytes);
}

enum kesher_status ks_put_frames_open(const struct ks_put_source *source, bool anew, uint8_t *bytes,
                                      size_t capacity, size_t *size, struct kesher_error *error)
{
    const char *name = source->put->name;
    struct ks_put_file put = {
        .flags = (uint8_t)((source->put->replace ? KS_PUT_REPLACE : 0) | (anew ? KS_PUT_ANEW : 0)),
        .size = source->size,
        .name = {.bytes = name, .size = (uint16_t)strnlen(name, KS_FILE_NAME_LIMIT + 1)},
    };
    memcpy(put.put_id, source->put_id, sizeof put.put_id);
    size_t payload_size = 0;
    enum ks_result result = ks_put_file_encode(&put, bytes + KS_REQUEST_HEADER_SIZE,
                                               capacity - KS_REQUEST_HEADER_SIZE, &payload_size);
    if (result != KS_OK)
        return ks_failure_from_result(error, result, "the file's name does not fit");
    fill_header(KS_REQUEST_PUT_FILE, payload_size, bytes);
    *size = KS_REQUEST_HEADER_SIZE + payload_size;
    return KESHER_OK;
}

void ks_put_frames_piece(uint32_t size, uint8_t bytes[static KS_REQUEST_HEADER_SIZE])
{
    fill_header(KS_REQUEST_PUT_PIECE, size, bytes);
}

void ks_put_frames_end(uint32_t cksum, uint8_t bytes[static KS_PUT_FRAMES_END_SIZE])
{
    fill_header(KS_REQUEST_PUT_END, 4, bytes);
    ks_store_u32(bytes + KS_REQUEST_HEADER_SIZE, cksum);
}
