/* recording.c — see recording.h. */
#include "recording.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { INODES = 1 << 16 };

/* A preloaded library has no other place for what it knows than the process. */
static struct {
    pthread_mutex_t lock;
    struct recording_head *head;
    size_t room; /* of the mapped file */
    uint64_t calls;
    struct recording_inode inodes[INODES];
    size_t inode_count;
} recording = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool recording_open(const char *path)
{
    struct stat status;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return false;
    void *bytes = MAP_FAILED;
    if (fstat(fd, &status) == 0 && status.st_size > (off_t)sizeof(struct recording_head))
        bytes = (void *)syscall(SYS_mmap, NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
                                fd, 0L);
    syscall(SYS_close, fd);
    if (bytes == MAP_FAILED)
        return false;
    recording.room = (size_t)status.st_size;
    recording.head = bytes;
    memcpy(recording.head->magic, RECORDING_MAGIC, sizeof RECORDING_MAGIC);
    recording.head->size = sizeof *recording.head;
    return true;
}

void recording_lock(void)
{
    pthread_mutex_lock(&recording.lock);
}

void recording_unlock(void)
{
    pthread_mutex_unlock(&recording.lock);
}

void recording_enter(struct recording_entry *entry, const void *payload, size_t size)
{
    struct recording_head *head = recording.head;
    size_t whole = (sizeof *entry + size + 7) / 8 * 8;
    if (head == NULL || head->full != 0)
        return;
    if (whole > recording.room - head->size || whole > UINT32_MAX) {
        head->full = 1;
        return;
    }
    uint8_t *place = (uint8_t *)head + head->size;
    entry->size = (uint32_t)whole;
    entry->thread = (uint32_t)syscall(SYS_gettid);
    memcpy(place, entry, sizeof *entry);
    if (size > 0)
        memcpy(place + sizeof *entry, payload, size);
    /* A kill between the two leaves an entry that does not count yet. */
    atomic_signal_fence(memory_order_release);
    head->size += whole;
}

uint64_t recording_next_call(void)
{
    return ++recording.calls;
}

static struct recording_inode *row_of(uint64_t number)
{
    size_t row = (size_t)(number * 0x9E3779B97F4A7C15U >> 48) % INODES;
    while (recording.inodes[row].number != 0 && recording.inodes[row].number != number)
        row = (row + 1) % INODES;
    return &recording.inodes[row];
}

struct recording_inode *recording_find(uint64_t number)
{
    struct recording_inode *inode = row_of(number);
    return inode->number != 0 ? inode : NULL;
}

struct recording_inode *recording_remember(uint64_t number)
{
    struct recording_inode *inode = row_of(number);
    if (inode->number != 0)
        return inode;
    if (recording.inode_count >= INODES / 2)
        return NULL;
    recording.inode_count++;
    inode->number = number;
    return inode;
}

struct recording_inode *recording_inodes(size_t *count)
{
    *count = INODES;
    return recording.inodes;
}
