/* journal_file.h — the file of a journal: its head, which is there twice, and how long it is. journal.h tells
 * what is in the segments behind it.
 *
 *     0   magic, 16 bytes      20  size of a segment, 4     32  CRC-32 of all that, 4
 *     16  version, 4           24  the round's salt, 8      2048  the same again
 *
 * All of them little-endian. Any thread.
 */
#ifndef KS_STORE_EMBEDDED_JOURNAL_JOURNAL_FILE_H
#define KS_STORE_EMBEDDED_JOURNAL_JOURNAL_FILE_H

#include "base/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KS_JOURNAL_VERSION = 3 }; /* 2: fewer segments; 1: no salts, either */

struct ks_journal_head {
    uint64_t salt; /* 0 in version 1, which has none */
    uint32_t version;
    size_t segments_size; /* of all of them together */
};

/* Reads the head of a file that we know. KS_OK; KS_NOT_FOUND when an older kesher has never finished the
 * file, and what is behind the head must be blank; KS_INVALID when it is none, or a newer one's
 * (head->version); KS_IO. */
enum ks_result ks_journal_file_read_head(int fd, struct ks_journal_head *head);

/* Both copies, not synced. KS_OK; KS_NO_SPACE, KS_IO (errno). */
enum ks_result ks_journal_file_write_head(int fd, uint64_t salt);

/* Reads so many bytes behind the head. KS_OK, KS_IO. */
enum ks_result ks_journal_file_read_segments(int fd, uint8_t *bytes, size_t size);

/* Makes all segments zeros, and the file as long as it is to be; not synced. KS_OK; KS_NO_SPACE, KS_IO
 * (errno). */
enum ks_result ks_journal_file_wipe_segments(int fd);

/* Whether the disk is far from full after the file is written: it must not be what fills it. Else errno. */
bool ks_journal_file_has_space(int fd);

#endif
