/* arrival.h — an answer with messages on its way from the server into the inbox. Nothing of it can be seen
 * before all of it is on disk and judged; what was received before is left out. One thread at a time; other
 * programs are kept out by the inbox's pulling lock, from ks_arrival_begin to ks_arrival_end.
 */
#ifndef KS_CLIENT_INBOUND_ARRIVAL_H
#define KS_CLIENT_INBOUND_ARRIVAL_H

#include "client/inbound/client_inbox.h"

struct ks_arrival {
    struct ks_client_inbox *inbox;
    uint64_t sequence;
    uint64_t offset;
    int64_t received; /* when its size became known: seconds since 1970, UTC */
    int fd;           /* of the .incoming file; -1 when there is none */
    bool brings_new;  /* out, by ks_arrival_finish: not everything had been received before */
};

/* Takes in what a program that died left behind, and makes a file with some room on the disk: nothing is
 * asked for that could not be put anywhere. KESHER_OK, and ks_arrival_end is due; KESHER_TIMEOUT when another
 * program is receiving; KESHER_FILE. */
enum kesher_status ks_arrival_begin(struct ks_arrival *arrival, struct ks_client_inbox *inbox,
                                    uint32_t wait_ms, struct kesher_error *error);

/* The size is known now, as the server says it: so no room is made for what has not come. From now on is when
 * the messages were received. KESHER_OK; KESHER_FILE.
 */
enum kesher_status ks_arrival_expect(struct ks_arrival *arrival, uint32_t payload_size,
                                     struct kesher_error *error);

/* The next bytes. KESHER_OK; KESHER_FILE. */
enum kesher_status ks_arrival_write(struct ks_arrival *arrival, const uint8_t *bytes, size_t size,
                                    struct kesher_error *error);

/* All bytes are there: syncs, judges, leaves out what was received before, and makes the rest visible.
 * KESHER_OK; KESHER_INVALID when the messages do not add up to the payload (without a sentence), and nothing
 * of it stays; KESHER_FILE: what came stays, for the next program that looks; KESHER_NO_MEMORY. */
enum kesher_status ks_arrival_finish(struct ks_arrival *arrival, struct kesher_error *error);

/* Lets go of the lock, and removes the file if ks_arrival_finish was not called. */
void ks_arrival_end(struct ks_arrival *arrival);

/* What ks_arrival_begin does first, unless another program holds the lock. KESHER_OK; KESHER_FILE;
 * KESHER_NO_MEMORY. */
enum kesher_status ks_arrival_recover(struct ks_client_inbox *inbox, struct kesher_error *error);

#endif
