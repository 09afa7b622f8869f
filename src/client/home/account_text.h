/* account_text.h — the bytes of account.key: the key of a home's account (protocol.md §8.1).
 *
 *     kesher account key 1
 *     name alice                      (as the server confirmed it; left out until then)
 *     public-id 00112233445566778899aabbccddeeff       (likewise)
 *     key SlBcA…                      (the account key, in base64)
 *     secret nWGxn…                   (its Ed25519 seed, in base64), or both of these:
 *     home-key kesher-wrapped-1 …     (see passphrase.h)
 *     sealed kesher-sealed-1 …        (the seed, under the home key, for "account.key")
 *     end
 *
 * Anything else, and a file that was cut short, is refused as a whole. No I/O; any thread.
 */
#ifndef KS_CLIENT_HOME_ACCOUNT_TEXT_H
#define KS_CLIENT_HOME_ACCOUNT_TEXT_H

#include "base/buffer.h"
#include "crypto/account_key.h"
#include "wire/frame.h"

#include <stdbool.h>

enum { KS_ACCOUNT_TEXT_LIMIT = 4096, KS_ACCOUNT_LINE_SIZE = 256 };

struct ks_account_text {
    char name[KS_TEXT_FIELD_SIZE]; /* NUL-terminated; empty until the server confirmed it */
    bool has_public_id;            /* then, and only then, it has a name */
    uint8_t public_id[KS_CLIENT_ID_SIZE];
    uint8_t key[KS_ED25519_PUBLIC_SIZE];
    bool is_sealed;
    uint8_t secret[KS_ED25519_SECRET_SIZE]; /* when not */
    char wrapped[KS_ACCOUNT_LINE_SIZE];     /* when it is; NUL-terminated */
    char sealed[KS_ACCOUNT_LINE_SIZE];
};

/* True for what may be an account's name in a file and on a terminal: 1 to 254 bytes of UTF-8, seen
 * characters only, not all blank. Whether a server allows it is the server's business. */
bool ks_account_text_is_name(const char *name, size_t size);

/* KS_OK; KS_INVALID; KS_NO_MEMORY. *account is to be wiped in any case. */
enum ks_result ks_account_text_parse(const uint8_t *bytes, size_t size, struct ks_account_text *account);

/* Appends the bytes to `text`, which is to be wiped. KS_OK; KS_NO_MEMORY; KS_TOO_LARGE. */
enum ks_result ks_account_text_format(const struct ks_account_text *account, struct ks_buffer *text);

#endif
