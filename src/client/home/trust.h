/* trust.h — how a home trusts its secure server: the file server.trust.
 *
 *     kesher trust 1
 *     server example.org:1358
 *     key lO2nX…                   (43 characters: this key, whatever an authority says), or
 *     ca example.org               (any certificate for this name that an authority vouches for)
 *     next 8Jd0a…                  (only after `key`: the key that the server announced for later)
 *     end
 *
 * What it says changes by the judgement of trust_judgement.h and by the server's announcements only; the
 * mode, key or ca, never does. A file that is there and makes no sense is refused as a whole: else its loss
 * would be a first contact. It is no secret, but who writes it decides whom the home believes. Names and
 * addresses are compared as in home_server.h. One thread at a time.
 */
#ifndef KS_CLIENT_HOME_TRUST_H
#define KS_CLIENT_HOME_TRUST_H

#include "base/address.h"
#include "client/home/home_files.h"
#include "crypto/tls_identity.h"

#define KS_TRUST_DEFAULT_PORT "1358"

enum { KS_TRUST_TEXT_LIMIT = 2048 };

enum ks_trust_mode {
    KS_TRUST_NONE, /* no server yet */
    KS_TRUST_KEY,
    KS_TRUST_CA, /* for the name server.host */
};

struct ks_trust {
    enum ks_trust_mode mode;
    struct ks_address server; /* where it is; empty when there is none */
    uint8_t key[KS_TLS_FINGERPRINT_SIZE];
    bool has_next;
    uint8_t next[KS_TLS_FINGERPRINT_SIZE];
};

/* Reads server.trust. KESHER_OK, also without such a file: the mode is KS_TRUST_NONE; KESHER_INVALID when it
 * makes no sense, or others may write it, with what to do; KESHER_FILE; KESHER_NO_MEMORY. */
enum kesher_status ks_trust_load(const struct kesher_home *home, struct ks_trust *trust,
                                 struct kesher_error *error);

/* Writes `after` durably over what was read as `before`, unless it stands there already. The home exists, and
 * the mode of `after` is not KS_TRUST_NONE. KESHER_OK; KESHER_INVALID when another program has written
 * something else meanwhile, or has forgotten it: a key that was forgotten must not come back. KESHER_TIMEOUT;
 * KESHER_FILE; KESHER_NO_MEMORY. */
enum kesher_status ks_trust_save(const struct kesher_home *home, const struct ks_trust *before,
                                 const struct ks_trust *after, struct kesher_error *error);

/* `kesher server --forget`: removes the file, readable or not. KESHER_OK; KESHER_NOT_FOUND when there is
 * none; KESHER_TIMEOUT; KESHER_FILE. */
enum kesher_status ks_trust_forget(const struct kesher_home *home, struct kesher_error *error);

/* What the server said in a 4001: the fingerprint of its next key, or NULL for none. A 4001 without one takes
 * back what an earlier one said: else a successor that leaked before it was used would stay good. Where an
 * authority vouches nothing is noted. True when *trust changed, and is to be saved. */
bool ks_trust_note_next(struct ks_trust *trust, const uint8_t *next);

/* The bytes of the file, and back. KS_OK; KS_INVALID; KS_TOO_LARGE, KS_NO_MEMORY. */
enum ks_result ks_trust_format(const struct ks_trust *trust, struct ks_buffer *text);
enum ks_result ks_trust_parse(const uint8_t *bytes, size_t size, struct ks_trust *trust);

#endif
