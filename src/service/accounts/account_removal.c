/* account_removal.c — see account_removal.h. A fresh signature, so that nobody's account goes because a
 * connection of theirs was left open. */
#include "service/accounts/account_removal.h"

#include "base/text.h"
#include "service/accounts/presence.h"
#include "service/accounts/refusals.h"
#include "service/accounts/signing.h"
#include "service/core/report.h"
#include "service/drop/places.h"

#include <stdlib.h>
#include <string.h>

struct account_removal {
    struct ks_signing signing;
    struct ks_account account;
    struct ks_store_remove_user question;
};

static struct account_removal *removal_of(struct ks_signing *signing)
{
    return KS_CONTAINER_OF(signing, struct account_removal, signing);
}

static void discard(struct ks_signing *signing)
{
    free(removal_of(signing));
}

static void refuse(struct account_removal *removal, enum ks_result why)
{
    struct ks_exchange *exchange = removal->signing.exchange;
    discard(&removal->signing);
    ks_refuse(exchange, why == KS_NOT_FOUND ? KS_REFUSAL_UNKNOWN_ACCOUNT : ks_refusal_of(why));
}

/* All that the account has here ends, whether anybody hears of it or not. */
static void end_account(struct ks_exchange *exchange, const struct ks_account *account)
{
    const struct ks_service_environment *environment = exchange->environment;
    const struct ks_visitor *visitor = ks_visitor_of(exchange);
    char name[KS_TEXT_FIELD_SIZE];
    if (environment->staged != NULL)
        ks_places_forget_user(environment->staged, environment->store, &account->id);
    ks_presence_cut(exchange->port->accounts->presence, &account->id,
                    visitor != NULL ? visitor->attendance : NULL);
    ks_text_escape_quoted(account->name, strlen(account->name), name, sizeof name);
    ks_report_event(exchange, "the account \"%s\" is removed, as its user wants", name);
}

static void removed(struct ks_store_request *request)
{
    struct account_removal *removal = KS_CONTAINER_OF(request, struct account_removal, question.request);
    struct ks_exchange *exchange = removal->signing.exchange;
    if (request->result != KS_OK) {
        refuse(removal, request->result);
        return;
    }
    end_account(exchange, &removal->account);
    discard(&removal->signing);
    ks_exchange_answer_last(exchange, KS_RESPONSE_ACCOUNT_REMOVED, NULL, 0);
}

/* The signature holds. The name may have got another key since this connection signed in: then nobody goes.
 */
static void ask_store(struct ks_signing *signing)
{
    struct account_removal *removal = removal_of(signing);
    struct ks_store_remove_user *question = &removal->question;
    question->request.reply_to = &signing->exchange->loop->executor;
    question->request.done = removed;
    memcpy(question->name, removal->account.name, sizeof question->name);
    question->only_with_key = true;
    memcpy(question->account_key, removal->account.key, sizeof question->account_key);
    ks_store_remove_user(signing->exchange->environment->store, question);
}

void ks_account_remove(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct account_removal *removal = calloc(1, sizeof *removal);
    if (removal == NULL) {
        ks_refuse(exchange, KS_REFUSAL_TROUBLE);
        return;
    }
    struct ks_signing *signing = &removal->signing;
    ks_visitor_account(ks_visitor_of(exchange), &removal->account);
    signing->exchange = exchange;
    signing->sign_in.kind = KS_SIGNATURE_KIND_CHANNEL;
    memcpy(signing->sign_in.key, removal->account.key, sizeof signing->sign_in.key);
    memcpy(signing->sign_in.signature, fixed, sizeof signing->sign_in.signature);
    signing->holds = ask_store;
    signing->discard = discard;
    if (!ks_signing_prepare(signing))
        return;
    ks_signing_judge(signing, ks_remove_account_signed(removal->account.key, signing->channel, signing->bytes,
                                                       sizeof signing->bytes, &signing->size));
}
