/* visitor.c — see visitor.h. */
#include "service/accounts/visitor.h"

#include "service/accounts/account_summary.h"
#include "service/accounts/challenge.h"
#include "service/accounts/presence.h"
#include "service/accounts/refusals.h"
#include "service/core/report.h"

#include <stdlib.h>
#include <string.h>

/* ---- the access ---- */

static bool visitor_came(struct ks_session *session)
{
    struct ks_visitor *visitor = calloc(1, sizeof *visitor);
    if (visitor == NULL)
        return false;
    visitor->session = session;
    ks_session_set_visitor(session, visitor);
    return true;
}

static void visitor_went(struct ks_session *session)
{
    struct ks_visitor *visitor = ks_session_visitor(session);
    ks_presence_leave(visitor->attendance);
    ks_challenge_free(visitor->challenge);
    free(visitor->name);
    free(visitor);
}

static bool is_of_strangers(uint16_t code)
{
    return code >= KS_REQUEST_NONCE && code <= KS_REQUEST_ADOPTION_PROOF;
}

/* Why a request makes no sense before or after sign-in, whatever it says; else `reason`. */
static enum ks_refusal_reason reason_for(const struct ks_exchange *exchange, enum ks_refusal_reason reason)
{
    uint16_t code = exchange->header.code;
    bool is_known = ks_visitor_is_known(ks_visitor_of(exchange));
    if (is_known && is_of_strangers(code))
        return KS_REFUSAL_SIGNED_IN;
    if (!is_known && !is_of_strangers(code) && reason != KS_REFUSAL_UNKNOWN_REQUEST)
        return KS_REFUSAL_SIGN_IN_FIRST;
    return reason;
}

enum { NO_REASON = 0 };

static bool visitor_may_ask(struct ks_exchange *exchange)
{
    enum ks_refusal_reason reason = reason_for(exchange, (enum ks_refusal_reason)NO_REASON);
    if ((unsigned)reason == NO_REASON)
        return true;
    ks_refuse(exchange, reason);
    return false;
}

static void visitor_refuse(struct ks_exchange *exchange, enum ks_fault fault)
{
    enum ks_refusal_reason reason = (enum ks_refusal_reason)exchange->rule->reason;
    if (fault == KS_FAULT_CODE)
        reason = KS_REFUSAL_UNKNOWN_REQUEST;
    else if (fault == KS_FAULT_PAYLOAD)
        reason = KS_REFUSAL_MALFORMED;
    if (exchange->session != NULL && fault != KS_FAULT_SERVICE)
        reason = reason_for(exchange, reason);
    ks_refuse(exchange, reason);
}

const struct ks_frames_access ks_visitor_access = {.came = visitor_came,
                                                   .went = visitor_went,
                                                   .may_ask = visitor_may_ask,
                                                   .refuse = visitor_refuse,
                                                   .stranger_payload = KS_SECURE_PAYLOAD_LIMIT};

struct ks_visitor *ks_visitor_of(const struct ks_exchange *exchange)
{
    return exchange->session != NULL ? ks_session_visitor(exchange->session) : NULL;
}

bool ks_visitor_is_known(const struct ks_visitor *visitor)
{
    return visitor->attendance != NULL;
}

/* ---- arriving ---- */

struct arrival {
    struct ks_exchange *exchange;
    struct ks_account account;
    struct ks_attendance *attendance;
    struct ks_store_sign_in again;
};

/* The account is no account any more, or has another key. */
static void visitor_cut(void *owner)
{
    struct ks_visitor *visitor = owner;
    ks_report_session(visitor->session, KS_LOG_INFO, "closed: its account was removed, or has another key");
    ks_session_abort(visitor->session);
}

static void arrival_refuse(struct arrival *arrival, enum ks_refusal_reason reason)
{
    struct ks_exchange *exchange = arrival->exchange;
    ks_presence_leave(arrival->attendance);
    free(arrival);
    ks_refuse(exchange, reason);
}

static void answer_signed_in(struct ks_exchange *exchange, const struct ks_account *account)
{
    uint8_t list[KS_ANSWER_PAYLOAD_LIMIT];
    size_t size = ks_account_summary(exchange, account, list);
    ks_exchange_answer(exchange, KS_RESPONSE_SIGNED_IN, list, size);
}

/* False when out of memory. */
static bool take_account(struct ks_visitor *visitor, const struct ks_account *account)
{
    visitor->name = strdup(account->name);
    if (visitor->name == NULL)
        return false;
    visitor->id = account->id;
    memcpy(visitor->key, account->key, sizeof visitor->key);
    visitor->registered = account->registered;
    visitor->has_classic_id = account->has_classic_id;
    return true;
}

void ks_visitor_account(const struct ks_visitor *visitor, struct ks_account *account)
{
    *account = (struct ks_account){
        .id = visitor->id, .has_classic_id = visitor->has_classic_id, .registered = visitor->registered};
    memcpy(account->key, visitor->key, sizeof account->key);
    memcpy(account->name, visitor->name, strlen(visitor->name) + 1);
}

/* What was true before the attendance began is true still. */
static void settle(struct arrival *arrival, struct ks_visitor *visitor)
{
    struct ks_exchange *exchange = arrival->exchange;
    const struct ks_account account = arrival->again.account;
    if (!take_account(visitor, &account)) {
        arrival_refuse(arrival, KS_REFUSAL_TROUBLE);
        return;
    }
    visitor->attendance = arrival->attendance;
    free(arrival);
    ks_session_serve(visitor->session, &visitor->id);
    exchange->header.client_id = visitor->id;
    ks_store_touch(exchange->environment->store, &visitor->id);
    ks_report_event(exchange, "signed in");
    answer_signed_in(exchange, &account);
}

static void found_again(struct ks_store_request *request)
{
    struct arrival *arrival = KS_CONTAINER_OF(request, struct arrival, again.request);
    struct ks_visitor *visitor = ks_visitor_of(arrival->exchange);
    enum ks_result result = request->result;
    if (result == KS_OK && memcmp(&arrival->again.account.id, &arrival->account.id, KS_CLIENT_ID_SIZE) != 0)
        result = KS_NOT_FOUND;
    if (result == KS_OK && visitor != NULL &&
        !ks_attendance_set_owner(arrival->attendance, visitor_cut, visitor))
        result = KS_NOT_FOUND;
    if (visitor == NULL)
        arrival_refuse(arrival, KS_REFUSAL_TROUBLE); /* nobody hears it */
    else if (result == KS_NOT_FOUND)
        arrival_refuse(arrival, KS_REFUSAL_UNKNOWN_ACCOUNT);
    else if (result != KS_OK)
        arrival_refuse(arrival, ks_refusal_of(result));
    else
        settle(arrival, visitor);
}

static void ask_again(struct arrival *arrival)
{
    struct ks_exchange *exchange = arrival->exchange;
    arrival->again.request.reply_to = &exchange->loop->executor;
    arrival->again.request.done = found_again;
    memcpy(arrival->again.key, arrival->account.key, sizeof arrival->again.key);
    ks_store_sign_in(exchange->environment->store, &arrival->again);
}

static void refuse_many(struct arrival *arrival)
{
    ks_report(arrival->exchange, KS_LOG_WARNING, "refused: too many connections of one account");
    arrival_refuse(arrival, KS_REFUSAL_TOO_MANY);
}

void ks_visitor_arrive(struct ks_exchange *exchange, const struct ks_account *account)
{
    if (exchange->session == NULL) {
        ks_exchange_cancel(exchange);
        return;
    }
    struct arrival *arrival = calloc(1, sizeof *arrival);
    if (arrival == NULL) {
        ks_refuse(exchange, KS_REFUSAL_TROUBLE);
        return;
    }
    arrival->exchange = exchange;
    arrival->account = *account;
    enum ks_result result = ks_presence_enter(exchange->port->accounts->presence, &account->id, account->key,
                                              exchange->environment->settings.connections_per_account,
                                              &exchange->loop->executor, &arrival->attendance);
    if (result == KS_REFUSED)
        refuse_many(arrival);
    else if (result != KS_OK)
        arrival_refuse(arrival, KS_REFUSAL_TROUBLE);
    else
        ask_again(arrival);
}
