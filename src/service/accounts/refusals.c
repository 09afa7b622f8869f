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
    [KS_REFUSAL_NO_FILE] = "You keep no file of this name here.",
    [KS_REFUSAL_FILE_EXISTS] = "There is a file of this name: replace it, or choose another name.",
    [KS_REFUSAL_PUT_IN_USE] = "This put is under way on another connection: try again later.",
    [KS_REFUSAL_CKSUM] = "What has come is not what was sent: put the file anew.",
    [KS_REFUSAL_FILE_NAME] = "No file may have this name: choose another one.",
    [KS_REFUSAL_NO_PUT] = "No put is open on this connection, or it is not at this place: open it again.",
    [KS_REFUSAL_DAMAGED] = "This file is damaged on the server's disk: ask the server's operator.",
    [KS_REFUSAL_QUOTA] = "You may keep no more here: remove something.",
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

/* Makes the payload, of KS_REFUSAL_LIMIT bytes at most, and says so in the log. Returns its size. */
static size_t make_refusal(const struct ks_exchange *exchange, enum ks_refusal_reason reason,
                           const char *sentence, uint8_t payload[static KS_REFUSAL_LIMIT])
{
    const struct ks_refusal refusal = {
        .reason = (uint16_t)reason,
        .sentence = {.bytes = sentence,
                     .size = (uint16_t)strnlen(sentence, KS_REFUSAL_LIMIT - 2 * sizeof(uint16_t))}};
    size_t size = 0;
    if (ks_refusal_encode(&refusal, payload, KS_REFUSAL_LIMIT, &size) != KS_OK)
        size = 0;
    ks_report(exchange, KS_LOG_INFO, "%s: refused (reason %u): %s", exchange->rule->name, (unsigned)reason,
              sentence);
    return size;
}

static void refuse(struct ks_exchange *exchange, enum ks_refusal_reason reason, const char *sentence,
                   bool is_last)
{
    uint8_t payload[KS_REFUSAL_LIMIT];
    size_t size = make_refusal(exchange, reason, sentence, payload);
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

size_t ks_refusal_frame(const struct ks_exchange *exchange, enum ks_refusal_reason reason,
                        uint8_t bytes[static KS_REFUSAL_FRAME_LIMIT])
{
    size_t size =
        make_refusal(exchange, reason, ks_refusal_sentence(reason), bytes + KS_RESPONSE_HEADER_SIZE);
    const struct ks_response_header header = {
        .version = exchange->rule->version, .code = KS_RESPONSE_REFUSED, .payload_size = (uint32_t)size};
    ks_response_header_encode(&header, bytes);
    return KS_RESPONSE_HEADER_SIZE + size;
}
