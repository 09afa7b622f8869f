/* seen.h — which messages were received before: a table of digests on disk, so that it may be of any size,
 * and one more behind it for what is older. One thread of one program at a time (the inbox's lock).
 *
 * A message is the same when sender, id, type and content are; the digest is over all of these. At least the
 * last KS_SEEN_MESSAGES are known, and always all that were added since the table was rotated last.
 */
#ifndef KS_CLIENT_INBOUND_SEEN_H
#define KS_CLIENT_INBOUND_SEEN_H

#include "client/home/home_files.h"
#include "crypto/digest.h"

enum { KS_SEEN_MESSAGES = 65536, KS_SEEN_DIGEST_SIZE = 12 };

struct ks_seen_table {
    int fd; /* -1 when there is none */
    uint64_t capacity;
    uint64_t count;
};

struct ks_seen {
    const struct kesher_home *directory; /* the caller's */
    struct ks_seen_table recent;
    struct ks_seen_table older;
};

/* Opens the tables of `directory`; one that is broken (by a power cut) begins anew. KESHER_OK, and
 * ks_seen_close is due; KESHER_FILE. */
enum kesher_status ks_seen_open(struct ks_seen *seen, const struct kesher_home *directory,
                                struct kesher_error *error);
void ks_seen_close(struct ks_seen *seen);

/* Where a digest is met for the first time is remembered with it as `place` (any number): so a look that was
 * interrupted and begins again finds what it added itself, and does not take it for an earlier message.
 * *is_new is true when the digest was not known, or was added with the same place. KESHER_OK; KESHER_FILE. */
enum kesher_status ks_seen_add(struct ks_seen *seen, const uint8_t digest[static KS_SHA256_SIZE],
                               uint32_t place, bool *is_new, struct kesher_error *error);

/* Makes room for `count` more at once. KESHER_OK; KESHER_FILE. */
enum kesher_status ks_seen_reserve(struct ks_seen *seen, uint64_t count, struct kesher_error *error);

/* Makes what was added survive a power cut. KESHER_OK; KESHER_FILE. */
enum kesher_status ks_seen_sync(struct ks_seen *seen, struct kesher_error *error);

/* Forgets what is old enough to be forgotten. KESHER_OK; KESHER_FILE. */
enum kesher_status ks_seen_rotate(struct ks_seen *seen, struct kesher_error *error);

#endif
