/* chat_prompts.c — the menu and the prompts, until a peer is a member of a group. Wrong passwords are counted
 * by the turnstile, for each address: the more, the longer the next one waits for its turn.
 */
#include "base/text.h"
#include "crypto/secret.h"
#include "service/chat/chat_session_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void take_choice(struct ks_chat_session *session, const uint8_t *input, size_t size)
{
    size_t start = 0;
    size_t length = ks_chat_trim(input, size, &start);
    uint8_t choice = length == 1 ? input[start] : 0;
    switch (choice) {
    case '1':
    case '2':
        ks_chat_session_become(session,
                               choice == '1' ? KS_CHAT_STATE_NAME_TO_JOIN : KS_CHAT_STATE_NAME_TO_CREATE);
        ks_chat_session_tell(session, KS_CHAT_ASK_NAME);
        return;
    case '3':
        ks_chat_session_tell(session, KS_CHAT_EXIT);
        ks_chat_session_end(session);
        return;
    default:
        ks_chat_session_tell(session, KS_CHAT_INVALID_OPTION);
        ks_chat_session_tell(session, KS_CHAT_MENU);
    }
}

static void have_name(struct ks_chat_session *session)
{
    bool creates = session->state == KS_CHAT_STATE_NAME_TO_CREATE;
    ks_chat_session_become(session, creates ? KS_CHAT_STATE_NEW_PASSWORD : KS_CHAT_STATE_GROUP);
    ks_chat_session_tell(session, creates ? KS_CHAT_ASK_NEW_PASSWORD : KS_CHAT_ASK_GROUP);
}

/* What comes meanwhile waits. */
static void become_naming(struct ks_chat_session *session)
{
    session->talker->asked_in = session->state;
    ks_chat_session_become(session, KS_CHAT_STATE_NAMING);
    ks_connection_set_deadline(session->member.connection, 0);
}

/* Of somebody with an account, who may have it or not; nothing takes the account's own. */
static void take_name_of_talker(struct ks_chat_session *session, const uint8_t *name, size_t size)
{
    become_naming(session);
    if (size == 0)
        session->name_is_judged(session, ks_chat_names_take_own(session));
    else
        ks_chat_names_ask(session, name, size);
}

static void take_name(struct ks_chat_session *session, const uint8_t *input, size_t size)
{
    uint8_t clean[KS_CHAT_CLEAN_FACTOR * KS_CHAT_PART_LIMIT];
    size_t clean_size = ks_chat_clean(input, size, clean);
    size_t limit = session->talker != NULL ? sizeof session->name - 1 : KS_CHAT_NAME_LIMIT;
    size_t name_size = ks_text_cut(clean, clean_size, limit);
    if (session->talker != NULL) {
        take_name_of_talker(session, clean, name_size);
        return;
    }
    if (name_size == 0)
        return;
    memcpy(session->name, clean, name_size);
    session->name[name_size] = '\0';
    have_name(session);
}

static void refuse_name(struct ks_chat_session *session, enum ks_chat_state prompt)
{
    ks_chat_session_become(session, prompt);
    ks_chat_session_report(session, KS_LOG_INFO, "may not have this name in the chat");
    session->name[0] = '\0';
    ks_chat_session_tell(session, KS_CHAT_NAME_TAKEN);
    ks_chat_session_tell(session, KS_CHAT_ASK_NAME);
}

static void refuse_group(struct ks_chat_session *session)
{
    ks_chat_session_become(session, KS_CHAT_STATE_GROUP);
    ks_chat_session_tell(session, KS_CHAT_NO_GROUP);
    ks_chat_session_tell(session, KS_CHAT_ASK_GROUP);
}

static void take_group(struct ks_chat_session *session, const uint8_t *input, size_t size)
{
    if (!ks_chat_group_number(input, size, &session->number) ||
        !ks_groups_find(session->environment->groups, session->number, &session->serial)) {
        refuse_group(session);
        return;
    }
    ks_chat_session_become(session, KS_CHAT_STATE_PASSWORD);
    ks_chat_session_tell(session, KS_CHAT_ASK_PASSWORD);
}

static void tell_full(struct ks_chat_session *session)
{
    ks_chat_session_tell(session, KS_CHAT_FULL);
    ks_chat_session_end(session);
}

static void tell_joined(struct ks_chat_session *session)
{
    char text[KS_CHAT_TEXT_SIZE];
    ks_chat_session_became_member(session);
    snprintf(text, sizeof text, KS_CHAT_JOINED, session->number);
    ks_chat_session_tell(session, text);
    if (session->talker != NULL)
        ks_chat_session_say_joined(session);
    ks_chat_session_log(session, "has joined group %u", session->number);
}

static void refuse_password(struct ks_chat_session *session)
{
    const struct ks_chat_service_environment *environment = session->environment;
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    ks_connection_peer_address(session->member.connection, address);
    ks_turnstile_wrong(environment->turnstile, address, ks_clock_monotonic_ms(environment->clock));
    session->wrong_passwords++;
    ks_chat_session_report(session, KS_LOG_INFO, "gave a wrong password for group %u", session->number);
    ks_chat_session_tell(session, KS_CHAT_WRONG_PASSWORD);
    if (session->wrong_passwords >= environment->wrong_passwords) {
        ks_chat_session_report(session, KS_LOG_WARNING,
                               "is disconnected: too many wrong passwords (wrong-passwords)");
        ks_chat_session_end(session);
        return;
    }
    ks_chat_session_become(session, KS_CHAT_STATE_PASSWORD);
    ks_chat_session_tell(session, KS_CHAT_ASK_PASSWORD);
}

static void judge_password(struct ks_chat_session *session, const uint8_t *password, size_t size)
{
    enum ks_result result = ks_groups_join(session->environment->groups, session->number, session->serial,
                                           password, size, &session->member);
    switch (result) {
    case KS_OK:
        tell_joined(session);
        return;
    case KS_NOT_FOUND: /* deleted meanwhile */
        refuse_group(session);
        return;
    case KS_REFUSED:
        refuse_password(session);
        return;
    case KS_EXISTS: /* in the group */
        refuse_name(session, KS_CHAT_STATE_NAME_TO_JOIN);
        return;
    default:
        ks_chat_session_report(session, KS_LOG_WARNING, "cannot join group %u: %s", session->number,
                               result == KS_NO_SPACE ? "it has as many members as it may (group-members)"
                                                     : ks_result_text(result));
        tell_full(session);
    }
}

void ks_chat_session_give_turn_back(const struct ks_chat_session *session)
{
    const struct ks_chat_service_environment *environment = session->environment;
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    if (session->state != KS_CHAT_STATE_JUDGING)
        return;
    ks_connection_peer_address(session->member.connection, address);
    ks_turnstile_give_back(environment->turnstile, address, session->turn,
                           ks_clock_monotonic_ms(environment->clock));
}

/* Judged now, or when it is this address's turn. Until then what more comes waits; but input is read until
 * something does come, or nobody would see that the peer goes. */
static void take_password(struct ks_chat_session *session, const uint8_t *input, size_t size)
{
    const struct ks_chat_service_environment *environment = session->environment;
    struct ks_connection *connection = session->member.connection;
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    ks_connection_peer_address(connection, address);
    session->turn =
        ks_turnstile_take(environment->turnstile, address, ks_clock_monotonic_ms(environment->clock));
    if (session->turn.wait_ms == 0) {
        judge_password(session, input, size);
        return;
    }
    ks_chat_session_become(session, KS_CHAT_STATE_JUDGING);
    session->password = malloc(size);
    if (session->password == NULL) {
        ks_chat_session_report(session, KS_LOG_WARNING, "cannot join group %u: %s", session->number,
                               ks_result_text(KS_NO_MEMORY));
        ks_chat_session_give_turn_back(session);
        tell_full(session);
        return;
    }
    memcpy(session->password, input, size);
    session->password_size = size;
    ks_connection_set_deadline(connection, session->turn.wait_ms);
}

void ks_chat_session_forget_password(struct ks_chat_session *session)
{
    if (session->password == NULL)
        return;
    ks_secret_wipe(session->password, session->password_size);
    free(session->password);
    session->password = NULL;
}

static void take_new_password(struct ks_chat_session *session, const uint8_t *input, size_t size)
{
    char text[KS_CHAT_TEXT_SIZE];
    enum ks_result result =
        ks_groups_create(session->environment->groups, input, size, &session->member, &session->number);
    if (result != KS_OK) {
        ks_chat_session_report(session, KS_LOG_WARNING, "cannot create a group: %s",
                               result == KS_NO_SPACE ? "there are as many as there may be (groups)"
                                                     : ks_result_text(result));
        tell_full(session);
        return;
    }
    ks_chat_session_became_member(session);
    snprintf(text, sizeof text, KS_CHAT_CREATED, session->number, session->number);
    ks_chat_session_tell(session, text);
    ks_chat_session_log(session, "has created group %u", session->number);
}

/* ---- whose a name is ---- */

static void take_password_at(struct ks_chat_session *session, const uint8_t *input, size_t size)
{
    if (session->state == KS_CHAT_STATE_NEW_PASSWORD)
        take_new_password(session, input, size);
    else
        take_password(session, input, size);
}

/* A name that was nobody's at its prompt may be somebody's by now. */
static void take_password_of_talker(struct ks_chat_session *session, const uint8_t *input, size_t size)
{
    session->password = malloc(size);
    if (session->password == NULL) {
        tell_full(session);
        return;
    }
    memcpy(session->password, input, size);
    session->password_size = size;
    become_naming(session);
    ks_chat_names_ask_again(session);
}

static void go_on_with_password(struct ks_chat_session *session)
{
    uint8_t *password = session->password;
    size_t size = session->password_size;
    session->password = NULL;
    take_password_at(session, password, size);
    ks_secret_wipe(password, size);
    free(password);
}

void ks_chat_session_take_name(struct ks_chat_session *session, enum ks_result result)
{
    enum ks_chat_state before = (enum ks_chat_state)session->talker->asked_in;
    bool creates = before == KS_CHAT_STATE_NAME_TO_CREATE || before == KS_CHAT_STATE_NEW_PASSWORD;
    if (session->state != KS_CHAT_STATE_NAMING)
        return;
    if (result == KS_EXISTS) {
        ks_chat_session_forget_password(session);
        refuse_name(session, creates ? KS_CHAT_STATE_NAME_TO_CREATE : KS_CHAT_STATE_NAME_TO_JOIN);
    } else if (result != KS_OK) {
        ks_chat_session_report(session, KS_LOG_WARNING, "cannot have a name: %s", ks_result_text(result));
        tell_full(session);
    } else {
        ks_chat_session_become(session, before);
        if (session->password != NULL)
            go_on_with_password(session);
        else
            have_name(session);
    }
}

void ks_chat_session_judge(struct ks_chat_session *session)
{
    judge_password(session, session->password, session->password_size);
    ks_chat_session_forget_password(session);
}

void ks_chat_session_take_answer(struct ks_chat_session *session, const uint8_t *input, size_t size)
{
    switch ((enum ks_chat_state)session->state) {
    case KS_CHAT_STATE_MENU:
        take_choice(session, input, size);
        return;
    case KS_CHAT_STATE_NAME_TO_JOIN:
    case KS_CHAT_STATE_NAME_TO_CREATE:
        take_name(session, input, size);
        return;
    case KS_CHAT_STATE_GROUP:
        take_group(session, input, size);
        return;
    case KS_CHAT_STATE_PASSWORD:
    case KS_CHAT_STATE_NEW_PASSWORD:
        if (session->talker != NULL && !session->talker->name_is_own)
            take_password_of_talker(session, input, size);
        else
            take_password_at(session, input, size);
        return;
    case KS_CHAT_STATE_JUDGING:
    case KS_CHAT_STATE_NAMING:
    case KS_CHAT_STATE_MEMBER:
    case KS_CHAT_STATE_LEAVING:
    case KS_CHAT_STATE_ENDING:
    case KS_CHAT_STATES:
        return;
    }
}
