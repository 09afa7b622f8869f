/* command_chat.h — `kesher chat`. Main thread. */
#ifndef KS_CLI_CHAT_COMMAND_CHAT_H
#define KS_CLI_CHAT_COMMAND_CHAT_H

#include "cli/commands/context.h"

/* create, join GROUP, or the server's menu; then whatever is said, to the end of it. */
enum ks_exit ks_command_chat(struct ks_context *context);

#endif
