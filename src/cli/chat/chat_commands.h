/* chat_commands.h — what a line means that is typed in a chat, and which colour a name has. Pure; any thread.
 */
#ifndef KS_CLI_CHAT_CHAT_COMMANDS_H
#define KS_CLI_CHAT_CHAT_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

enum ks_chat_order {
    KS_CHAT_ORDER_SAY,
    KS_CHAT_ORDER_HELP,
    KS_CHAT_ORDER_QUIT,
    KS_CHAT_ORDER_WHO, /* a secure server's to answer */
    KS_CHAT_ORDER_UNKNOWN,
};

/* A line that begins with one slash is an order to the client; one that begins with two is a message with one
 * slash less. "Exit" alone is the protocol's own order to leave. *said is then the message, inside of `line`;
 * else the order's word, without the slash. */
enum ks_chat_order ks_chat_commands_order(const char *line, size_t size, const char **said,
                                          size_t *said_size);

/* The reader's help to the orders, line by line; NULL after the last one. */
const char *ks_chat_commands_help(size_t number);

/* The ANSI colour of a name, 31–36: always the same. */
unsigned ks_chat_commands_colour(const char *name, size_t size);

/* The number of a group as somebody writes it: decimal, not 0. False for anything else. */
bool ks_chat_commands_group(const char *text, size_t size, unsigned *group);

#endif
