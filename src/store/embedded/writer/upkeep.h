/* upkeep.h — what the writer does as time goes by: it writes LastSeen, drops users that never sent a public
 * key with what waits for them, forgets content keys that nobody uses, and deletes what could not be deleted
 * at once of messages and of removed users. On the writer's thread, between batches; each in small
 * transactions of its own, so that no request waits long.
 */
#ifndef KS_STORE_SQLITE_UPKEEP_H
#define KS_STORE_SQLITE_UPKEEP_H

struct ks_engine;

/* About once a second. What fails is logged, and tried again at the next tick. */
void ks_upkeep_tick(struct ks_engine *engine);

/* Writes every LastSeen that is due or not; after the thread has ended. */
void ks_upkeep_flush_all(struct ks_engine *engine);

#endif
