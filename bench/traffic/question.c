/* question.c — see question.h. */
#include "bench/traffic/question.h"

#include <stdio.h>
#include <string.h>

enum { VERSION_LIMIT = 256 }; /* of memcached's line */

struct peer {
    const char *protocol;
    const char *name;
    const char *request;
    enum ks_question_form form;
    const char *answer; /* empty: learned from the first one */
};

static const struct peer peers[] = {
    {"redis", "PING", "*1\r\n$4\r\nPING\r\n", KS_QUESTION_PEER, "+PONG\r\n"},
    {"memcached", "version", "version\r\n", KS_QUESTION_VERSION, ""},
    {"echo", "four bytes", "PING", KS_QUESTION_PEER, "PING"},
};

static const struct {
    const char *request;
    enum ks_question_form form;
} requests[] = {
    {"TIME", KS_QUESTION_TIME},
    {"NAME", KS_QUESTION_NAME},
    {"RAND", KS_QUESTION_RANDOM},
    {"STAT", KS_QUESTION_STATUS},
};

static enum ks_result choose_of_kesher(struct ks_question *question, const char *request)
{
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        if (strcmp(requests[i].request, request) != 0)
            continue;
        *question = (struct ks_question){
            .name = requests[i].request,
            .greeting = "Hi",
            .banner = KS_ASK_BANNER,
            .request = requests[i].request,
            .request_size = KS_ASK_REQUEST_SIZE,
            .form = requests[i].form,
        };
        return KS_OK;
    }
    return KS_NOT_FOUND;
}

static void fix_answer(struct ks_question *question, const void *answer, size_t size)
{
    question->answer_size = size;
    question->row_count = (uint32_t)(sizeof question->row / size);
    for (uint32_t i = 0; i < question->row_count; i++)
        memcpy(question->row + i * size, answer, size);
}

enum ks_result ks_question_choose(struct ks_question *question, const char *protocol, const char *request)
{
    if (strcmp(protocol, "kesher") == 0)
        return choose_of_kesher(question, request);
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        const struct peer *peer = &peers[i];
        if (strcmp(peer->protocol, protocol) != 0)
            continue;
        *question = (struct ks_question){
            .name = peer->name,
            .greeting = "",
            .banner = "",
            .request = peer->request,
            .request_size = strlen(peer->request),
            .form = peer->form,
        };
        if (peer->answer[0] != '\0')
            fix_answer(question, peer->answer, strlen(peer->answer));
        return KS_OK;
    }
    return KS_NOT_FOUND;
}

/* ---- answers ---- */

/* Whether `text` has the form of `pattern`, where a 0 stands for any digit. */
static bool has_form(const uint8_t *text, size_t size, const char *pattern)
{
    if (size != strlen(pattern))
        return false;
    for (size_t i = 0; i < size; i++) {
        bool is_digit = text[i] >= '0' && text[i] <= '9';
        if (pattern[i] == '0' ? !is_digit : text[i] != (uint8_t)pattern[i])
            return false;
    }
    return true;
}

/* The number of two digits at `text`. */
static unsigned two_digits(const uint8_t *text)
{
    return (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0');
}

static bool is_time(const uint8_t *text, size_t size)
{
    if (!has_form(text, size, "0000-00-00 00:00:00"))
        return false;
    unsigned month = two_digits(text + 5);
    unsigned day = two_digits(text + 8);
    return month >= 1 && month <= 12 && day >= 1 && day <= 31 && two_digits(text + 11) < 24 &&
           two_digits(text + 14) < 60 && two_digits(text + 17) <= 60;
}

static bool is_from_one_to_ten(const uint8_t *text, size_t size)
{
    return (size == 1 && text[0] >= '1' && text[0] <= '9') || (size == 2 && memcmp(text, "10", 2) == 0);
}

static bool is_one_line(const uint8_t *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] < 0x20 || text[i] == 0x7F)
            return false;
    return size > 0;
}

static bool has_right_form(enum ks_question_form form, const uint8_t *text, size_t size)
{
    switch (form) {
    case KS_QUESTION_TIME:
        return is_time(text, size);
    case KS_QUESTION_RANDOM:
        return is_from_one_to_ten(text, size);
    case KS_QUESTION_NAME:
    case KS_QUESTION_STATUS:
        return is_one_line(text, size);
    case KS_QUESTION_PEER:
    case KS_QUESTION_VERSION:
        break;
    }
    return false;
}

/* As judge_by_form, for memcached: "VERSION 1.6.18" and the end of the line. */
static enum ks_result judge_version(const uint8_t *bytes, size_t size, size_t *answer_size)
{
    static const char start[] = "VERSION ";
    const size_t start_size = sizeof start - 1;
    if (memcmp(bytes, start, size < start_size ? size : start_size) != 0)
        return KS_INVALID;
    const uint8_t *end = memchr(bytes, '\n', size);
    if (end == NULL)
        return size < VERSION_LIMIT ? KS_MORE : KS_INVALID;
    *answer_size = (size_t)(end - bytes) + 1;
    bool is_line = *answer_size > start_size + 2 && end[-1] == '\r' &&
                   is_one_line(bytes + start_size, *answer_size - start_size - 2);
    return is_line && *answer_size <= VERSION_LIMIT ? KS_OK : KS_INVALID;
}

/* The answer at the beginning of `bytes`, which cannot be compared with another: KS_OK with its size; KS_MORE
 * when it is not complete; KS_INVALID. */
static enum ks_result judge_by_form(enum ks_question_form form, const uint8_t *bytes, size_t size,
                                    size_t *answer_size)
{
    size_t text_size = 0;
    if (form == KS_QUESTION_VERSION)
        return judge_version(bytes, size, answer_size);
    if (size < KS_ASK_LENGTH_SIZE)
        return KS_MORE;
    if (ks_ask_length_parse(bytes, &text_size) != KS_OK)
        return KS_INVALID;
    if (size - KS_ASK_LENGTH_SIZE < text_size)
        return KS_MORE;
    *answer_size = KS_ASK_LENGTH_SIZE + text_size;
    return has_right_form(form, bytes + KS_ASK_LENGTH_SIZE, text_size) ? KS_OK : KS_INVALID;
}

/* One of these `whole` answers is wrong: moves on to it. */
static void skip_right_ones(const struct ks_question *question, const uint8_t *bytes, size_t whole,
                            uint32_t *count, size_t *taken)
{
    for (size_t i = 0; i < whole; i++) {
        if (memcmp(bytes + *taken, question->row, question->answer_size) != 0)
            return;
        *taken += question->answer_size;
        ++*count;
    }
}

/* As ks_question_judge, for answers that are compared: as many at a time as stand in a row. */
static enum ks_result compare(const struct ks_question *question, const uint8_t *bytes, size_t size,
                              uint32_t limit, uint32_t *count, size_t *taken)
{
    const size_t answer_size = question->answer_size;
    while (*taken < size) {
        size_t left = size - *taken;
        size_t whole = left / answer_size;
        if (whole > question->row_count)
            whole = question->row_count;
        if (whole > limit - *count)
            whole = limit - *count;
        size_t compared = whole > 0 ? whole * answer_size : left;
        if (whole == 0 && (*count == limit || left > answer_size))
            return KS_INVALID;
        if (memcmp(bytes + *taken, question->row, compared) != 0) {
            skip_right_ones(question, bytes, whole, count, taken);
            return KS_INVALID;
        }
        if (whole == 0)
            return KS_OK;
        *count += (uint32_t)whole;
        *taken += compared;
    }
    return KS_OK;
}

enum ks_result ks_question_judge(struct ks_question *question, const uint8_t *bytes, size_t size,
                                 uint32_t limit, uint32_t *count, size_t *taken)
{
    *count = 0;
    *taken = 0;
    while (*taken < size && question->answer_size == 0) {
        size_t answer_size = 0;
        enum ks_result result = judge_by_form(question->form, bytes + *taken, size - *taken, &answer_size);
        if (*count == limit || result == KS_INVALID)
            return KS_INVALID;
        if (result == KS_MORE)
            return KS_OK;
        if (question->form == KS_QUESTION_NAME || question->form == KS_QUESTION_VERSION)
            fix_answer(question, bytes + *taken, answer_size);
        *taken += answer_size;
        ++*count;
    }
    return compare(question, bytes, size, limit, count, taken);
}
