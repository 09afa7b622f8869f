/* chat_talk.h — talking in a chat: from the terminal or stdin to the server, from the server to stdout, both
 * at once. Main thread.
 *
 * On a terminal there is a line to type in (editor.h); else stdin goes to the server as it is, and its end
 * leaves the group. A signal to end leaves as well. Where the connection is lost, and there is a seat to
 * return to, it is returned to; what is said until then waits.
 */
#ifndef KS_CLI_CHAT_CHAT_TALK_H
#define KS_CLI_CHAT_CHAT_TALK_H

#include "cli/chat/chat_return.h"
#include "cli/commands/context.h"

struct ks_chat_talk {
    struct kesher_chat *chat;        /* is closed at the end */
    const struct ks_chat_seat *seat; /* NULL: the server's own menu, with its texts as they come, and what is
                                      * typed as it is, until it closes */
    const char *address;             /* safe for sentences */
    bool json;
};

/* To the end, of which everything is printed that there is to say. SIGPIPE is ignored from now on. */
enum ks_exit ks_chat_talk(const struct ks_chat_talk *with);

#endif
