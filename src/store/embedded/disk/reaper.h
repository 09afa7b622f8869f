/* reaper.h — the thread that gives disk space back. A file system needs a tenth of a second and more to free
 * a gigabyte, and a file's space is freed by whoever takes away its last name, or closes it after that.
 * Nobody who is waiting for an answer should be the one; so what deletes or replaces files has this thread do
 * it.
 */
#ifndef KS_STORE_EMBEDDED_DISK_REAPER_H
#define KS_STORE_EMBEDDED_DISK_REAPER_H

#include "base/thread.h"

/* KS_OK with *reaper for ks_thread_stop, which does what was asked for first; KS_NO_MEMORY, KS_IO. What
 * deletes files is posted to it as to any thread. */
enum ks_result ks_reaper_start(struct ks_thread **reaper);

struct ks_held_file;

/* Before a rename that may replace `path`: keeps a large file that is there from being freed by the rename.
 * What it returns goes to ks_reaper_let_go afterwards, whether the rename succeeded or not. NULL when there
 * is nothing large, or no memory; that is no error. Any thread. */
struct ks_held_file *ks_reaper_hold(int directory_fd, const char *path);
void ks_reaper_let_go(struct ks_thread *reaper, struct ks_held_file *held); /* NULL is allowed */

#endif
