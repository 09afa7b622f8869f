/* question.h — what the mode ask sends, and which answers are right: for kesher's ask and for the cheapest
 * request of servers of other kinds. Pure functions on bytes; one owner; any thread.
 *
 * Compared are requests that make a server do next to nothing but read, parse, and answer: NAME of kesher's
 * ask, PING of Redis (as an array, which is what its clients send), the no-op "mn" of memcached (cheaper than
 * a get, which looks something up), and four bytes that a bare echo server sends back.
 */
#ifndef KS_BENCH_QUESTION_H
#define KS_BENCH_QUESTION_H

#include "wire/ask.h"

enum { KS_QUESTION_ANSWER_LIMIT = KS_ASK_LENGTH_SIZE + KS_ASK_ANSWER_LIMIT };

/* How the text in an answer of kesher's ask is judged. */
enum ks_question_form {
    KS_QUESTION_FIXED, /* the same bytes every time */
    KS_QUESTION_TIME,
    KS_QUESTION_RANDOM,
    KS_QUESTION_STATUS,
};

struct ks_question {
    const char *greeting; /* sent first; empty for none */
    const char *banner;   /* what must come back for it */
    const char *request;
    size_t request_size;
    enum ks_question_form form;
    size_t answer_size; /* KS_QUESTION_FIXED: of `answer`; 0 while the first one has not come */
    uint8_t answer[KS_QUESTION_ANSWER_LIMIT];
};

/* The question of a protocol ("kesher", "redis", "memcached", "echo"); of kesher's, `request` chooses:
 * "TIME", "NAME", "RAND" or "STAT". KS_OK; KS_NOT_FOUND for others. */
enum ks_result ks_question_choose(struct ks_question *question, const char *protocol, const char *request);

/* The first answer in `bytes`. KS_OK with its size; KS_MORE when it is not complete; KS_INVALID when it is
 * wrong. The first right answer to NAME is the one that all others must equal. */
enum ks_result ks_question_judge(struct ks_question *question, const uint8_t *bytes, size_t size,
                                 size_t *answer_size);

#endif
