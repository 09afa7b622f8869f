/* refusals.c — see refusals.h. */
#include "service/accounts/refusals.h"

#include "service/core/report.h"

#include <string.h>

/* What people read; longer than KS_REFUSAL_LIMIT less its four bytes is none. */
static const char *const sentences[] = {
    [KS_REFUSAL_MALFORMED] = "This request makes no sense to the server; is the client newer than it?",
    [KS_REFUSAL_SIGN_IN_FIRST] = "Sign in or register first.",
    [KS_REFUSAL_UNKNOWN_ACCOUNT] =
        "No account here has this key: register, or ask the server's operator what became of it.",
    [KS_REFUSAL_SIGNATURE] =
        "The signature does not hold: another key has made it, or it is for another connection.",
    [KS_REFUSAL_SIGNED_IN] = "This connection has signed in already.",
    [KS_REFUSAL_SIGNATURES] = "Too many signatures on one connection: connect again.",
    [KS_REFUSAL_NAME] = "An account may not have this name: choose another one.",
    [KS_REFUSAL_NAME_TAKEN] = "This name is taken, or too like one that is: choose another one.",
    [KS_REFUSAL_KEY_TAKEN] = "This key is that of an account with another name: sign in with it.",
    [KS_REFUSAL_CLOSED] = "This server takes no new users.",
    [KS_REFUSAL_INVITATION_NEEDED] = "This server takes new users by invitation: ask its operator for one.",
    [KS_REFUSAL_INVITATION] =
        "This invitation is unknown, used up or over, or for another name: ask for another one.",
    [KS_REFUSAL_TOO_MANY] = "Too many from your network, or of this account: try again later.",
    [KS_REFUSAL_FULL] = "This server has as many users as it takes: try again later, or ask its operator.",
    [KS_REFUSAL_NO_IDENTITY] =
        "There is no such identity here, or it has no public key, or it is an account already.",
    [KS_REFUSAL_PROOF] = "The proof does not hold: it was made with another key, or for another connection.",
    [KS_REFUSAL_TROUBLE] = "The server has trouble of its own: try again later.",
    [KS_REFUSAL_CARRIER] = "This kind of signature does not go over this connection.",
    [KS_REFUSAL_UNKNOWN_REQUEST] = "The server knows no such request; is the client newer than it?",
    [KS_REFUSAL_NO_SPACE] = "The server's disk has no room for this: try again later.",
};

enum { REASONS = sizeof sentences / sizeof sentences[0] };

const char *ks_refusal_sentence(enum ks_refusal_reason reason)
{
    bool is_known = (unsigned)reason < REASONS && sentences[reason] != NULL;
    return sentences[is_known ? reason : KS_REFUSAL_TROUBLE];
}

enum ks_refusal_reason ks_refusal_of(enum ks_result result)
{
    return result == KS_NO_SPACE ? KS_REFUSAL_NO_SPACE : KS_REFUSAL_TROUBLE;
}

static void refuse(struct ks_exchange *exchange, enum ks_refusal_reason reason, const char *sentence,
                   bool is_last)
{
    const struct ks_refusal refusal = {
        .reason = (uint16_t)reason,
        .sentence = {.bytes = sentence,
                     .size = (uint16_t)strnlen(sentence, KS_REFUSAL_LIMIT - 2 * sizeof(uint16_t))}};
    uint8_t payload[KS_REFUSAL_LIMIT];
    size_t size = 0;
    if (ks_refusal_encode(&refusal, payload, sizeof payload, &size) != KS_OK)
        size = 0;
    ks_report(exchange, KS_LOG_INFO, "%s: refused (reason %u): %s", exchange->rule->name, (unsigned)reason,
              sentence);
    if (is_last)
        ks_exchange_answer_last(exchange, KS_RESPONSE_REFUSED, payload, size);
    else
        ks_exchange_answer(exchange, KS_RESPONSE_REFUSED, payload, size);
}

void ks_refuse(struct ks_exchange *exchange, enum ks_refusal_reason reason)
{
    refuse(exchange, reason, ks_refusal_sentence(reason), false);
}

void ks_refuse_saying(struct ks_exchange *exchange, enum ks_refusal_reason reason, const char *sentence)
{
    refuse(exchange, reason, sentence, false);
}

void ks_refuse_and_end(struct ks_exchange *exchange, enum ks_refusal_reason reason)
{
    refuse(exchange, reason, ks_refusal_sentence(reason), true);
}
