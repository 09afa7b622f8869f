/* next_key.h — the fingerprint of the key that the server will have next, for whoever tells clients of it
 * (protocol.md §8, key 3 of 4001). Zeros: none is prepared. Any thread.
 */
#ifndef KS_SERVICE_CORE_NEXT_KEY_H
#define KS_SERVICE_CORE_NEXT_KEY_H

#include "wire/accounts_codec.h"

#include <pthread.h>
#include <stdbool.h>

struct ks_next_key {
    pthread_mutex_t lock;
    bool is_prepared;
    uint8_t fingerprint[KS_SERVER_FINGERPRINT_SIZE];
};

/* `fingerprint`: KS_SERVER_FINGERPRINT_SIZE bytes, or NULL for none. */
void ks_next_key_set(struct ks_next_key *key, const uint8_t *fingerprint);

/* False when none is prepared. */
bool ks_next_key_get(struct ks_next_key *key, uint8_t fingerprint[static KS_SERVER_FINGERPRINT_SIZE]);

#endif
