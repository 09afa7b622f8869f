/* recorder.h — what the files of the recorder share. Private to them; recorder.c says what it is.
 */
#ifndef KS_TESTS_TORTURE_POWERLOSS_RECORDER_H
#define KS_TESTS_TORTURE_POWERLOSS_RECORDER_H

#include "../preload.h"
#include "recording.h"

#include <limits.h>
#include <sys/types.h>
#include <unistd.h>

enum { RECORDER_DESCRIPTORS = 65536 };

/* Set at the start; what counts is changed under the lock of the recording. */
struct recorder {
    char root[PATH_MAX]; /* "": nothing is recorded */
    size_t root_size;
    dev_t device;
    useconds_t delay;
    enum recording_sync fails;
    uint64_t fails_at; /* of its kind, counted from 1; 0: none */
    uint64_t syncs[RECORDING_SYNCS];
    /* By descriptor: of its inode's failures, those that it was told or need not be. */
    unsigned failures_seen[RECORDER_DESCRIPTORS];
};

extern struct recorder recorder;

/* Under the lock: a call that cannot be followed makes the recording worth nothing. */
void recorder_enter_unknown(const char *what);

/* Without the lock: makes durable what was just written to the inode of this descriptor, and nothing else of
 * it. 0, or -1 with errno. */
int recorder_sync_written(int fd, uint64_t inode, off_t offset, size_t size);

#endif
