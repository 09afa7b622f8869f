/* chat_dialect.c — see chat_dialect.h: what all dialects say of those who enter. */
#include "bench/dialects/chat_dialect.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

void ks_chat_dialect_entered(struct ks_chat_room *room, struct ks_chat_person *person)
{
    person->entered = true;
    room->entered++;
    ks_run_phase(room->run, "entering", room->entered, room->people_count);
    if (room->entered == room->people_count && !room->run->failed)
        room->all_entered(room);
}

void ks_chat_dialect_tell(struct ks_chat_room *room, struct ks_chat_person *person, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof text)
        ks_run_fail(room->run, "too long to be said: %s", text);
    else if (ks_load_link_write(person->link, text, (size_t)size) != KS_OK)
        ks_run_fail(room->run, "no memory for what member %u says", person->index);
}

void ks_chat_dialect_unexpected(struct ks_chat_room *room, const struct ks_chat_person *person,
                                const uint8_t *bytes, size_t size)
{
    char shown[100];
    size_t line_size = ks_chat_dialect_line_size(bytes, size);
    ks_text_escape(bytes, line_size > 0 ? line_size - 1 : size, shown, sizeof shown);
    ks_run_fail(room->run, "member %u was told \"%s\"%s%s", person->index, shown, person->entered ? "" : "; ",
                person->entered ? "" : room->dialect->hint);
}
