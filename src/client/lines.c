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
