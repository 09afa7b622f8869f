/* talk.c — see talk.h. */
#include "service/chat/talk.h"

#include "service/accounts/presence.h"
#include "service/accounts/refusals.h"
#include "service/accounts/visitor.h"
#include "service/chat/chat_service.h"
#include "service/core/report.h"

#include <string.h>

static void take(void *context, struct ks_connection *connection)
{
    (void)connection; /* it knows its connection */
    ks_chat_service_welcome(context);
}

static void drop(void *context)
{
    ks_chat_service_dismiss(context);
}

static const struct ks_session_heir chat_heir = {.take = take, .drop = drop};

void ks_talk_begin(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct ks_chat_service_environment *chat = exchange->port->accounts->chat;
    struct ks_visitor *visitor = ks_visitor_of(exchange);
    struct ks_account account;
    ks_visitor_account(visitor, &account);
    const struct ks_wire_text text = {.bytes = account.name, .size = (uint16_t)strlen(account.name)};
    uint8_t payload[sizeof(uint16_t) + KS_TEXT_FIELD_SIZE];
    size_t size = 0;
    (void)fixed;
    if (chat == NULL) {
        ks_refuse(exchange, KS_REFUSAL_UNKNOWN_REQUEST);
        return;
    }
    struct ks_chat_session *heir = NULL;
    if (ks_wire_text_encode(&text, payload, sizeof payload, &size) == KS_OK)
        heir = ks_chat_service_expect(chat, ks_session_connection(visitor->session), &account,
                                      visitor->attendance);
    if (heir == NULL) {
        ks_refuse(exchange, KS_REFUSAL_TROUBLE);
        return;
    }
    visitor->attendance = NULL;
    ks_report_event(exchange, "talks");
    ks_session_hand_over(visitor->session, &chat_heir, heir);
    ks_exchange_answer(exchange, KS_RESPONSE_TALK, payload, size);
}
