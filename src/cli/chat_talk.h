/* chat_talk.h — talking in a chat: from the terminal or stdin to the server, from the server to stdout, both
 * at once. Main thread.
 *
 * On a terminal there is a line to type in (editor.h); else stdin goes to the server as it is, and its end
 * leaves the group. A signal to end leaves as well.
 */
#ifndef KS_CLI_CHAT_TALK_H
#define KS_CLI_CHAT_TALK_H

#include "cli/context.h"

struct ks_chat_talk {
    struct kesher_chat *chat;
    const char *address; /* safe for sentences */
    bool json;
    bool menu; /* the server's own menu: its texts as they come, what is typed as it is, until it closes */
};

/* To the end, of which everything is printed that there is to say. SIGPIPE is ignored from now on. */
enum ks_exit ks_chat_talk(const struct ks_chat_talk *with);

#endif
