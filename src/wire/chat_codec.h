/* chat_codec.h — the texts of group chat, and how its unframed input is cut (protocol.md §2, §9). Pure
 * functions on bytes: no I/O, no allocation; any thread.
 */
#ifndef KS_WIRE_CHAT_CODEC_H
#define KS_WIRE_CHAT_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KS_CHAT_SEND_LIMIT = 1024,    /* bytes of one send to a peer in chunk mode: what it reads at once */
    KS_CHAT_NAME_LIMIT = 64,      /* bytes of a name */
    KS_CHAT_MESSAGE_LIMIT = 4096, /* bytes of a message; a longer one becomes several */
    KS_CHAT_CLEAN_FACTOR = 3,     /* how much longer a text may become by ks_chat_clean */
};

#define KS_CHAT_MENU                                                                                         \
    "Hello client, please choose an option: \n 1. Connect to a group chat. \n 2. Create a group chat. \n "   \
    "3. Exit the server. \n "
#define KS_CHAT_ASK_NAME         "Enter your name: \n"
#define KS_CHAT_ASK_GROUP        "Enter group ID: \n"
#define KS_CHAT_NO_GROUP         "There is no group id like this,try again"
#define KS_CHAT_ASK_PASSWORD     "Enter password: \n"
#define KS_CHAT_WRONG_PASSWORD   "There is no group password like this,try again"
#define KS_CHAT_JOINED           "You're connected to group chat #%u\n"
#define KS_CHAT_ASK_NEW_PASSWORD "Enter password for the group: \n"
#define KS_CHAT_CREATED                                                                                      \
    "The id of the group is:%u\nYou're connected to group chat #%u\nYou can start to talk!"
#define KS_CHAT_EXIT           "Exit the chat \n"
#define KS_CHAT_INVALID_OPTION "You chose an invalid option... \n"
#define KS_CHAT_LEAVE          "Exit" /* what a member writes to leave */
#define KS_CHAT_LEFT           "You chose exit so you removed from the group. \n"
#define KS_CHAT_HAS_LEFT       "%s has removed from the group \n"
#define KS_CHAT_FULL           "The server is full, try again later. \n"

/* On the secure port alone (protocol.md §9). */
#define KS_CHAT_NAME_TAKEN "This name is taken, choose another. \n"
#define KS_CHAT_HAS_JOINED "%s has joined the group \n"
#define KS_CHAT_ASK_WHO    "/who"                /* what a member writes to be told the names, … */
#define KS_CHAT_WHO        "In the group: %s \n" /* … which have ", " between them, … */
#define KS_CHAT_AND_MORE   ", and %u more"       /* … and this behind those that fit */

/* The first line of `bytes`: true when a CR, LF or CRLF ends one; *line_size is then its size, *taken that
 * and its end. A CR that is the last byte ends a line; an LF that follows in the next read belongs to it. */
bool ks_chat_line(const uint8_t *bytes, size_t size, size_t *line_size, size_t *taken);

/* The size of `text` without blanks and tabs around it; *start is where it begins. */
size_t ks_chat_trim(const uint8_t *text, size_t size, size_t *start);

/* Reads a group's number: digits, blanks around them allowed. False for anything else, and for 0. */
bool ks_chat_group_number(const uint8_t *text, size_t size, unsigned *number);

/* How many bytes at the end of `bytes` are the beginning of a UTF-8 character that may be completed: 0–3. */
size_t ks_chat_unfinished(const uint8_t *bytes, size_t size);

/* Copies a text without escape sequences and without characters that are not harmless (ks_text_is_harmless; a
 * tab stays); what is no UTF-8 becomes U+FFFD. Returns the size; `clean` has room for KS_CHAT_CLEAN_FACTOR *
 * size bytes. */
size_t ks_chat_clean(const uint8_t *text, size_t size, uint8_t *clean);

#endif
