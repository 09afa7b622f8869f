/* chat_show.h — what is said in a chat, on stdout. Main thread. */
#ifndef KS_CLI_CHAT_CHAT_SHOW_H
#define KS_CLI_CHAT_CHAT_SHOW_H

#include <kesher/chat.h>

#include <stdbool.h>

struct ks_chat_show {
    bool json;    /* one object per line */
    bool colours; /* of names */
    bool
        screen; /* for somebody who looks on: without blanks at the end, and every text on lines of its own */
};

/* Prints a line that is neither NOTHING nor END, harmless for a terminal; nothing is flushed. */
void ks_chat_show_line(const struct ks_chat_show *show, const struct kesher_chat_line *line);

/* How much of the text of a line there is to see, without blanks and line ends at its end. */
size_t ks_chat_show_size(const struct kesher_chat_line *line);

/* True when names on stdout should have colours: a terminal that knows them, and no NO_COLOR. */
bool ks_chat_show_has_colours(void);

/* Prints what may be typed; and that there is no such command, which is named harmlessly. */
void ks_chat_show_help(void);
void ks_chat_show_unknown(const char *word, size_t size);

#endif
