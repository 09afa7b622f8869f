/* sieve.h — goes through an answer that has come whole: do its messages add up, and which were received
 * before? Those are left out, except requests for a key: a user who asks twice may send the same bytes twice,
 * and each time the key is to be shared again. One thread at a time.
 */
#ifndef KS_CLIENT_INBOUND_SIEVE_H
#define KS_CLIENT_INBOUND_SIEVE_H

#include "client/inbound/message_file.h"
#include "client/inbound/seen.h"

enum { KS_SIEVE_WINDOW_SIZE = 32 * 1024 };

struct ks_sieve {
    struct ks_message_file file; /* its descriptor is the caller's */
    uint64_t number;             /* of the file among all that came */
    struct ks_seen *seen;
    struct ks_digest *digest;
    bool brings_new;       /* out: not everything that was looked at had been received before */
    uint64_t window_begin; /* what of the file is in `window` */
    size_t window_size;
    uint8_t window[KS_SIEVE_WINDOW_SIZE];
};

/* KESHER_OK, and ks_sieve_destroy is due; KESHER_NO_MEMORY; KESHER_CRYPTO. */
enum kesher_status ks_sieve_init(struct ks_sieve *sieve, const struct ks_message_file *file, uint64_t number,
                                 struct ks_seen *seen, struct kesher_error *error);
void ks_sieve_destroy(struct ks_sieve *sieve);

/* Counts the messages. KESHER_OK when they add up to the file; KESHER_INVALID (without a sentence) when they
 * do not; KESHER_FILE. */
enum kesher_status ks_sieve_judge(struct ks_sieve *sieve, uint64_t *count, struct kesher_error *error);

/* Remembers the messages as received, up to the first that is to be left out: *all_stays is true when there
 * was none. KESHER_OK; KESHER_FILE; KESHER_CRYPTO. */
enum kesher_status ks_sieve_look(struct ks_sieve *sieve, bool *all_stays, struct kesher_error *error);

/* Remembers them all, and writes those that stay to the empty file `to`; *copied is their size. Errors as
 * above. May be interrupted and done again: what it remembered itself does not make a message an old one. */
enum kesher_status ks_sieve_copy(struct ks_sieve *sieve, int to, uint64_t *copied,
                                 struct kesher_error *error);

#endif
