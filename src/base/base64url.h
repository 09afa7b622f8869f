/* base64url.h — base64url of RFC 4648 without padding, as fingerprints, invitations and links have it. Pure;
 * any thread.
 *
 * Bytes have exactly one text, and only that one is read: nothing that is compared as text has a second form.
 */
#ifndef KS_BASE_BASE64URL_H
#define KS_BASE_BASE64URL_H

#include "base/result.h"

#include <stddef.h>
#include <stdint.h>

/* Characters of the text of so many bytes, without a NUL: 22 of 16, 43 of 32. */
#define KS_BASE64URL_LENGTH(size) (((size)*8 + 5) / 6)

/* Writes the text of `bytes` and a NUL; `text` has room for KS_BASE64URL_LENGTH(size) + 1. */
void ks_base64url_encode(const uint8_t *bytes, size_t size, char *text);

/* Reads exactly `size` bytes from exactly their text. KS_OK; KS_INVALID for a text of another length, with
 * other characters, or with bits behind the last byte that are not zero: then `bytes` holds nothing of use.
 */
enum ks_result ks_base64url_decode(const char *text, size_t text_size, uint8_t *bytes, size_t size);

#endif
