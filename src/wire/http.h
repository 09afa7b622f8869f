/* http.h — as much of HTTP/1.1 (RFC 9112) as it takes to serve a page to a monitor: heads of requests without
 * content, heads of answers. Pure functions on bytes: no I/O, no allocation; any thread.
 */
#ifndef KS_WIRE_HTTP_H
#define KS_WIRE_HTTP_H

#include "base/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KS_HTTP_HEAD_LIMIT = 8192, /* of a request, with the empty line that ends it */
    KS_HTTP_PATH_SIZE = 64,
    KS_HTTP_ANSWER_HEAD_SIZE = 1024,
};

enum ks_http_method { KS_HTTP_GET, KS_HTTP_HEAD, KS_HTTP_OTHER };

struct ks_http_request {
    enum ks_http_method method;
    char path[KS_HTTP_PATH_SIZE]; /* without the query; "" when it is longer */
    bool keep_alive;              /* the connection may go on */
    bool has_content; /* something may follow the head that is no request: the connection must end */
};

/* Parses the head of a request. KS_OK with *head_size; KS_MORE when the rest may still come; KS_INVALID for
 * what is no request of HTTP/1; KS_TOO_LARGE when there is no end within KS_HTTP_HEAD_LIMIT. */
enum ks_result ks_http_request_parse(const char *bytes, size_t size, struct ks_http_request *request,
                                     size_t *head_size);

/* A head that comes in pieces. Zeros: none has begun. */
struct ks_http_head {
    size_t size; /* of what is there; 0 when the next one has not begun */
    char bytes[KS_HTTP_HEAD_LIMIT];
};

/* Adds a piece; *used is how much of it belongs to the head, and to nothing behind it. KS_MORE; else the head
 * is at its end, and empty again: the results of ks_http_request_parse. */
enum ks_result ks_http_head_take(struct ks_http_head *head, const char *bytes, size_t size,
                                 struct ks_http_request *request, size_t *used);

struct ks_http_answer {
    unsigned status; /* 200, 400, 404, 405, 431, 500 or 503 */
    const char *content_type;
    size_t content_size;
    bool keep_alive;
    int64_t date; /* wall seconds */
    const char
        *fields; /* more lines, each with its CR LF, at most KS_HTTP_ANSWER_HEAD_SIZE / 2; NULL: none */
};

/* Writes the head of an answer, with the empty line; returns its size. */
size_t ks_http_answer_encode(const struct ks_http_answer *answer, char head[static KS_HTTP_ANSWER_HEAD_SIZE]);

/* "OK" and the like. Static. */
const char *ks_http_status_text(unsigned status);

#endif
