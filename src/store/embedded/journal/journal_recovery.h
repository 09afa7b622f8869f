/* journal_recovery.h — what a crash, or a disk that forgets, has left in the journal. The opener's thread, or
 * the writer's.
 *
 * A batch is written when the one before it is synced. So what is damaged in front of a record of the last
 * batch but is not of that batch, or in front of a record of an earlier one, had been acknowledged: the disk
 * has lost it. It is put aside, and what stands behind it is taken. Damage in the last batch may be a write
 * that a power cut has torn, of which nobody was told that it is stored: what stands before the damage is
 * taken, what stands behind it is left out.
 */
#ifndef KS_STORE_EMBEDDED_JOURNAL_JOURNAL_RECOVERY_H
#define KS_STORE_EMBEDDED_JOURNAL_JOURNAL_RECOVERY_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/result.h"

#include <stddef.h>
#include <stdint.h>

struct ks_journal_segment;

enum { KS_JOURNAL_RECOVERY_NAME_SIZE = 64 };

struct ks_journal_findings {
    size_t left_out; /* messages of the last batch, behind what is missing of it */
    size_t damaged;  /* bytes of acknowledged messages that cannot be read, and are put aside … */
    char name[KS_JOURNAL_RECOVERY_NAME_SIZE]; /* … in this file in the data directory */
};

/* Finds the messages of the round with this salt in the bytes of the segments that were read. Those with ids
 * above `in_database` stay, at the beginning of their segment, and are its synced ones. The damaged bytes are
 * added to `damaged`. KS_OK, KS_NO_MEMORY. */
enum ks_result ks_journal_recovery_find(struct ks_journal_segment *segments, uint64_t salt,
                                        uint64_t in_database, struct ks_buffer *damaged, size_t *left_out);

/* The same for a file of version 1: its messages end at the first damage. */
void ks_journal_recovery_find_1(struct ks_journal_segment *segments, uint64_t in_database);

/* Puts these bytes aside, durably: damaged/journal-<time in UTC>-<number>. KS_OK with `name`; KS_NO_SPACE,
 * KS_NO_MEMORY, KS_IO (errno). */
enum ks_result ks_journal_recovery_put_aside(int directory_fd, const struct ks_clock *clock, uint64_t number,
                                             const struct ks_buffer *damaged,
                                             char name[static KS_JOURNAL_RECOVERY_NAME_SIZE]);

#endif
