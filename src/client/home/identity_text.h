/* identity_text.h — the bytes of me.info, my.info and priv.key: read liberally, written strictly (protocol.md
 * §1.2). No I/O; any thread.
 */
#ifndef KS_CLIENT_HOME_IDENTITY_TEXT_H
#define KS_CLIENT_HOME_IDENTITY_TEXT_H

#include "base/buffer.h"
#include "crypto/rsa.h"
#include "wire/frame.h"

#include <stddef.h>
#include <stdint.h>

/* Files longer than this are no identity files. */
enum { KS_IDENTITY_TEXT_LIMIT = 64 * 1024 };

struct ks_identity_text {
    char name[KS_TEXT_FIELD_SIZE]; /* NUL-terminated */
    struct ks_client_id id;
    struct ks_private_key *key; /* NULL when the text has none that can be read */
};

/* Reads a me.info or my.info: name, id in hex, private key in base64 in however many lines. Accepted: CRLF,
 * no newline at the end, blank lines, a name padded with NULs, hex of either case and with spaces between
 * pairs. KS_OK, with the key (if any) for ks_private_key_free; KS_INVALID when the name is no user name or
 * the second line no id. */
enum ks_result ks_identity_text_parse(const uint8_t *bytes, size_t size, struct ks_identity_text *identity);

/* Reads a priv.key: base64 in one line or wrapped, or raw DER. KS_OK with *key for ks_private_key_free;
 * KS_INVALID; KS_NO_MEMORY. */
enum ks_result ks_identity_text_parse_key(const uint8_t *bytes, size_t size, struct ks_private_key **key);

/* Appends the three lines of me.info; `text` is to be wiped. KS_OK, KS_NO_MEMORY, KS_CRYPTO, KS_TOO_LARGE. */
enum ks_result ks_identity_text_format(const char *name, const struct ks_client_id *id,
                                       const struct ks_private_key *key, struct ks_buffer *text);

/* Appends the one line of priv.key; `text` is to be wiped. Errors as above. */
enum ks_result ks_identity_text_format_key(const struct ks_private_key *key, struct ks_buffer *text);

#endif
