/* alias.h — the public alias of a user: AES-128 of the secret id under a key that only the server has
 * (protocol.md §1.1). A permutation of 16 bytes: stable, unique, reversible by the server without a table.
 * After creation read-only; any thread.
 */
#ifndef KS_CRYPTO_ALIAS_H
#define KS_CRYPTO_ALIAS_H

#include "base/result.h"

#include <stdint.h>

enum { KS_ALIAS_SIZE = 16, KS_ALIAS_KEY_SIZE = 16 };

struct ks_alias_key;

/* KS_OK with *alias_key for ks_alias_key_free; KS_NO_MEMORY; KS_CRYPTO. */
enum ks_result ks_alias_key_new(const uint8_t key[static KS_ALIAS_KEY_SIZE], struct ks_alias_key **alias_key);
void ks_alias_key_free(struct ks_alias_key *alias_key); /* wipes; NULL is allowed */

/* id -> alias and back. `from` and `to` may be the same place. */
void ks_alias_of_id(const struct ks_alias_key *alias_key, const uint8_t from[static KS_ALIAS_SIZE],
                    uint8_t to[static KS_ALIAS_SIZE]);
void ks_alias_to_id(const struct ks_alias_key *alias_key, const uint8_t from[static KS_ALIAS_SIZE],
                    uint8_t to[static KS_ALIAS_SIZE]);

#endif
