/* key_reader.h — the thread that reads public keys, and whose a skeleton is, from the disk
 * (database_reader.h). Messages are read by another one (pull_reader.h), so that no key waits behind a large
 * pull.
 */
#ifndef KS_STORE_EMBEDDED_READERS_KEY_READER_H
#define KS_STORE_EMBEDDED_READERS_KEY_READER_H

#include "store/embedded/memory/keys.h"
#include "store/embedded/readers/database_reader.h"
#include "store/store.h"

struct ks_key_reader {
    struct ks_database_reader reader; /* set as its header says */
    struct ks_key_cache *keys;        /* set before the start; outlives the thread */
};

/* KS_OK; KS_NO_MEMORY, KS_IO. */
enum ks_result ks_key_reader_start(struct ks_key_reader *key_reader);

/* Answers what was asked, ends the thread. Not started is fine. */
void ks_key_reader_stop(struct ks_key_reader *key_reader);

/* Any thread: reads the public key of a user that is known to have one, and posts the answer. */
void ks_key_reader_read(struct ks_key_reader *key_reader, struct ks_store_public_key *request);

/* Any thread: as ks_store_name_holder; posts the answer. */
void ks_key_reader_name_holder(struct ks_key_reader *key_reader, struct ks_store_name_holder *request);

#endif
