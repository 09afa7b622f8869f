/* content_key.c — what every engine shares of content keys: their reference counts, and the counts that keep
 * the checksums of 2103 from answering guesses at paddings (contracts in store.h). Any thread. */
#include "crypto/secret.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

struct ks_content_key *ks_content_key_new(const uint8_t bytes[static KS_CONTENT_KEY_SIZE], int64_t last_used)
{
    struct ks_content_key *key = malloc(sizeof *key);
    if (key == NULL)
        return NULL;
    atomic_init(&key->references, 1);
    atomic_init(&key->uses, 0);
    atomic_init(&key->wrong_paddings, 0);
    atomic_init(&key->gone, false);
    atomic_init(&key->last_used, last_used);
    memcpy(key->bytes, bytes, sizeof key->bytes);
    return key;
}

struct ks_content_key *ks_content_key_retain(struct ks_content_key *key)
{
    atomic_fetch_add_explicit(&key->references, 1, memory_order_relaxed);
    return key;
}

void ks_content_key_release(struct ks_content_key *key)
{
    if (key == NULL || atomic_fetch_sub_explicit(&key->references, 1, memory_order_acq_rel) > 1)
        return;
    ks_secret_wipe(key->bytes, sizeof key->bytes);
    free(key);
}

bool ks_content_key_count(struct ks_content_key *key, bool rightly_padded)
{
    /* Counted first, judged then: of any number at once no more than the limit see a count below it. */
    bool one_too_many = atomic_fetch_add(&key->uses, 1) >= KS_CONTENT_KEY_USES;
    if (!rightly_padded && atomic_fetch_add(&key->wrong_paddings, 1) >= KS_CONTENT_KEY_WRONG_PADDINGS)
        one_too_many = true;
    if (one_too_many)
        atomic_store(&key->gone, true);
    return !atomic_load(&key->gone);
}

void ks_content_key_confirmed(struct ks_content_key *key)
{
    atomic_store(&key->uses, 0);
}

bool ks_content_key_is_used_up(const struct ks_content_key *key)
{
    return atomic_load(&key->gone) || atomic_load(&key->uses) >= KS_CONTENT_KEY_USES;
}
