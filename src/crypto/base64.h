/* base64.h — RFC 4648 base64 of key files: written in one line, read however it was wrapped. Any thread. */
#ifndef KS_CRYPTO_BASE64_H
#define KS_CRYPTO_BASE64_H

#include "base/buffer.h"

/* Appends the one-line base64 of `bytes`. KS_OK, KS_TOO_LARGE, KS_NO_MEMORY. */
enum ks_result ks_base64_encode(const uint8_t *bytes, size_t size, struct ks_buffer *text);

/* Appends the bytes of `text`; CR, LF, tabs and blanks anywhere are ignored, missing padding is accepted.
 * KS_OK, KS_INVALID, KS_TOO_LARGE, KS_NO_MEMORY. */
enum ks_result ks_base64_decode(const char *text, size_t text_size, struct ks_buffer *bytes);

#endif
