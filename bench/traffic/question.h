/* question.h — what the mode ask sends, and which answers are right: for kesher's ask and for the cheapest
 * request of servers of other kinds. Pure functions on bytes; one owner; any thread.
 *
 * Compared are requests that make a server do next to nothing but read, parse, and answer: NAME of kesher's
 * ask, PING of Redis (as an array, which is what its clients send), "version" of memcached (cheaper than a
 * get, which looks something up, and than the no-op "mn", after which it sends at once), and four bytes that
 * a bare echo server sends back.
 */
#ifndef KS_BENCH_TRAFFIC_QUESTION_H
#define KS_BENCH_TRAFFIC_QUESTION_H

#include "wire/ask_codec.h"

enum {
    KS_QUESTION_ANSWER_LIMIT = KS_ASK_LENGTH_SIZE + KS_ASK_ANSWER_LIMIT,
    KS_QUESTION_ROW_SIZE = 16 * 1024, /* of answers in a row; room for one at least */
};

/* How answers are judged. Kesher's have four digits in front. */
enum ks_question_form {
    KS_QUESTION_PEER,    /* the same bytes every time, known beforehand */
    KS_QUESTION_VERSION, /* memcached's line; the same every time */
    KS_QUESTION_NAME,    /* the same every time */
    KS_QUESTION_TIME,
    KS_QUESTION_RANDOM,
    KS_QUESTION_STATUS,
};

struct ks_question {
    const char *name;     /* of the request, for people */
    const char *greeting; /* sent first; empty for none */
    const char *banner;   /* what must come back for it */
    const char *request;
    size_t request_size;
    enum ks_question_form form;
    size_t answer_size; /* those that are the same every time: of each; 0 before the first one */
    uint32_t row_count; /* answers in `row` */
    uint8_t row[KS_QUESTION_ROW_SIZE]; /* the answer again and again, to compare many at a time */
};

/* The question of a protocol ("kesher", "redis", "memcached", "echo"); of kesher's, `request` chooses:
 * "TIME", "NAME", "RAND" or "STAT". KS_OK; KS_NOT_FOUND for others. */
enum ks_result ks_question_choose(struct ks_question *question, const char *protocol, const char *request);

/* Counts the right answers at the beginning of `bytes`, up to `limit`: *count of them in *taken bytes. The
 * first right answer to NAME and to "version" is the one that all others must equal. KS_OK: what is left of
 * the bytes, if anything, is the beginning of an answer. KS_INVALID: what is left is wrong, or more than
 * `limit` answers.
 */
enum ks_result ks_question_judge(struct ks_question *question, const uint8_t *bytes, size_t size,
                                 uint32_t limit, uint32_t *count, size_t *taken);

#endif
