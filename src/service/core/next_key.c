/* next_key.c — see next_key.h. */
#include "service/core/next_key.h"

#include <string.h>

void ks_next_key_set(struct ks_next_key *key, const uint8_t *fingerprint)
{
    pthread_mutex_lock(&key->lock);
    key->is_prepared = fingerprint != NULL;
    if (fingerprint != NULL)
        memcpy(key->fingerprint, fingerprint, sizeof key->fingerprint);
    pthread_mutex_unlock(&key->lock);
}

bool ks_next_key_get(struct ks_next_key *key, uint8_t fingerprint[static KS_SERVER_FINGERPRINT_SIZE])
{
    pthread_mutex_lock(&key->lock);
    bool is_prepared = key->is_prepared;
    if (is_prepared)
        memcpy(fingerprint, key->fingerprint, sizeof key->fingerprint);
    pthread_mutex_unlock(&key->lock);
    return is_prepared;
}
