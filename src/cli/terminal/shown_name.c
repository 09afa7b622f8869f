/* shown_name.c — see shown_name.h. */
#include "cli/terminal/shown_name.h"

#include "base/text.h"

#include <kesher/messages.h>

#include <string.h>

static const char isolate[] = "\xe2\x81\xa8";     /* U+2068, first strong isolate */
static const char end_isolate[] = "\xe2\x81\xa9"; /* U+2069 */

enum { ISOLATE_SIZE = sizeof isolate - 1, UNISOLATED_SIZE = KS_SHOWN_NAME_SIZE - 2 * ISOLATE_SIZE };

static bool is_like_an_id(const char *name, size_t size)
{
    uint8_t id[KESHER_ID_SIZE];
    return ks_text_from_hex(name, size, id, sizeof id);
}

static bool could_deceive(const char *name, size_t size)
{
    if (size == 0 || name[0] == ' ' || name[size - 1] == ' ' || name[0] == '(')
        return true;
    return strstr(name, "  ") != NULL || strpbrk(name, ":\"") != NULL || is_like_an_id(name, size);
}

/* No quote stays as it is inside of the quotes, or the name could end them itself. */
static void escape_quotes(char *text, size_t capacity)
{
    static const char escape[] = {'\\', 'x', '2', '2'};
    size_t size = strlen(text);
    for (char *quote = text; (quote = strchr(quote, '"')) != NULL && size + 4 <= capacity; quote += 4) {
        memmove(quote + 4, quote + 1, strlen(quote));
        memcpy(quote, escape, sizeof escape);
        size += 3;
    }
}

char *ks_shown_name(const char *name, char shown[static KS_SHOWN_NAME_SIZE])
{
    size_t size = strlen(name);
    if (!could_deceive(name, size))
        return ks_text_escape(name, size, shown, UNISOLATED_SIZE);
    shown[0] = '"';
    ks_text_escape(name, size, shown + 1, UNISOLATED_SIZE - 2);
    escape_quotes(shown + 1, UNISOLATED_SIZE - 2);
    size = strlen(shown);
    memcpy(shown + size, "\"", 2);
    return shown;
}

static bool is_ascii(const char *text)
{
    while (*text != '\0' && (unsigned char)*text < 0x80)
        text++;
    return *text == '\0';
}

/* Where it is not of ASCII alone. `text` has room for them. */
static char *put_between_isolates(char *text)
{
    if (is_ascii(text))
        return text;
    size_t size = strlen(text);
    memmove(text + ISOLATE_SIZE, text, size);
    memcpy(text, isolate, ISOLATE_SIZE);
    memcpy(text + ISOLATE_SIZE + size, end_isolate, sizeof end_isolate);
    return text;
}

char *ks_shown_name_isolated(const char *name, char shown[static KS_SHOWN_NAME_SIZE])
{
    return put_between_isolates(ks_shown_name(name, shown));
}

char *ks_shown_path(const char *path, bool isolated, char *shown, size_t capacity)
{
    ks_text_escape(path, strlen(path), shown, capacity - 2 * (size_t)ISOLATE_SIZE);
    return isolated ? put_between_isolates(shown) : shown;
}
