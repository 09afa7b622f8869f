/* secure_files.h — own files in the input of fuzz_secure_session.c: requests of two bytes each, and what must
 * hold of their answers. All contents are of one letter, so that cksums are known by their sizes.
 */
#ifndef KS_FUZZ_SECURE_FILES_H
#define KS_FUZZ_SECURE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SECURE_FILES_PAYLOAD_LIMIT = 512 };

/* One request. The lowest three bits of `which` are its kind. */
struct secure_files_request {
    uint16_t code;
    size_t size; /* of the payload */
    uint8_t payload[SECURE_FILES_PAYLOAD_LIMIT];
};

void secure_files_make(uint8_t which, uint8_t how, struct secure_files_request *request);

/* Answers of one connection, one after the other; zeros at the beginning. */
struct secure_files_judge {
    bool comes; /* a file does */
    uint64_t left;
};

/* Whether this may be the next answer. */
bool secure_files_judge(struct secure_files_judge *judge, uint16_t code, const uint8_t *payload, size_t size);

/* Whether an answer has to do with own files. */
bool secure_files_is_one(uint16_t code);

#endif
