/* pinned_account.h — what a home remembers of another account, and its bytes: a text file of lines.
 *
 *     kesher pinned account 1
 *     name alice
 *     key SlBcA…          (the account key, in base64: pinned at first sight, or accepted since)
 *     verified yes        (only when people have compared it: kesher verify)
 *     offered 1vQt7…      (another key that the server gave for this name since, and nobody accepted)
 *     end
 *
 * Anything else, and a file that was cut short, is refused as a whole: a pin must not get lost by being
 * misread. No I/O; any thread.
 */
#ifndef KS_CLIENT_PEOPLE_PINNED_ACCOUNT_H
#define KS_CLIENT_PEOPLE_PINNED_ACCOUNT_H

#include "base/buffer.h"
#include "crypto/account_key.h"
#include "wire/frame.h"

#include <stdbool.h>

enum { KS_PINNED_ACCOUNT_TEXT_LIMIT = 2048 };

struct ks_pinned_account {
    char name[KS_TEXT_FIELD_SIZE]; /* NUL-terminated */
    uint8_t key[KS_ED25519_PUBLIC_SIZE];
    bool is_verified;
    bool has_offered; /* changed: nothing is sent to it, and nothing of it believed */
    uint8_t offered[KS_ED25519_PUBLIC_SIZE];
};

/* KS_OK; KS_INVALID; KS_NO_MEMORY. */
enum ks_result ks_pinned_account_parse(const uint8_t *bytes, size_t size, struct ks_pinned_account *account);

/* Appends the bytes to `text`. KS_OK; KS_INVALID for a name that is none; KS_NO_MEMORY; KS_TOO_LARGE. */
enum ks_result ks_pinned_account_format(const struct ks_pinned_account *account, struct ks_buffer *text);

#endif
