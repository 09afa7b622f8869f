/* upkeep.h — what the writer does as time goes by: it writes LastSeen, drops users that never sent a public
 * key with what waits for them, forgets content keys that nobody uses, and deletes what could not be deleted
 * at once of messages and of removed users. On the writer's thread, between batches; each in small
 * transactions of its own, so that no request waits long.
 */
#ifndef KS_STORE_EMBEDDED_UPKEEP_H
#define KS_STORE_EMBEDDED_UPKEEP_H

#include <stdbool.h>
#include <stdint.h>

struct ks_engine;

struct ks_upkeep {
    uint64_t last_flush_ms; /* when LastSeen was last written; set before the writer runs */
    bool flush_is_behind;   /* the last piece did not take all */
};

/* About once a second. What fails is logged, and tried again at the next tick. */
void ks_upkeep_tick(struct ks_engine *engine);

/* After the writer's thread: writes every LastSeen, due or not, and the directory's time (age.h). */
void ks_upkeep_finish(struct ks_engine *engine);

#endif
