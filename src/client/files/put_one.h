/* put_one.h — one file to the server, whatever its size: 3013, what the server has is compared, 3014s from
 * there on, 3015; 3016 if its digest is wanted (protocol.md §10.3). One thread at a time.
 *
 * Pieces go out while at most KS_PUT_ONE_WINDOW of their answers are still to come; so neither side waits for
 * the other, and what a lost connection costs is known.
 */
#ifndef KS_CLIENT_FILES_PUT_ONE_H
#define KS_CLIENT_FILES_PUT_ONE_H

#include "client/files/put_frames.h"

enum {
    KS_PUT_ONE_WINDOW = 32,
    KS_PUT_ONE_STEP = 128 * 1024,  /* that is read, summed and encrypted at a time, while it is in cache */
    KS_PUT_ONE_SMALL = 256 * 1024, /* files of at most this size are sent ahead of answers (put_list.c) */
};

/* What files are read into: a step of a large one with what stands before it, or all requests of a small one.
 */
struct ks_put_buffer {
    uint8_t
        bytes[KS_PUT_FRAMES_OPEN_LIMIT + KS_REQUEST_HEADER_SIZE + KS_PUT_ONE_SMALL + KS_PUT_FRAMES_END_SIZE];
};

/* Puts a file until it is durable or given up; the buffer is there. `may_be_there`:
 * all of it was sent before, and the answer was lost. Fills *result but for its status; `error` is not NULL.
 * Errors as kesher_put_list.done is told. */
enum kesher_status ks_put_one(struct kesher_files *files, const struct kesher_put *put, bool may_be_there,
                              struct kesher_put_result *result, struct kesher_error *error);

/* Asks for the digest of a file that was put. Errors as ks_files_run. */
enum kesher_status ks_put_one_digest(struct kesher_files *files, const struct kesher_put *put,
                                     struct kesher_put_result *result, struct kesher_error *error);

/* Tells the observer, if it wants to know. */
void ks_put_one_progress(const struct ks_client_session *session, const struct kesher_put *put, uint64_t sent,
                         uint64_t size);

#endif
