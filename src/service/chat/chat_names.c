/* chat_names.c — whether somebody with an account may have a name in the chat: its own, or one that no user
 * of the server has, by what it looks like (protocol.md §9). Others who see a name know then who that is not.
 *
 * A name that is nobody's must be one that an account could have (accounts/account_names.h): else a blank
 * more would do.
 */
#include "service/accounts/account_names.h"
#include "service/chat/chat_session_internal.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

/* Outlives the session. */
struct ks_chat_question {
    struct ks_chat_session *session; /* NULL when it is gone, or wants no answer any more */
    struct ks_store_name_holder request;
};

void ks_chat_names_forget_question(struct ks_chat_session *session)
{
    struct ks_chat_question *question = session->talker != NULL ? session->talker->question : NULL;
    if (question == NULL)
        return;
    question->session = NULL;
    session->talker->question = NULL;
}

static void set_name(struct ks_chat_session *session, const char *name, size_t size)
{
    memcpy(session->name, name, size);
    session->name[size] = '\0';
}

enum ks_result ks_chat_names_take_own(struct ks_chat_session *session)
{
    struct ks_chat_talker *talker = session->talker;
    size_t size = strlen(talker->account_name);
    enum ks_result result =
        ks_account_name_skeleton(session->environment->names, talker->account_name, size, talker->skeleton);
    if (result != KS_OK)
        return result;
    set_name(session, talker->account_name, size);
    talker->name_is_own = true;
    return KS_OK;
}

static enum ks_result judge_holder(struct ks_chat_session *session,
                                   const struct ks_store_name_holder *request)
{
    const struct ks_client_id *own = &session->talker->id;
    if (request->request.result == KS_NOT_FOUND)
        return KS_OK;
    if (request->request.result != KS_OK)
        return request->request.result;
    if (memcmp(&request->id, own, sizeof *own) != 0)
        return KS_EXISTS;
    return ks_chat_names_take_own(session);
}

static void holder_found(struct ks_store_request *request)
{
    struct ks_chat_question *question = KS_CONTAINER_OF(request, struct ks_chat_question, request.request);
    struct ks_chat_session *session = question->session;
    if (session != NULL) {
        session->talker->question = NULL;
        session->name_is_judged(session, judge_holder(session, &question->request));
    }
    free(question);
}

void ks_chat_names_ask_again(struct ks_chat_session *session)
{
    const struct ks_chat_service_environment *environment = session->environment;
    struct ks_chat_talker *talker = session->talker;
    struct ks_chat_question *question = calloc(1, sizeof *question);
    if (question == NULL) {
        session->name_is_judged(session, KS_NO_MEMORY);
        return;
    }
    question->session = session;
    question->request.request.reply_to = &session->member.connection->loop->executor;
    question->request.request.done = holder_found;
    memcpy(question->request.skeleton, talker->skeleton, sizeof question->request.skeleton);
    talker->question = question;
    ks_store_name_holder(environment->store, &question->request);
}

void ks_chat_names_ask(struct ks_chat_session *session, const uint8_t *name, size_t size)
{
    const struct ks_account_names *names = session->environment->names;
    struct ks_chat_talker *talker = session->talker;
    const char *text = (const char *)name;
    const char *why = NULL;
    if (size == strlen(talker->account_name) && memcmp(name, talker->account_name, size) == 0) {
        session->name_is_judged(session, ks_chat_names_take_own(session));
        return;
    }
    enum ks_result result = ks_account_name_judge(names, text, size, &why);
    if (result == KS_OK)
        result = ks_account_name_skeleton(names, text, size, talker->skeleton);
    if (result != KS_OK) {
        bool may_not = result == KS_INVALID || result == KS_TOO_LARGE;
        session->name_is_judged(session, may_not ? KS_EXISTS : result);
        return;
    }
    talker->name_is_own = false;
    set_name(session, text, size);
    ks_chat_names_ask_again(session);
}
