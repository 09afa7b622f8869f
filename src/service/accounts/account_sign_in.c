/* account_sign_in.c — see account_sign_in.h. */
#include "service/accounts/account_sign_in.h"

#include "service/accounts/refusals.h"
#include "service/accounts/signing.h"

#include <stdlib.h>
#include <string.h>

/* Nothing is signed with it yet: kind 2 goes over no carrier that there is. */
void ks_account_nonce(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct ks_visitor *visitor = ks_visitor_of(exchange);
    uint8_t nonce[KS_NONCE_SIZE];
    (void)fixed;
    if (visitor->has_nonce) {
        ks_refuse_saying(exchange, KS_REFUSAL_MALFORMED, "This connection has had its nonce.");
        return;
    }
    enum ks_result result = ks_random_fill(exchange->environment->random, nonce, sizeof nonce);
    if (result != KS_OK) {
        ks_refuse(exchange, ks_refusal_of(result));
        return;
    }
    visitor->has_nonce = true;
    ks_exchange_answer(exchange, KS_RESPONSE_NONCE, nonce, sizeof nonce);
}

struct signing_in {
    struct ks_signing signing;
    struct ks_store_sign_in question;
};

static struct signing_in *signing_in_of(struct ks_signing *signing)
{
    return KS_CONTAINER_OF(signing, struct signing_in, signing);
}

static void discard(struct ks_signing *signing)
{
    free(signing_in_of(signing));
}

static void account_found(struct ks_store_request *request)
{
    struct signing_in *signing_in = KS_CONTAINER_OF(request, struct signing_in, question.request);
    struct ks_exchange *exchange = signing_in->signing.exchange;
    struct ks_account account = signing_in->question.account;
    enum ks_result result = request->result;
    discard(&signing_in->signing);
    if (result == KS_OK) {
        ks_visitor_arrive(exchange, &account);
        return;
    }
    if (result == KS_NOT_FOUND) /* a key costs a stranger nothing */
        ks_signing_count_failure(exchange);
    ks_refuse(exchange, result == KS_NOT_FOUND ? KS_REFUSAL_UNKNOWN_ACCOUNT : ks_refusal_of(result));
}

static void look_for_account(struct ks_signing *signing)
{
    struct signing_in *signing_in = signing_in_of(signing);
    signing_in->question.request.reply_to = &signing->exchange->loop->executor;
    signing_in->question.request.done = account_found;
    memcpy(signing_in->question.key, signing->sign_in.key, sizeof signing_in->question.key);
    ks_store_sign_in(signing->exchange->environment->store, &signing_in->question);
}

void ks_account_sign_in(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct signing_in *signing_in = calloc(1, sizeof *signing_in);
    if (signing_in == NULL) {
        ks_refuse(exchange, KS_REFUSAL_TROUBLE);
        return;
    }
    struct ks_signing *signing = &signing_in->signing;
    signing->exchange = exchange;
    signing->holds = look_for_account;
    signing->discard = discard;
    if (ks_sign_in_parse(fixed, exchange->header.payload_size, &signing->sign_in) != KS_OK) {
        discard(signing);
        ks_refuse(exchange, KS_REFUSAL_MALFORMED);
        return;
    }
    if (!ks_signing_prepare(signing))
        return;
    ks_signing_judge(signing, ks_sign_in_signed(signing->sign_in.key, signing->channel, signing->bytes,
                                                sizeof signing->bytes, &signing->size));
}
