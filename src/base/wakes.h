/* wakes.h — wake-ups in lots. Who posts many tasks in a row to threads that sleep, as a worker does in a turn
 * of its loop and the store's writer when a batch settles, lets the first of them wait for the last: then
 * those who are woken find all of it, and nobody is woken in between only to find little and to take the core
 * from who posts. Each thread for itself.
 */
#ifndef KS_BASE_WAKES_H
#define KS_BASE_WAKES_H

#include <stdbool.h>

/* From now on, what this thread wakes is woken when it says so, or has asked for that some times (a few dozen
 * posts). It says so before it sleeps, and before anybody could end those that wait to be woken. */
void ks_wakes_hold(void);

/* Wakes all that wait for it, and those to come at once. */
void ks_wakes_release(void);

/* Wakes all that wait for it. Before this thread itself waits for any of them. */
void ks_wakes_flush(void);

/* Calls wake(who), now or later on this thread. Once is enough for all that was asked for before. */
void ks_wakes_ask(void (*wake)(void *who), void *who);

/* `who` needs no waking after all: it is this thread, which is about to look by itself. True when it was to
 * be woken. */
bool ks_wakes_forget(const void *who);

/* Tells that something was posted, whether or not somebody must be woken. */
void ks_wakes_count(void);

#endif
