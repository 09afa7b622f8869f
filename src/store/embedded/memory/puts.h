/* puts.h — the own files that are on their way in: those that are *open*, which a stage of the vault writes,
 * and those that broke off and are *parked*, of which there is a file in staging/ and nobody who writes it.
 * By user and put id, in RAM: how much of each has come, and how long it is kept.
 *
 * Who is to remove the file of a parked one takes it first: then it is *leaving*, which is as good as open to
 * whoever asks for its put id, and ends with ks_puts_forget. Asks no disk. Guarded by a lock of its own; any
 * thread, but one that is open or leaving belongs to whoever opened or took it.
 */
#ifndef KS_STORE_EMBEDDED_MEMORY_PUTS_H
#define KS_STORE_EMBEDDED_MEMORY_PUTS_H

#include "base/log.h"
#include "base/result.h"
#include "store/limits.h"
#include "wire/files_codec.h"
#include "wire/frame.h"

#include <stdbool.h>
#include <stdint.h>

struct ks_puts;

enum ks_put_state {
    KS_PUT_OPEN,
    KS_PUT_PARKED,
    KS_PUT_LEAVING,
    KS_PUT_STATES,
};

struct ks_put_entry {
    /* Fixed. */
    struct ks_client_id id;
    uint8_t put_id[KS_PUT_ID_SIZE];

    /* Under the lock of all of them. */
    struct ks_put_entry *previous, *next; /* of this user's */
    uint8_t state;                        /* enum ks_put_state */
    bool is_expelled;                     /* its user goes, so it is not to be parked */
    uint64_t bytes;                       /* that have come */
    uint64_t size;                        /* that were declared; of one that was never opened here: `bytes` */
    uint64_t until_ms;                    /* parked: it is kept until then */
};

/* NULL when out of memory. `limits` and `log` outlive them. The limits are user_puts, puts, and user_bytes,
 * which the puts of one user keep to as its files do: open ones count with what they were declared to become.
 */
struct ks_puts *ks_puts_new(const struct ks_store_limits *limits, const struct ks_log *log);
void ks_puts_free(struct ks_puts *puts); /* NULL is allowed */

/* A file that an earlier server has left: it is parked until `until_ms` (monotonic). KS_OK, KS_NO_MEMORY. */
enum ks_result ks_puts_load(struct ks_puts *puts, const struct ks_client_id *id,
                            const uint8_t put_id[static KS_PUT_ID_SIZE], uint64_t bytes, uint64_t until_ms);

/* Opens the put of a content of `size` bytes. KS_OK with *put: *was_parked tells whether it is one that broke
 * off. KS_MORE with *put: this one, parked until now, has to make room; its file is to be removed, and it is
 * to be forgotten; then ask again. KS_CLOSED when it is open, or leaving; KS_REFUSED with *limit when no
 * parked one could make enough room; KS_NO_MEMORY. */
enum ks_result ks_puts_open(struct ks_puts *puts, const struct ks_client_id *id,
                            const uint8_t put_id[static KS_PUT_ID_SIZE], uint64_t size,
                            struct ks_put_entry **put, bool *was_parked, enum ks_store_limit *limit);

/* So much of an open one has come, of so much. */
void ks_puts_set_bytes(struct ks_puts *puts, struct ks_put_entry *put, uint64_t bytes, uint64_t size);

/* An open one breaks off, and is kept until then; it is nobody's afterwards. False when its user goes: then
 * it is leaving. */
bool ks_puts_park(struct ks_puts *puts, struct ks_put_entry *put, uint64_t until_ms);

/* One that is open or leaving is no more. */
void ks_puts_forget(struct ks_puts *puts, struct ks_put_entry *put);

/* A parked one whose time is up is leaving from now on; NULL when there is none. */
struct ks_put_entry *ks_puts_take_over_age(struct ks_puts *puts, uint64_t now_ms);

/* A parked one of this user is leaving from now on; NULL when there is none. Its open ones are not to be
 * parked any more. */
struct ks_put_entry *ks_puts_take_of(struct ks_puts *puts, const struct ks_client_id *id);

/* How many a user has, open and parked, and how many bytes of them have come. */
void ks_puts_sums(struct ks_puts *puts, const struct ks_client_id *id, uint64_t *count, uint64_t *bytes);

/* The same of all users. */
void ks_puts_all(struct ks_puts *puts, uint64_t *count, uint64_t *bytes);

#endif
