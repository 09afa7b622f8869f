/* chat_commands.c — see chat_commands.h. */
#include "cli/chat/chat_commands.h"

#include "wire/chat_codec.h"

#include <stdint.h>
#include <string.h>

static const struct {
    const char *word;
    enum ks_chat_order order;
} orders[] = {
    {"help", KS_CHAT_ORDER_HELP},
    {"quit", KS_CHAT_ORDER_QUIT},
    {"who", KS_CHAT_ORDER_WHO},
};

static const char *const help[] = {
    "/help  lists the commands",
    "/quit  leaves the group, as Ctrl-D and Ctrl-C do",
    "/who   lists who is in the group, where the server is a secure one",
    "//...  sends a message that begins with a slash",
};

enum ks_chat_order ks_chat_commands_order(const char *line, size_t size, const char **said, size_t *said_size)
{
    bool has_slash = size > 0 && line[0] == '/';
    *said = has_slash ? line + 1 : line;
    *said_size = has_slash ? size - 1 : size;
    if (size == strlen(KS_CHAT_LEAVE) && memcmp(line, KS_CHAT_LEAVE, size) == 0)
        return KS_CHAT_ORDER_QUIT;
    if (!has_slash || (size > 1 && line[1] == '/'))
        return KS_CHAT_ORDER_SAY;
    while (*said_size > 0 && (*said)[*said_size - 1] == ' ')
        --*said_size;
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++)
        if (strlen(orders[i].word) == *said_size && memcmp(orders[i].word, *said, *said_size) == 0)
            return orders[i].order;
    return KS_CHAT_ORDER_UNKNOWN;
}

const char *ks_chat_commands_help(size_t number)
{
    return number < sizeof help / sizeof help[0] ? help[number] : NULL;
}

/* FNV-1a (Fowler, Noll, Vo). */
unsigned ks_chat_commands_colour(const char *name, size_t size)
{
    enum { FIRST_COLOUR = 31, COLOURS = 6 };
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (uint8_t)name[i]) * 16777619U;
    return FIRST_COLOUR + hash % COLOURS;
}

bool ks_chat_commands_group(const char *text, size_t size, unsigned *group)
{
    return ks_chat_group_number((const uint8_t *)text, size, group);
}
