/* scratch.h — where the client of a target keeps its files, and what it sends: in memory where there is such
 * a file system, since a client syncs a lot. Inputs come one after the other on one thread; what costs time
 * is made once.
 */
#ifndef KS_FUZZ_SCRATCH_H
#define KS_FUZZ_SCRATCH_H

enum { SCRATCH_FILE_SIZE = 40, SCRATCH_FOLDER_SIZE = sizeof "/dev/shm/kesher-fuzz-XXXXXX" };

/* An empty folder, at the first call; it goes at the end with all that is in it. */
const char *scratch_folder(void);

/* That path, and all below it. */
void scratch_remove(const char *path);

/* A file of zeros, which is the target's. */
int scratch_file(void);

#endif
