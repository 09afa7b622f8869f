/* lines.c — see lines.h. */
#include "client/lines.h"

#include <string.h>

static bool is_blank(const char *line, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (line[i] != ' ' && line[i] != '\t')
            return false;
    return true;
}

static void cut_line(struct ks_lines *lines, const char **line, size_t *line_size)
{
    const char *end = memchr(lines->text, '\n', lines->size);
    size_t size = end == NULL ? lines->size : (size_t)(end - lines->text);
    size_t taken = end == NULL ? size : size + 1;
    *line = lines->text;
    lines->text += taken;
    lines->size -= taken;
    if (size > 0 && (*line)[size - 1] == '\r')
        size--;
    *line_size = strnlen(*line, size);
}

bool ks_lines_next(struct ks_lines *lines, const char **line, size_t *line_size)
{
    while (lines->size > 0) {
        cut_line(lines, line, line_size);
        if (!is_blank(*line, *line_size))
            return true;
    }
    return false;
}

static bool is_line(const char *line, size_t size, const char *expected)
{
    return size == strlen(expected) && memcmp(line, expected, size) == 0;
}

bool ks_lines_take_all(const void *text, size_t size, const char *first_line,
                       bool (*take)(void *context, const char *line, size_t line_size), void *context)
{
    struct ks_lines lines = {.text = text, .size = size};
    const char *line = NULL;
    size_t line_size = 0;
    bool ended = false;
    if (!ks_lines_next(&lines, &line, &line_size) || !is_line(line, line_size, first_line))
        return false;
    while (!ended && ks_lines_next(&lines, &line, &line_size)) {
        ended = is_line(line, line_size, "end");
        if (!ended && !take(context, line, line_size))
            return false;
    }
    return ended && !ks_lines_next(&lines, &line, &line_size);
}
