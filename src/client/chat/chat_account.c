/* chat_account.c — see kesher_chat_open_account in <kesher/chat.h>: signing in, 3030, and from then on the
 * connection is a chat's. */
#include "client/chat/chat_internal.h"

#include "client/account/account_internal.h"
#include "client/failure.h"
#include "client/transport/secure_request.h"

#include <string.h>

/* The account's name out of a 4030. */
static enum kesher_status take_name(struct kesher_chat *chat, struct ks_channel *channel,
                                    const struct ks_secure_request *request, struct kesher_error *error)
{
    struct ks_wire_text name;
    if (ks_wire_text_parse(request->answer, request->answer_size, &name) != KS_OK || name.size == 0 ||
        name.size >= sizeof chat->proposed_name || memchr(name.bytes, '\0', name.size) != NULL)
        return ks_channel_fail_protocol(channel, error, "an answer to the wish to talk that makes no sense");
    memcpy(chat->proposed_name, name.bytes, name.size);
    chat->proposed_name[name.size] = '\0';
    return KESHER_OK;
}

static enum kesher_status ask_to_talk(struct kesher_chat *chat, struct ks_channel *channel,
                                      struct kesher_error *error)
{
    uint8_t answer[sizeof(uint16_t) + KESHER_NAME_SIZE];
    struct ks_secure_request request = {.doing = "let you talk",
                                        .shown = chat->shown,
                                        .code = KS_REQUEST_TALK,
                                        .expected = KS_RESPONSE_TALK,
                                        .answer = answer,
                                        .capacity = sizeof answer};
    /* What follows the answer belongs to the chat. */
    ks_channel_take_exactly(channel, true);
    ks_channel_limit(channel, chat->options.answer_ms);
    enum kesher_status status = ks_secure_request_run(channel, &request, error);
    return status == KESHER_OK ? take_name(chat, channel, &request, error) : status;
}

static enum kesher_status enter(struct kesher_chat *chat, struct ks_access *access,
                                struct kesher_error *error)
{
    struct ks_channel *channel = NULL;
    memcpy(chat->shown, access->shown, sizeof chat->shown);
    enum kesher_status status = ks_access_sign_in(access, &chat->options, &channel, error);
    if (status != KESHER_OK)
        return status;
    status = ask_to_talk(chat, channel, error);
    if (status != KESHER_OK) {
        ks_channel_close(channel);
        return status;
    }
    chat->carrier = ks_channel_give_up(channel);
    chat->mode_is_known = true;
    ks_chat_keep_alive(chat);
    return KESHER_OK;
}

enum kesher_status kesher_chat_open_account(struct kesher_account *account,
                                            const struct kesher_options *options, struct kesher_chat **chat,
                                            struct kesher_error *error)
{
    struct kesher_chat *opened = ks_chat_new(options);
    if (opened == NULL)
        return ks_failure_no_memory(error);
    enum kesher_status status = enter(opened, account->session.access, error);
    if (status == KESHER_OK)
        *chat = opened;
    else
        kesher_chat_close(opened);
    return status;
}
