/* lying_server_internal.h — what the files of the lying server share; lying_server.h says what it is.
 * lying_server.c has the input and the conversation, lying_answers.c what is answered, lying_contents.c the
 * keys and what is encrypted under them.
 */
#ifndef KS_FUZZ_LYING_SERVER_INTERNAL_H
#define KS_FUZZ_LYING_SERVER_INTERNAL_H

#include "lying_server.h"

enum {
    LYING_ANSWER_LIMIT = 96 * 1024, /* fits a socket's buffer */
    LYING_PLAIN_LIMIT = 40 * 1024,
    LYING_CONTENT_LIMIT = LYING_PLAIN_LIMIT + 64,
};

/* ---- the input ---- */

void lying_server_require(bool holds);
size_t lying_server_number(void); /* of two bytes */
void lying_server_take(uint8_t *bytes, size_t size);

/* Changes one of them. */
void lying_server_damage(uint8_t *bytes, size_t size);

/* ---- answers ---- */

struct lying_answer {
    uint8_t bytes[LYING_ANSWER_LIMIT];
    size_t size;
};

void lying_answer_meet(const uint8_t public_key[static KS_PUBLIC_KEY_SIZE]);

/* As honest as the input lets it be; behind what is there. `payload` has as much as a request may look at. */
void lying_answer_make(struct lying_answer *answer, const struct ks_request_header *request,
                       const uint8_t *payload);

/* In place of it, another code and so many bytes of nothing. */
void lying_answer_replace(struct lying_answer *answer, uint16_t code, size_t size);
void lying_answer_lie_about_size(struct lying_answer *answer);

/* Once more behind itself, if there is room. */
void lying_answer_repeat(struct lying_answer *answer);

/* ---- contents ---- */

void lying_contents_meet(const uint8_t public_key[static KS_PUBLIC_KEY_SIZE]);
void lying_contents_begin(void);

/* A key under the client's, as the choice has it, or some of its bytes; how many. */
size_t lying_contents_key(uint8_t choice, uint8_t *content);

/* A text or file under one of the keys, of at most LYING_CONTENT_LIMIT bytes; how many. It is remembered. */
size_t lying_contents_text(uint8_t id, uint8_t *content);

/* What was sent under that id: the plain text, which is certain where it is whole. */
void lying_contents_remember(uint8_t id, const uint8_t *plain, size_t size, bool is_whole);

/* From now on nothing is certain: the bytes of an answer were changed, or moved. */
void lying_contents_doubt(void);
bool lying_contents_sent(uint32_t message_id, const uint8_t **plain, size_t *size);

#endif
