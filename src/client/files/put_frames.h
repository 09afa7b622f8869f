/* put_frames.h — the requests of a put as bytes, to be sent in one piece with what belongs to them. Pure; any
 * thread. */
#ifndef KS_CLIENT_FILES_PUT_FRAMES_H
#define KS_CLIENT_FILES_PUT_FRAMES_H

#include "client/files/put_source.h"

enum {
    KS_PUT_FRAMES_OPEN_LIMIT = KS_REQUEST_HEADER_SIZE + KS_PUT_FILE_FIXED_SIZE + KS_FILE_NAME_LIMIT,
    KS_PUT_FRAMES_END_SIZE = KS_REQUEST_HEADER_SIZE + 4,
};

/* 3013, all of it. KESHER_OK with *size; KESHER_INVALID for a name that does not fit. */
enum kesher_status ks_put_frames_open(const struct ks_put_source *source, bool anew, uint8_t *bytes,
                                      size_t capacity, size_t *size, struct kesher_error *error);

/* The header of a 3014 with a payload of `size` bytes. */
void ks_put_frames_piece(uint32_t size, uint8_t bytes[static KS_REQUEST_HEADER_SIZE]);

/* 3015, all of it. */
void ks_put_frames_end(uint32_t cksum, uint8_t bytes[static KS_PUT_FRAMES_END_SIZE]);

#endif
