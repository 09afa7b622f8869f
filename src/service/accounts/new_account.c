/* new_account.c — see new_account.h. What costs little is judged first, then the signature,
 * and only then what counts for the network, or is asked of the store. */
#include "service/accounts/new_account.h"

#include "base/base64url.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/secret.h"
#include "service/accounts/account_names.h"
#include "service/accounts/presence.h"
#include "service/accounts/refusals.h"
#include "service/accounts/signing.h"
#include "service/core/report.h"

#include <stdlib.h>
#include <string.h>

struct new_account {
    struct ks_signing signing;
    enum ks_refusal_reason unadmitted; /* why nobody new may register so; 0: they may */
    struct ks_store_sign_in again;     /* whether it is somebody new, where nobody may */
    struct ks_store_register_account request;
};

static struct new_account *registration_of(struct ks_signing *signing)
{
    return KS_CONTAINER_OF(signing, struct new_account, signing);
}

/* What is signed has the invitation in it. */
static void discard(struct ks_signing *signing)
{
    ks_secret_wipe(signing->bytes, sizeof signing->bytes);
    free(registration_of(signing));
}

static void refuse(struct new_account *registration, enum ks_refusal_reason reason)
{
    struct ks_exchange *exchange = registration->signing.exchange;
    discard(&registration->signing);
    ks_refuse(exchange, reason);
}

static enum ks_refusal_reason reason_of(enum ks_result result)
{
    switch (result) {
    case KS_INVALID:
        return KS_REFUSAL_KEY_TAKEN;
    case KS_REFUSED:
        return KS_REFUSAL_INVITATION;
    case KS_EXISTS:
        return KS_REFUSAL_NAME_TAKEN;
    case KS_TOO_LARGE:
        return KS_REFUSAL_FULL;
    default:
        return ks_refusal_of(result);
    }
}

/* It is durable, whether anybody hears of it or not. */
static void tell_registered(const struct ks_exchange *exchange,
                            const struct ks_store_register_account *request)
{
    char name[KS_TEXT_FIELD_SIZE];
    ks_text_escape_quoted(request->name, strlen(request->name), name, sizeof name);
    if (!request->replaced) {
        ks_report_event(exchange, "registered the account \"%s\"", name);
        return;
    }
    ks_presence_cut_others(exchange->port->accounts->presence, &request->account.id, request->account.key);
    ks_log_notice(exchange->environment->log,
                  "the account \"%s\" has another key now: an invitation for this name was used", name);
}

static void registered(struct ks_store_request *request)
{
    struct new_account *registration = KS_CONTAINER_OF(request, struct new_account, request.request);
    struct ks_exchange *exchange = registration->signing.exchange;
    struct ks_account account = registration->request.account;
    if (request->result != KS_OK) {
        refuse(registration, reason_of(request->result));
        return;
    }
    tell_registered(exchange, &registration->request);
    discard(&registration->signing);
    ks_visitor_arrive(exchange, &account);
}

static void looked_up(struct ks_store_request *request)
{
    struct new_account *registration = KS_CONTAINER_OF(request, struct new_account, again.request);
    struct ks_exchange *exchange = registration->signing.exchange;
    struct ks_account account = registration->again.account;
    if (request->result == KS_OK && strcmp(account.name, registration->request.name) == 0) {
        discard(&registration->signing);
        ks_visitor_arrive(exchange, &account);
        return;
    }
    bool is_answer = request->result == KS_OK || request->result == KS_NOT_FOUND;
    refuse(registration, is_answer ? registration->unadmitted : ks_refusal_of(request->result));
}

/* Nobody new may register; but whoever did, and never heard of it, is answered again. */
static void look_up(struct new_account *registration)
{
    struct ks_exchange *exchange = registration->signing.exchange;
    struct ks_store_sign_in *again = &registration->again;
    memcpy(again->key, registration->signing.sign_in.key, sizeof again->key);
    again->request.reply_to = &exchange->loop->executor;
    again->request.done = looked_up;
    ks_store_sign_in(exchange->environment->store, again);
}

/* The signature holds. */
static void ask_store(struct ks_signing *signing)
{
    struct new_account *registration = registration_of(signing);
    struct ks_exchange *exchange = signing->exchange;
    const struct ks_service_environment *environment = exchange->environment;
    if (registration->unadmitted != 0) {
        look_up(registration);
        return;
    }
    if (!ks_session_allows(exchange->session, environment->registrations,
                           environment->settings.registrations_per_hour)) {
        ks_report(exchange, KS_LOG_WARNING,
                  "refused: too many registrations from this address in an hour (registrations-per-hour)");
        refuse(registration, KS_REFUSAL_TOO_MANY);
        return;
    }
    memcpy(registration->request.key, signing->sign_in.key, sizeof registration->request.key);
    registration->request.request.reply_to = &exchange->loop->executor;
    registration->request.request.done = registered;
    ks_store_register_account(environment->store, &registration->request);
}

/* ---- what costs little ---- */

/* Why nobody new may register so; 0 when they may. */
static enum ks_refusal_reason judge_admission(const struct ks_exchange *exchange, bool has_invitation)
{
    switch (atomic_load(&exchange->environment->settings.registration)) {
    case KS_REGISTRATION_OPEN:
        return 0;
    case KS_REGISTRATION_INVITED:
        return has_invitation ? 0 : KS_REFUSAL_INVITATION_NEEDED;
    case KS_REGISTRATION_CLOSED:
        break;
    }
    return KS_REFUSAL_CLOSED;
}

/* Whether the name may be an account's; else the exchange is refused. */
static bool take_name(struct ks_exchange *exchange, const struct ks_wire_text *name,
                      struct ks_store_register_account *request)
{
    const struct ks_account_names *names = exchange->environment->names;
    const char *why = ks_refusal_sentence(KS_REFUSAL_NAME);
    enum ks_result result = ks_account_name_judge(names, name->bytes, name->size, &why);
    if (result == KS_OK && name->size < sizeof request->name) {
        memcpy(request->name, name->bytes, name->size);
        result = ks_account_name_skeleton(names, name->bytes, name->size, request->skeleton);
    }
    if (result == KS_OK)
        return true;
    if (result == KS_INVALID || result == KS_TOO_LARGE)
        ks_refuse_saying(exchange, KS_REFUSAL_NAME, why);
    else
        ks_refuse(exchange, ks_refusal_of(result));
    return false;
}

/* The same of the invitation, if there is one. */
static bool take_invitation(struct ks_exchange *exchange, const struct ks_wire_text *text,
                            struct ks_store_register_account *request)
{
    uint8_t code[KS_INVITATION_SIZE];
    request->has_invitation = text->size > 0;
    if (!request->has_invitation)
        return true;
    if (ks_base64url_decode(text->bytes, text->size, code, sizeof code) != KS_OK) {
        ks_refuse(exchange, KS_REFUSAL_INVITATION);
        return false;
    }
    enum ks_result result = ks_sha256(code, sizeof code, request->invitation);
    ks_secret_wipe(code, sizeof code);
    if (result == KS_OK)
        return true;
    ks_refuse(exchange, ks_refusal_of(result));
    return false;
}

void ks_new_account_register(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct ks_register_account payload;
    if (ks_register_account_parse(fixed, exchange->header.payload_size, &payload) != KS_OK) {
        ks_refuse(exchange, KS_REFUSAL_MALFORMED);
        return;
    }
    struct new_account *registration = calloc(1, sizeof *registration);
    if (registration == NULL) {
        ks_refuse(exchange, KS_REFUSAL_TROUBLE);
        return;
    }
    struct ks_signing *signing = &registration->signing;
    registration->unadmitted = judge_admission(exchange, payload.invitation.size > 0);
    signing->exchange = exchange;
    signing->sign_in = payload.sign_in;
    signing->holds = ask_store;
    signing->discard = discard;
    if (!take_name(exchange, &payload.name, &registration->request) ||
        !take_invitation(exchange, &payload.invitation, &registration->request)) {
        discard(signing);
        return;
    }
    if (!ks_signing_prepare(signing))
        return;
    ks_signing_judge(signing, ks_register_account_signed(&payload, signing->channel, signing->bytes,
                                                         sizeof signing->bytes, &signing->size));
}
