/* recording.h — what a program does to its data directory, in one order: the log that recorder.c writes and
 * disk.py reads.
 *
 * The log is a file that its maker has made as long as it may become, mapped by the recorded program: what is
 * in it survives `kill -9`. A head (struct recording_head), then entries, one behind the other, each a
 * multiple of 8 bytes: struct recording_entry and a payload. An entry's place in the file is its place in the
 * order.
 *
 * Changes (CREATE … LINK) are made and entered under one lock, so their order is the true one. A sync is
 * entered when it begins and when it has ended, and runs without the lock: it covers what was entered before
 * it began, nothing else. A send is entered before the system is called: from then on its bytes may have
 * arrived.
 *
 * All functions here but recording_lock need the lock. Any thread.
 */
#ifndef KS_TESTS_TORTURE_POWERLOSS_RECORDING_H
#define KS_TESTS_TORTURE_POWERLOSS_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORDING_MAGIC "kesher powerloss 1"

enum recording_kind {
    RECORDING_MAPS = 1,   /* payload: /proc/self/maps, for the frames of syncs */
    RECORDING_CREATE,     /* inode in directory `other`; payload: name, empty: it has none yet */
    RECORDING_MKDIR,      /* likewise */
    RECORDING_WRITE,      /* inode, offset; payload: the bytes */
    RECORDING_TRUNCATE,   /* inode, length */
    RECORDING_UNLINK,     /* of directory `other`; payload: name */
    RECORDING_RMDIR,      /* likewise */
    RECORDING_RENAME,     /* from directory `other` to `inode`; payload: old name, NUL, new name */
    RECORDING_LINK,       /* inode in directory `other`; payload: name */
    RECORDING_SYNC_BEGIN, /* call, inode, length: enum recording_sync; payload: return addresses, 8 bytes
                             each; of a DSYNC offset and `other`: where its write is, and how many bytes */
    RECORDING_SYNC_END,   /* likewise, without addresses; error */
    RECORDING_LOST,       /* what was written to the inode before, and not synced, never will be; of a write
                             with its sync: offset, length, and nothing else of the file */
    RECORDING_SEND_BEGIN, /* call, offset: the peer's port, or its number above all ports */
    RECORDING_SEND_END,   /* call, length: bytes that were taken */
    RECORDING_UNKNOWN, /* payload: a call that the recorder cannot follow; the recording is worth nothing */
};

enum recording_sync {
    RECORDING_FSYNC = 1,
    RECORDING_FDATASYNC,
    RECORDING_SYNCFS,
    RECORDING_DSYNC, /* a write's own: of what it wrote, and of nothing else of the file */
    RECORDING_SYNCS, /* how many there are, and one */
};

struct recording_head {
    char magic[24];
    uint64_t size; /* of the head and all whole entries */
    uint64_t full; /* 1: there was no room for all */
};

struct recording_entry {
    uint32_t size; /* of all of it */
    uint32_t kind;
    uint32_t thread;
    int32_t error; /* errno, or 0 */
    uint64_t inode;
    uint64_t other;
    uint64_t offset;
    uint64_t length;
    uint64_t call; /* joins begin and end */
};

/* An inode of the data directory. */
struct recording_inode {
    uint64_t number;        /* 0: a free row of the table */
    unsigned failures;      /* write-backs that were made to fail */
    bool is_written;        /* since all of it was last synced */
    bool is_victim;         /* a write-back that is made to fail loses what was written to it */
    bool failure_is_unseen; /* by any sync: who opens the file now is told, as Linux does it */
    bool is_shared_memory;  /* SQLite's index of its log: mapped, and worth nothing after a crash */
};

/* Maps the log. False when there is none, or it cannot be. */
bool recording_open(const char *path);

void recording_lock(void);
void recording_unlock(void);

/* Enters `entry` with its payload; size and thread are set here. */
void recording_enter(struct recording_entry *entry, const void *payload, size_t size);

/* A number for a call that has a begin and an end. */
uint64_t recording_next_call(void);

/* NULL when it is none of ours. */
struct recording_inode *recording_find(uint64_t number);

/* The row of an inode, which is ours from now on; NULL when the table is full. */
struct recording_inode *recording_remember(uint64_t number);

/* The rows of the table, of which those with a number of 0 are free. */
struct recording_inode *recording_inodes(size_t *count);

#endif
