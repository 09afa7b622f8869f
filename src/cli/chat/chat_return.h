/* chat_return.h — the way back into a group whose server was lost. Main thread. */
#ifndef KS_CLI_CHAT_CHAT_RETURN_H
#define KS_CLI_CHAT_CHAT_RETURN_H

#include <kesher/chat.h>

/* What takes one back to where one sat. All of it is the caller's, who wipes the password. */
struct ks_chat_seat {
    const char *address;
    struct kesher_account *account;      /* at a secure server; NULL at a classic one */
    const struct kesher_options *limits; /* those of the way in */
    unsigned group;
    const char *name;
    const void *password;
    size_t password_size;
};

enum ks_chat_return {
    KS_CHAT_BACK,
    KS_CHAT_NOT_YET, /* try again */
    KS_CHAT_NEVER,   /* waiting mends nothing */
};

/* Connects and joins again; blocks meanwhile, at each question for half a minute at worst. KS_CHAT_BACK:
 * *chat is another one, which has taken over what the lost one had not sent, and that one is closed. Else
 * *chat is what it was, and `error` says why. */
enum ks_chat_return ks_chat_return(const struct ks_chat_seat *seat, struct kesher_chat **chat,
                                   struct kesher_error *error);

#endif
