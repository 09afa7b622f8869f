/* id_hash.h — where a client id goes in a table. Ids are random, so their bytes are a hash; whoever asks with
 * made-up ones only misses. Bytes 0, 7, 8 and 15 are not all random (changes.c). Pure; any thread.
 */
#ifndef KS_STORE_EMBEDDED_MEMORY_ID_HASH_H
#define KS_STORE_EMBEDDED_MEMORY_ID_HASH_H

#include "wire/frame.h"

#include <string.h>

static inline unsigned ks_id_hash(const struct ks_client_id *id)
{
    unsigned hash = 0;
    memcpy(&hash, id->bytes + 1, sizeof hash);
    return hash;
}

#endif
