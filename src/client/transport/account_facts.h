/* account_facts.h — what a server says of an account in a 4001 or 4007 (protocol.md §8). Pure; any thread. */
#ifndef KS_CLIENT_TRANSPORT_ACCOUNT_FACTS_H
#define KS_CLIENT_TRANSPORT_ACCOUNT_FACTS_H

#include "crypto/tls_identity.h"
#include "wire/accounts_codec.h"

#include <stdbool.h>

enum {
    KS_ACCOUNT_FACTS_LIMIT = 4096, /* of the payload: with keys that are unknown still */
    KS_ACCOUNT_FACTS_NUMBERS = KS_ACCOUNT_ENTRY_PUT_BYTES + 1,
};

struct ks_account_facts {
    bool has_public_id;
    uint8_t public_id[KS_CLIENT_ID_SIZE];
    char name[KS_TEXT_FIELD_SIZE]; /* NUL-terminated, of a stranger; empty when it was not told */
    bool has_next_key;             /* the fingerprint of the server's next host key */
    uint8_t next_key[KS_TLS_FINGERPRINT_SIZE];
    bool has_classic_id;
    struct ks_client_id classic_id; /* a secret */
    uint32_t known; /* bit N: numbers[N] was told, for the keys of numbers (4 to 12, 15, 16) */
    uint64_t numbers[KS_ACCOUNT_FACTS_NUMBERS]; /* by enum ks_account_entry_key */
};

/* Reads a list; keys that are unknown are skipped, and of one that occurs twice the last value counts. KS_OK;
 * KS_INVALID when it is no list, or a value is not of the size that it has, or a name is none. Wipe it: it
 * may have a classic id. */
enum ks_result ks_account_facts_parse(const uint8_t *bytes, size_t size, struct ks_account_facts *facts);

/* A number, or 0 where it was not told. */
uint64_t ks_account_facts_number(const struct ks_account_facts *facts, enum ks_account_entry_key key);

#endif
