/* chat_show.c — see chat_show.h. */
#include "cli/chat/chat_show.h"

#include "base/text.h"
#include "cli/chat/chat_commands.h"
#include "cli/commands/context.h"
#include "cli/terminal/output.h"

#include <string.h>
#include <unistd.h>

bool ks_chat_show_has_colours(void)
{
    const char *terminal = ks_context_variable("TERM");
    return isatty(STDOUT_FILENO) == 1 && ks_context_variable("NO_COLOR") == NULL && terminal != NULL &&
           strcmp(terminal, "dumb") != 0;
}

static void print_harmless(const char *text, size_t size)
{
    struct ks_text_stream stream = ks_text_stream_begin(KS_TEXT_FOR_TERMINAL);
    (void)ks_output_text(&stream, text, size);
    (void)ks_output_text_end(&stream);
}

static void print_member(const char *key, const char *text, size_t size)
{
    (void)printf("\"%s\": ", key);
    ks_output_json_bytes(stdout, text, size);
}

static void print_json(const struct kesher_chat_line *line)
{
    if (line->name_size + line->text_size == 0)
        return; /* only the end of an unfinished line */
    (void)fputc('{', stdout);
    switch (line->kind) {
    case KESHER_CHAT_MESSAGE:
        print_member("from", line->name, line->name_size);
        (void)fputs(", ", stdout);
        print_member("text", line->text, line->text_size);
        break;
    case KESHER_CHAT_HAS_LEFT:
        print_member("left", line->name, line->name_size);
        break;
    default:
        print_member("server", line->text, line->text_size);
    }
    (void)fputs("}\n", stdout);
}

static bool is_ascii(const char *text, size_t size)
{
    while (size > 0 && (unsigned char)text[size - 1] < 0x80)
        size--;
    return size == 0;
}

/* On a screen a name keeps its direction of writing to itself (U+2068, U+2069). */
static void print_name(const struct ks_chat_show *show, const struct kesher_chat_line *line)
{
    bool isolates = show->screen && !is_ascii(line->name, line->name_size);
    if (show->colours)
        (void)printf("\033[%um", ks_chat_commands_colour(line->name, line->name_size));
    if (isolates)
        (void)fputs("\xe2\x81\xa8", stdout);
    print_harmless(line->name, line->name_size);
    if (isolates)
        (void)fputs("\xe2\x81\xa9", stdout);
    if (show->colours)
        (void)fputs("\033[0m", stdout);
    if (line->kind == KESHER_CHAT_MESSAGE)
        (void)fputs(": ", stdout);
}

size_t ks_chat_show_size(const struct kesher_chat_line *line)
{
    size_t size = line->text_size;
    while (size > 0 && (line->text[size - 1] == ' ' || line->text[size - 1] == '\n'))
        size--;
    return size;
}

void ks_chat_show_line(const struct ks_chat_show *show, const struct kesher_chat_line *line)
{
    if (show->json) {
        print_json(line);
        return;
    }
    if (line->name_size > 0 || line->kind == KESHER_CHAT_MESSAGE)
        print_name(show, line);
    print_harmless(line->text, show->screen ? ks_chat_show_size(line) : line->text_size);
    if (show->screen || !line->unfinished)
        (void)fputc('\n', stdout);
}

void ks_chat_show_help(void)
{
    for (size_t i = 0; ks_chat_commands_help(i) != NULL; i++)
        (void)puts(ks_chat_commands_help(i));
}

void ks_chat_show_unknown(const char *word, size_t size)
{
    char shown[200];
    (void)printf("there is no command /%s; /help lists them\n",
                 ks_text_escape(word, size, shown, sizeof shown));
}
