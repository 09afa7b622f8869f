/* account_adoption.c — see account_adoption.h.
 *
 * The signature is judged first, so nobody has us encrypt who has not signed for this connection. Whatever is
 * wrong with the identity is refused with one reason: nobody learns which of its parts was right.
 */
#include "service/accounts/account_adoption.h"

#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/rsa.h"
#include "crypto/secret.h"
#include "service/accounts/challenge.h"
#include "service/accounts/refusals.h"
#include "service/accounts/signing.h"
#include "service/core/report.h"

#include <stdlib.h>
#include <string.h>

#define CHALLENGE_LABEL "kesher adopt 1"

/* ---- 3003 ---- */

struct adoption {
    struct ks_signing signing;
    struct ks_client_id id;
    char name[KS_TEXT_FIELD_SIZE];
    union { /* one at a time, in this order */
        struct ks_store_look_up look_up;
        struct ks_store_public_key public_key;
    } question;
    struct ks_challenge *challenge;
    uint8_t encrypted[KS_ENCRYPTED_KEY_SIZE];
};

static struct adoption *adoption_of(struct ks_signing *signing)
{
    return KS_CONTAINER_OF(signing, struct adoption, signing);
}

static void discard(struct ks_signing *signing)
{
    struct adoption *adoption = adoption_of(signing);
    ks_challenge_free(adoption->challenge);
    free(adoption);
}

static void refuse(struct adoption *adoption, enum ks_refusal_reason reason)
{
    struct ks_exchange *exchange = adoption->signing.exchange;
    discard(&adoption->signing);
    ks_refuse(exchange, reason);
}

/* The connection went while we asked: nothing has changed. */
static bool gave_up(struct adoption *adoption)
{
    struct ks_exchange *exchange = adoption->signing.exchange;
    if (exchange->session != NULL)
        return false;
    discard(&adoption->signing);
    ks_exchange_cancel(exchange);
    return true;
}

static void encrypt_work(struct ks_offload *offload)
{
    struct adoption *adoption = KS_CONTAINER_OF(offload, struct adoption, signing.offload);
    const struct ks_service_environment *environment = adoption->signing.exchange->environment;
    struct ks_challenge *challenge = adoption->challenge;
    struct ks_public_key *key = NULL;
    enum ks_result result = ks_random_fill(environment->random, challenge->secret, sizeof challenge->secret);
    if (result == KS_OK)
        result = ks_public_key_parse(adoption->question.public_key.public_key, &key);
    if (result == KS_OK)
        result = ks_public_key_encrypt_labelled(key, CHALLENGE_LABEL, challenge->secret,
                                                sizeof challenge->secret, adoption->encrypted);
    ks_public_key_free(key);
    adoption->signing.result = result;
}

static void encrypted(struct ks_offload *offload)
{
    struct adoption *adoption = KS_CONTAINER_OF(offload, struct adoption, signing.offload);
    struct ks_exchange *exchange = adoption->signing.exchange;
    if (gave_up(adoption))
        return;
    if (adoption->signing.result != KS_OK) {
        refuse(adoption, ks_refusal_of(adoption->signing.result));
        return;
    }
    struct ks_visitor *visitor = ks_visitor_of(exchange);
    uint8_t payload[KS_ENCRYPTED_KEY_SIZE];
    memcpy(payload, adoption->encrypted, sizeof payload);
    ks_challenge_free(visitor->challenge);
    visitor->challenge = adoption->challenge;
    adoption->challenge = NULL;
    discard(&adoption->signing);
    ks_exchange_answer(exchange, KS_RESPONSE_ADOPTION_CHALLENGE, payload, sizeof payload);
}

static void key_read(struct ks_store_request *request)
{
    struct adoption *adoption = KS_CONTAINER_OF(request, struct adoption, question.public_key.request);
    if (gave_up(adoption))
        return;
    if (request->result != KS_OK) {
        bool is_none = request->result == KS_NOT_FOUND || request->result == KS_REFUSED;
        refuse(adoption, is_none ? KS_REFUSAL_NO_IDENTITY : ks_refusal_of(request->result));
        return;
    }
    adoption->signing.offload.work = encrypt_work;
    adoption->signing.offload.done = encrypted;
    ks_loop_offload(adoption->signing.exchange->loop, &adoption->signing.offload);
}

static void user_found(struct ks_store_request *request)
{
    struct adoption *adoption = KS_CONTAINER_OF(request, struct adoption, question.look_up.request);
    const struct ks_service_environment *environment = adoption->signing.exchange->environment;
    const struct ks_user *user = &adoption->question.look_up.user;
    if (gave_up(adoption))
        return;
    if (request->result != KS_OK || user->is_account || strcmp(user->name, adoption->name) != 0) {
        bool is_trouble = request->result != KS_OK && request->result != KS_NOT_FOUND;
        refuse(adoption, is_trouble ? ks_refusal_of(request->result) : KS_REFUSAL_NO_IDENTITY);
        return;
    }
    struct ks_store_public_key *question = &adoption->question.public_key;
    memset(question, 0, sizeof *question);
    question->request.reply_to = &adoption->signing.exchange->loop->executor;
    question->request.done = key_read;
    question->id = adoption->id;
    ks_store_public_key(environment->store, question);
}

/* RSA costs more than a signature, and is counted where it is for others, too. */
static bool may_encrypt(const struct ks_exchange *exchange)
{
    const struct ks_service_environment *environment = exchange->environment;
    if (ks_session_allows(exchange->session, environment->keys, environment->settings.keys_per_hour))
        return true;
    ks_report(exchange, KS_LOG_WARNING,
              "refused: too many keys from this address in an hour (keys-per-hour)");
    return false;
}

/* The signature holds. */
static void look_for_identity(struct ks_signing *signing)
{
    struct adoption *adoption = adoption_of(signing);
    struct ks_exchange *exchange = signing->exchange;
    struct ks_store_look_up *question = &adoption->question.look_up;
    if (!may_encrypt(exchange)) {
        refuse(adoption, KS_REFUSAL_TOO_MANY);
        return;
    }
    struct ks_client_id shown = adoption->id;
    if (ks_store_classic_id(exchange->environment->store, &shown, &adoption->id) != KS_OK) {
        refuse(adoption, KS_REFUSAL_NO_IDENTITY);
        return;
    }
    adoption->challenge->id = adoption->id;
    question->request.reply_to = &exchange->loop->executor;
    question->request.done = user_found;
    question->id = adoption->id;
    ks_store_look_up(exchange->environment->store, question);
}

/* NULL when out of memory. */
static struct adoption *adoption_new(struct ks_exchange *exchange, const struct ks_adopt *payload)
{
    struct adoption *adoption = calloc(1, sizeof *adoption);
    struct ks_challenge *challenge = calloc(1, sizeof *challenge);
    if (adoption == NULL || challenge == NULL) {
        free(adoption);
        free(challenge);
        return NULL;
    }
    memcpy(challenge->key, payload->sign_in.key, sizeof challenge->key);
    memcpy(adoption->name, payload->name.bytes, payload->name.size);
    adoption->id = payload->classic_id;
    adoption->challenge = challenge;
    adoption->signing.exchange = exchange;
    adoption->signing.sign_in = payload->sign_in;
    adoption->signing.holds = look_for_identity;
    adoption->signing.discard = discard;
    return adoption;
}

static bool is_sound(const struct ks_wire_text *name)
{
    return name->size > 0 && name->size < KS_TEXT_FIELD_SIZE && memchr(name->bytes, 0, name->size) == NULL;
}

void ks_account_adopt(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct ks_adopt payload;
    if (ks_adopt_parse(fixed, exchange->header.payload_size, &payload) != KS_OK || !is_sound(&payload.name)) {
        ks_refuse(exchange, KS_REFUSAL_MALFORMED);
        return;
    }
    struct adoption *adoption = adoption_new(exchange, &payload);
    if (adoption == NULL) {
        ks_refuse(exchange, KS_REFUSAL_TROUBLE);
        return;
    }
    struct ks_signing *signing = &adoption->signing;
    struct ks_challenge *challenge = adoption->challenge;
    if (!ks_signing_prepare(signing))
        return;
    enum ks_result result =
        ks_adopt_signed(&payload, signing->channel, signing->bytes, sizeof signing->bytes, &signing->size);
    if (result == KS_OK)
        result = ks_adoption_proven(&payload, signing->channel, challenge->proven, sizeof challenge->proven,
                                    &challenge->size);
    ks_signing_judge(signing, result);
}

/* ---- 3004 ---- */

struct proof_of_adoption {
    struct ks_exchange *exchange;
    struct ks_store_adopt request;
};

static enum ks_refusal_reason reason_of(enum ks_result result)
{
    if (result == KS_NOT_FOUND)
        return KS_REFUSAL_NO_IDENTITY;
    return result == KS_EXISTS ? KS_REFUSAL_KEY_TAKEN : ks_refusal_of(result);
}

static void adopted(struct ks_store_request *request)
{
    struct proof_of_adoption *proof = KS_CONTAINER_OF(request, struct proof_of_adoption, request.request);
    struct ks_exchange *exchange = proof->exchange;
    struct ks_account account = proof->request.account;
    enum ks_result result = request->result;
    free(proof);
    if (result != KS_OK) {
        ks_refuse(exchange, reason_of(result));
        return;
    }
    char name[KS_TEXT_FIELD_SIZE];
    ks_text_escape_quoted(account.name, strlen(account.name), name, sizeof name);
    ks_report_event(exchange, "\"%s\" is an account now", name);
    ks_visitor_arrive(exchange, &account);
}

static void ask_for_adoption(struct ks_exchange *exchange, const struct ks_challenge *challenge)
{
    struct proof_of_adoption *proof = calloc(1, sizeof *proof);
    if (proof == NULL) {
        ks_refuse(exchange, KS_REFUSAL_TROUBLE);
        return;
    }
    proof->exchange = exchange;
    proof->request.id = challenge->id;
    memcpy(proof->request.key, challenge->key, sizeof proof->request.key);
    proof->request.request.reply_to = &exchange->loop->executor;
    proof->request.request.done = adopted;
    ks_store_adopt(exchange->environment->store, &proof->request);
}

/* KS_OK; KS_REFUSED when it does not hold, also where nothing was asked; KS_CRYPTO. */
static enum ks_result judge_proof(const struct ks_challenge *challenge, const uint8_t *proof)
{
    uint8_t expected[KS_ADOPTION_PROOF_SIZE];
    _Static_assert((int)KS_ADOPTION_PROOF_SIZE == (int)KS_SHA256_SIZE, "it is an HMAC-SHA-256");
    if (challenge == NULL)
        return KS_REFUSED;
    enum ks_result result = ks_hmac_sha256(challenge->secret, sizeof challenge->secret, challenge->proven,
                                           challenge->size, expected);
    bool holds = result == KS_OK && ks_secret_equal(expected, proof, sizeof expected);
    ks_secret_wipe(expected, sizeof expected);
    if (result != KS_OK)
        return result;
    return holds ? KS_OK : KS_REFUSED;
}

/* A challenge is answered once. */
void ks_account_adoption_proof(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct ks_visitor *visitor = ks_visitor_of(exchange);
    struct ks_challenge *challenge = visitor->challenge;
    visitor->challenge = NULL;
    enum ks_result result = judge_proof(challenge, fixed);
    if (result == KS_OK) {
        ask_for_adoption(exchange, challenge);
    } else {
        if (result == KS_REFUSED)
            ks_signing_count_failure(exchange);
        ks_refuse(exchange, result == KS_REFUSED ? KS_REFUSAL_PROOF : ks_refusal_of(result));
    }
    ks_challenge_free(challenge);
}
