/* age.h — how old users and keys are, on a machine whose clock may jump: a jump is no age.
 *
 * In RAM, a moment is a second of the steady clock (ks_clock_steady_seconds), which means nothing to the next
 * process. In the database, it is a second of the data directory's own time: how long servers have run over
 * it, in all. That is noted in `settings` about every hour and at the end. So what passes while no server
 * runs makes nothing older, and a crash makes all things younger by at most an hour: what is to be forgotten
 * is forgotten later then, and never too early.
 */
#ifndef KS_STORE_EMBEDDED_WRITER_AGE_H
#define KS_STORE_EMBEDDED_WRITER_AGE_H

#include "base/clock.h"
#include "store/embedded/writer/writer.h"

#include <stdbool.h>
#include <stdint.h>

struct ks_age {
    /* Set before anything else is called, and outlive it. */
    struct ks_database_writer *writer;
    const struct ks_clock *clock;

    int64_t ahead;     /* the directory's time less the steady one; set at opening */
    int64_t next_note; /* the writer's: of the directory's time */
};

/* The opener's thread, before users are loaded: reads the directory's time. Where there is none yet, it
 * begins, and with it the age of all that is there. KS_OK; errors of the database. */
enum ks_result ks_age_load(struct ks_age *age);

/* A moment as the database has it, and back. What the database cannot have (a moment that is still to come)
 * becomes now. Any thread. */
int64_t ks_age_to_stored(const struct ks_age *age, int64_t steady_seconds);
int64_t ks_age_from_stored(const struct ks_age *age, int64_t stored);

/* Writes down the directory's time, when an hour has passed or `always`, in a transaction of its own. What
 * fails is tried again. The writer's thread, between batches, or whoever has stopped it. */
void ks_age_note(struct ks_age *age, bool always);

#endif
