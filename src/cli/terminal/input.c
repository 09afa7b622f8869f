/* input.c — see input.h. */
#include "cli/terminal/input.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

void ks_input_init(struct ks_input *input, int fd, size_t limit)
{
    input->fd = fd;
    input->begin = 0;
    input->end = 0;
    input->line = ks_buffer_empty(limit + 1); /* and a NUL */
}

void ks_input_destroy(struct ks_input *input)
{
    ks_buffer_free(&input->line);
}

/* False at the end of the input. */
static bool fill(struct ks_input *input)
{
    ssize_t got = 0;
    if (input->begin < input->end)
        return true;
    do
        got = read(input->fd, input->piece, sizeof input->piece);
    while (got < 0 && errno == EINTR);
    input->begin = 0;
    input->end = got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* Moves what there is of the line into `line`; *ended when its LF was among it. False when there is no room.
 */
static bool take(struct ks_input *input, bool *ended)
{
    const uint8_t *bytes = input->piece + input->begin;
    size_t size = input->end - input->begin;
    const uint8_t *newline = memchr(bytes, '\n', size);
    if (newline != NULL)
        size = (size_t)(newline - bytes);
    *ended = newline != NULL;
    input->begin += size + (newline != NULL ? 1 : 0);
    /* One byte more, so that the NUL always finds room. */
    if (ks_buffer_reserve(&input->line, size + 1) != KS_OK)
        return false;
    return ks_buffer_append(&input->line, bytes, size) == KS_OK;
}

enum ks_input_result ks_input_line(struct ks_input *input, char **line, size_t *size)
{
    bool fits = true;
    bool ended = false;
    bool any = false;
    input->line.size = 0;
    while (!ended && fill(input)) {
        any = true;
        /* What does not fit is skipped to its end. */
        if (!take(input, &ended))
            fits = false;
    }
    if (!any)
        return KS_INPUT_END;
    if (!fits)
        return KS_INPUT_TOO_LONG;
    *line = (char *)input->line.bytes;
    *size = input->line.size;
    if (*size > 0 && (*line)[*size - 1] == '\r')
        --*size;
    (*line)[*size] = '\0';
    return KS_INPUT_LINE;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

char *ks_input_trim(char *line, size_t *size)
{
    while (*size > 0 && is_blank(line[*size - 1]))
        --*size;
    line[*size] = '\0';
    while (*size > 0 && is_blank(line[0])) {
        line++;
        --*size;
    }
    return line;
}
