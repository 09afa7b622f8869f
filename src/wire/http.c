/* http.c — see http.h. */
#include "wire/http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* A piece of the head. */
struct part {
    const char *text;
    size_t size;
};

static struct part part_of(const char *text, size_t size)
{
    return (struct part){.text = text, .size = size};
}

static bool part_is(struct part part, const char *text)
{
    return part.size == strlen(text) && strncasecmp(part.text, text, part.size) == 0;
}

static struct part trim(struct part part)
{
    while (part.size > 0 && (part.text[0] == ' ' || part.text[0] == '\t')) {
        part.text++;
        part.size--;
    }
    while (part.size > 0 && (part.text[part.size - 1] == ' ' || part.text[part.size - 1] == '\t'))
        part.size--;
    return part;
}

/* What stands before `separator`, or all; the rest, without it, stays in *left. */
static struct part cut(struct part *left, char separator)
{
    const char *found = left->size > 0 ? memchr(left->text, separator, left->size) : NULL;
    struct part first = part_of(left->text, found != NULL ? (size_t)(found - left->text) : left->size);
    size_t taken = first.size + (found != NULL ? 1 : 0);
    left->text += taken;
    left->size -= taken;
    return first;
}

/* The next line of `size` bytes at `bytes`, which end in LF; *taken with its end. */
static bool next_line(const char *bytes, size_t size, struct part *line, size_t *taken)
{
    const char *end = size > 0 ? memchr(bytes, '\n', size) : NULL;
    if (end == NULL)
        return false;
    *line = part_of(bytes, (size_t)(end - bytes));
    *taken = line->size + 1;
    if (line->size > 0 && line->text[line->size - 1] == '\r')
        line->size--;
    return true;
}

static bool is_token(struct part part)
{
    for (size_t i = 0; i < part.size; i++) {
        unsigned char byte = (unsigned char)part.text[i];
        if (byte <= ' ' || byte >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", byte) != NULL)
            return false;
    }
    return part.size > 0;
}

/* ---- the first line ---- */

static bool is_target(struct part target)
{
    for (size_t i = 0; i < target.size; i++)
        if ((unsigned char)target.text[i] <= ' ' || (unsigned char)target.text[i] >= 0x7f)
            return false;
    return target.size > 0;
}

static void take_path(struct part target, struct ks_http_request *request)
{
    struct part path = cut(&target, '?');
    request->path[0] = '\0';
    if (path.size < sizeof request->path) {
        memcpy(request->path, path.text, path.size);
        request->path[path.size] = '\0';
    }
}

static enum ks_result take_request_line(struct part line, struct ks_http_request *request)
{
    struct part method = cut(&line, ' ');
    struct part target = cut(&line, ' ');
    if (!is_token(method) || !is_target(target) || line.size != 8 || memcmp(line.text, "HTTP/1.", 7) != 0 ||
        line.text[7] < '0' || line.text[7] > '9')
        return KS_INVALID;
    bool is_get = method.size == 3 && memcmp(method.text, "GET", 3) == 0; /* methods are case-sensitive */
    bool is_head = method.size == 4 && memcmp(method.text, "HEAD", 4) == 0;
    request->method = is_get ? KS_HTTP_GET : is_head ? KS_HTTP_HEAD : KS_HTTP_OTHER;
    request->keep_alive = line.text[7] != '0';
    request->has_content = false;
    take_path(target, request);
    return KS_OK;
}

/* ---- fields ---- */

static void take_connection(struct part value, struct ks_http_request *request)
{
    while (value.size > 0) {
        struct part option = trim(cut(&value, ','));
        if (part_is(option, "close"))
            request->keep_alive = false;
    }
}

static enum ks_result take_field(struct part line, struct ks_http_request *request)
{
    struct part value = line;
    struct part name = cut(&value, ':');
    if (name.size == line.size || !is_token(name) || memchr(line.text, '\0', line.size) != NULL)
        return KS_INVALID;
    value = trim(value);
    if (part_is(name, "connection"))
        take_connection(value, request);
    else if (part_is(name, "transfer-encoding") || (part_is(name, "content-length") && !part_is(value, "0")))
        request->has_content = true;
    return KS_OK;
}

/* ---- the head ---- */

/* KS_MORE at the end of what there is. */
static enum ks_result parse_lines(const char *bytes, size_t size, struct ks_http_request *request,
                                  size_t *head_size)
{
    struct part line;
    size_t taken = 0;
    bool begun = false;
    *head_size = 0;
    while (next_line(bytes + *head_size, size - *head_size, &line, &taken)) {
        enum ks_result result = KS_OK;
        *head_size += taken;
        if (line.size == 0 && begun)
            return KS_OK;
        if (line.size > 0) /* empty lines before a request are passed over */
            result = begun ? take_field(line, request) : take_request_line(line, request);
        begun = begun || line.size > 0;
        if (result != KS_OK)
            return result;
    }
    return KS_MORE;
}

enum ks_result ks_http_request_parse(const char *bytes, size_t size, struct ks_http_request *request,
                                     size_t *head_size)
{
    size_t seen = size < KS_HTTP_HEAD_LIMIT ? size : KS_HTTP_HEAD_LIMIT;
    enum ks_result result = parse_lines(bytes, seen, request, head_size);
    return result == KS_MORE && seen == KS_HTTP_HEAD_LIMIT ? KS_TOO_LARGE : result;
}

enum ks_result ks_http_head_take(struct ks_http_head *head, const char *bytes, size_t size,
                                 struct ks_http_request *request, size_t *used)
{
    size_t before = head->size;
    size_t room = sizeof head->bytes - before;
    size_t taken = size < room ? size : room;
    size_t head_size = 0;
    memcpy(head->bytes + before, bytes, taken);
    head->size += taken;
    *used = taken;
    enum ks_result result = ks_http_request_parse(head->bytes, head->size, request, &head_size);
    if (result == KS_MORE)
        return KS_MORE;
    head->size = 0;
    *used = head_size > before ? head_size - before : 0;
    return result;
}

/* ---- answers ---- */

const char *ks_http_status_text(unsigned status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    default:
        return "Internal Server Error";
    }
}

size_t ks_http_answer_encode(const struct ks_http_answer *answer, char head[static KS_HTTP_ANSWER_HEAD_SIZE])
{
    time_t second = (time_t)answer->date;
    struct tm parts = {0};
    char date[48] = "";
    if (gmtime_r(&second, &parts) != NULL)
        strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    int size =
        snprintf(head, KS_HTTP_ANSWER_HEAD_SIZE,
                 "HTTP/1.1 %u %s\r\nDate: %s\r\nServer: kesherd\r\nContent-Type: %s\r\n"
                 "Content-Length: %zu\r\n%s%sCache-Control: no-store\r\nConnection: %s\r\n\r\n",
                 answer->status, ks_http_status_text(answer->status), date, answer->content_type,
                 answer->content_size, answer->status == 405 ? "Allow: GET, HEAD\r\n" : "",
                 answer->fields != NULL ? answer->fields : "", answer->keep_alive ? "keep-alive" : "close");
    return size > 0 ? (size_t)size : 0;
}
