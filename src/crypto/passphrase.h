/* passphrase.h — private keys at rest: a random *home key*, wrapped under a passphrase, seals each of them.
 *
 * So a passphrase is changed by wrapping 32 bytes anew, however many keys are sealed. The passphrase goes
 * through scrypt (RFC 7914), what is sealed through AES-256-GCM. Either comes out as one line of text:
 *
 *     kesher-wrapped-1 scrypt 17 8 1 SALT BOX CHECK     log2(N), r, p; SALT is 16 bytes
 *     kesher-sealed-1 BOX CHECK
 *
 * SALT and BOX (nonce 12 ‖ ciphertext ‖ tag 16) are base64 without blanks; CHECK is the first 8 bytes of the
 * SHA-256 of all before it, in hex. It keeps no secret and stops no attacker: it tells a damaged line from a
 * wrong passphrase. What the wrapped line says is the associated data of its box; of the other it is
 * "kesher sealed at home 1\0" and the purpose, so that one sealed key cannot be put in another's place.
 *
 * Nothing that is read is trusted: a line that asks for more work or memory than the limits here is refused
 * before it gets any. Passphrases are bytes, as they were typed. Any thread.
 */
#ifndef KS_CRYPTO_PASSPHRASE_H
#define KS_CRYPTO_PASSPHRASE_H

#include "base/buffer.h"
#include "crypto/random.h"

#include <stdbool.h>

enum {
    KS_HOME_KEY_SIZE = 32,
    KS_PASSPHRASE_LIMIT = 1024,      /* bytes; at least one */
    KS_SEALED_SECRET_LIMIT = 4096,   /* bytes that are sealed at once; at least one */
    KS_SEALED_LINE_LIMIT = 8 * 1024, /* of either line */
};

/* What scrypt costs: N is 2^log_n, its memory 128·r·N bytes, its time p times that. */
struct ks_scrypt_cost {
    uint8_t log_n;
    uint8_t r;
    uint8_t p;
};

/* For new ones: N = 2^17, r = 8, p = 1, which is 128 MiB and some 0.3 s. */
struct ks_scrypt_cost ks_scrypt_cost_usual(void);

/* Whether we pay it: N up to 2^20, r up to 16, p up to 4, and memory up to 1.5 GiB. */
bool ks_scrypt_cost_is_allowed(const struct ks_scrypt_cost *cost);

/* Appends the line (without a newline) of the home key under the passphrase: a new salt, a new nonce. KS_OK;
 * KS_INVALID for a passphrase or a cost outside the limits; KS_NO_MEMORY, KS_CRYPTO, KS_TOO_LARGE. */
enum ks_result ks_home_key_wrap(const uint8_t home_key[static KS_HOME_KEY_SIZE], const void *passphrase,
                                size_t passphrase_size, const struct ks_scrypt_cost *cost,
                                const struct ks_random *random, struct ks_buffer *line);

/* The way back. KS_OK with the key, to be wiped; KS_REFUSED: another passphrase; KS_INVALID: the line is
 * damaged, or none; KS_TOO_LARGE: it asks for more than is allowed; KS_NO_MEMORY, KS_CRYPTO. */
enum ks_result ks_home_key_unwrap(const char *line, size_t line_size, const void *passphrase,
                                  size_t passphrase_size, uint8_t home_key[static KS_HOME_KEY_SIZE]);

/* Appends the line of a secret: a new nonce. `purpose` names what it is for, such as the name of its file;
 * `line` may be shown to anybody. KS_OK; KS_INVALID for a size outside the limits; KS_NO_MEMORY, KS_CRYPTO,
 * KS_TOO_LARGE. */
enum ks_result ks_home_key_seal(const uint8_t home_key[static KS_HOME_KEY_SIZE], const char *purpose,
                                const void *secret, size_t secret_size, const struct ks_random *random,
                                struct ks_buffer *line);

/* The way back: the secret into the empty buffer, which is to be wiped. KS_OK; KS_REFUSED: sealed under
 * another home key, or for another purpose; KS_INVALID: damaged, or no such line; KS_NO_MEMORY, KS_CRYPTO,
 * KS_TOO_LARGE. */
enum ks_result ks_home_key_open(const uint8_t home_key[static KS_HOME_KEY_SIZE], const char *purpose,
                                const char *line, size_t line_size, struct ks_buffer *secret);

#endif
