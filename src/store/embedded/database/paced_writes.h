/* paced_writes.h — writes of SQLite that leave the disk to others now and then. What SQLite writes lies in
 * the kernel's memory until it is synced, and then the disk has megabytes to do at once: a sync of somebody
 * else's few bytes waits behind them, some milliseconds. A thread that paces its writes waits after each
 * quarter of a mebibyte until the disk has it, so it takes as long, and the others wait for a quarter of a
 * mebibyte. docs/profiles.md has what it gives.
 *
 * Nothing becomes durable by that: SQLite syncs as ever. But an error of the disk may be told here, and then
 * no sync tells it again: so the write has failed.
 */
#ifndef KS_STORE_EMBEDDED_DATABASE_PACED_WRITES_H
#define KS_STORE_EMBEDDED_DATABASE_PACED_WRITES_H

/* Before there are other threads that write by SQLite. When SQLite does not have it, nothing is paced. */
void ks_paced_writes_install(void);

/* From now on, what this thread writes by SQLite is paced. */
void ks_paced_writes_begin(void);

#endif
