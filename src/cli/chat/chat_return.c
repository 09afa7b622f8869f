/* chat_return.c — see chat_return.h. */
#include "cli/chat/chat_return.h"

#include <stdio.h>

enum { ANSWER_MS = 30 * 1000 }; /* no longer: there is somebody at the terminal */

static enum ks_chat_return fail_group(const struct ks_chat_seat *seat, const char *what,
                                      struct kesher_error *error)
{
    (void)snprintf(error->sentence, sizeof error->sentence,
                   "group %u %s; 'kesher chat create' makes a new one", seat->group, what);
    return KS_CHAT_NEVER;
}

/* From the menu to the group. */
static enum ks_chat_return enter(const struct ks_chat_seat *seat, struct kesher_chat *chat,
                                 struct kesher_error *error)
{
    enum kesher_status status = kesher_chat_find(chat, seat->name, seat->group, error);
    if (status == KESHER_OK)
        status = kesher_chat_join(chat, seat->password, seat->password_size, error);
    switch (status) {
    case KESHER_OK:
        return KS_CHAT_BACK;
    case KESHER_NOT_FOUND:
        return fail_group(seat, "is gone, with its last member or with its server", error);
    case KESHER_REFUSED:
        return fail_group(seat, "has another password now: it is another group", error);
    case KESHER_CONNECTION:
    case KESHER_TIMEOUT:
    case KESHER_FULL:
    case KESHER_EXISTS: /* the server has not noticed yet that the one before is gone */
        return KS_CHAT_NOT_YET;
    default:
        return KS_CHAT_NEVER;
    }
}

enum ks_chat_return ks_chat_return(const struct ks_chat_seat *seat, struct kesher_chat **chat,
                                   struct kesher_error *error)
{
    struct kesher_options limits = *seat->limits;
    struct kesher_chat *opened = NULL;
    if (limits.progress_ms > ANSWER_MS)
        limits.progress_ms = ANSWER_MS;
    enum kesher_status status = seat->account != NULL
                                    ? kesher_chat_open_account(seat->account, &limits, &opened, error)
                                    : kesher_chat_open(seat->address, &limits, &opened, error);
    if (status == KESHER_REFUSED || status == KESHER_UNKNOWN)
        return KS_CHAT_NEVER; /* it is another server, or the account is gone */
    if (status != KESHER_OK)
        return KS_CHAT_NOT_YET;
    enum ks_chat_return result = enter(seat, opened, error);
    if (result == KS_CHAT_BACK && kesher_chat_take_over(opened, *chat, error) != KESHER_OK)
        result = KS_CHAT_NOT_YET;
    if (result != KS_CHAT_BACK) {
        kesher_chat_close(opened);
        return result;
    }
    kesher_chat_close(*chat);
    *chat = opened;
    return KS_CHAT_BACK;
}
