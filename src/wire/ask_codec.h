/* ask_codec.h — requests of four letters, answers with four digits in front (protocol.md §3). Pure functions
 * on bytes: no I/O, no allocation; any thread.
 */
#ifndef KS_WIRE_ASK_CODEC_H
#define KS_WIRE_ASK_CODEC_H

#include "base/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KS_ASK_BANNER_SIZE = 48,
    KS_ASK_REQUEST_SIZE = 4,
    KS_ASK_LENGTH_SIZE = 4, /* digits before every answer */
    KS_ASK_ANSWER_LIMIT = 9999,
};

/* What the server says first, exactly KS_ASK_BANNER_SIZE bytes. */
#define KS_ASK_BANNER "kesher at your service: TIME NAME RAND STAT EXIT"

enum ks_ask_request {
    KS_ASK_TIME,
    KS_ASK_NAME,
    KS_ASK_RAND,
    KS_ASK_STAT,
    KS_ASK_EXIT,
    KS_ASK_UNKNOWN,
};

/* How many of the first bytes that a client sends are its greeting. KS_OK with *greeting_size >= 1; KS_MORE
 * when that cannot be told yet. `size` is not 0. */
enum ks_result ks_ask_greeting(const uint8_t *bytes, size_t size, size_t *greeting_size);

/* The next request, of any case. CR and LF before it are skipped, and end a shorter one. KS_OK with *request
 * and the bytes that it took; KS_MORE when the rest may still come: *taken are then CR and LF only, and what
 * follows them, 0–3 bytes, is the beginning of a request. */
enum ks_result ks_ask_request_parse(const uint8_t *bytes, size_t size, enum ks_ask_request *request,
                                    size_t *taken);

/* Writes the digits of an answer of `size` bytes, at most KS_ASK_ANSWER_LIMIT. */
void ks_ask_length_encode(size_t size, uint8_t digits[static KS_ASK_LENGTH_SIZE]);

/* Reads them. KS_OK; KS_INVALID when they are no digits. */
enum ks_result ks_ask_length_parse(const uint8_t digits[static KS_ASK_LENGTH_SIZE], size_t *size);

#endif
