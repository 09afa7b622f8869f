/* upload.h — one file to the server: 1028, compare, 1029; 1030 and 1031; repeats (protocol.md §1.2).
 *
 * Everything here runs on the thread that uses the drop.
 */
#ifndef KS_CLIENT_DROP_UPLOAD_H
#define KS_CLIENT_DROP_UPLOAD_H

#include "client/drop/drop_internal.h"
#include "client/transport/request.h"

/* What has gone wrong with one file so far. */
struct ks_upload_counts {
    struct ks_request_tries tries;
    unsigned mismatches;
    unsigned lost_confirmations;
    bool refused;         /* when it was sent ahead of other files' answers */
    bool mismatch_untold; /* the server has not been sent the 1030 for the last mismatch */
};

/* KESHER_OK when `upload` can be sent at all; KESHER_INVALID, KESHER_FILE. */
enum kesher_status ks_upload_check(const struct kesher_upload *upload, struct kesher_error *error);

/* True when the whole file fits one piece. */
bool ks_upload_is_small(const struct kesher_upload *upload);

/* Sends the 1028 of a small file and does not wait for its answer. KESHER_OK with *cksum; KESHER_FILE before
 * anything was sent; errors of the channel. */
enum kesher_status ks_upload_send_small(struct kesher_drop *drop, const struct kesher_upload *upload,
                                        uint32_t *cksum, struct kesher_error *error);

/* Sends the 1029 and does not wait for its answer. */
enum kesher_status ks_upload_send_confirmation(struct kesher_drop *drop, const struct kesher_upload *upload,
                                               struct kesher_error *error);

/* Sends a file until it is confirmed or given up. `counts` begins all zero, or with what went wrong before.
 * KESHER_OK with *cksum; errors as kesher_drop_put. */
enum kesher_status ks_upload_put(struct kesher_drop *drop, const struct kesher_upload *upload,
                                 struct ks_upload_counts *counts, uint32_t *cksum,
                                 struct kesher_error *error);

#endif
