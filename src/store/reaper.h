/* reaper.h — the thread that gives disk space back. A file system needs a tenth of a second and more to free
 * a gigabyte, and a file's space is freed by whoever takes away its last name, or closes it after that.
 * Nobody who is waiting for an answer should be the one; so what deletes or replaces files has this thread do
 * it.
 */
#ifndef KS_STORE_REAPER_H
#define KS_STORE_REAPER_H

#include "base/thread.h"

struct ks_reaper;

/* KS_OK with *reaper for ks_reaper_stop; KS_NO_MEMORY, KS_IO. */
enum ks_result ks_reaper_start(struct ks_reaper **reaper);

/* Does what was asked for, and ends the thread. NULL is allowed. */
void ks_reaper_stop(struct ks_reaper *reaper);

/* Where to post what deletes files. */
struct ks_executor *ks_reaper_executor(struct ks_reaper *reaper);

/* Before a rename that may replace `path`: keeps a large file that is there from being freed by the rename.
 * What it returns goes to ks_reaper_let_go afterwards, whether the rename succeeded or not. NULL when there
 * is nothing large, or no memory; that is no error. Any thread. */
struct ks_held_file *ks_reaper_hold(int directory_fd, const char *path);
void ks_reaper_let_go(struct ks_reaper *reaper, struct ks_held_file *held); /* NULL is allowed */

#endif
