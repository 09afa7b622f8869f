/* sign_in.c — see sign_in.h. */
#include "client/transport/sign_in.h"

#include "base/text.h"
#include "client/failure.h"
#include "client/transport/secure_request.h"
#include "crypto/account_key.h"
#include "crypto/digest.h"
#include "crypto/secret.h"

#include <string.h>

static const char adoption_label[] = "kesher adopt 1";

/* A request, and what it is made of. */
struct draft {
    uint8_t channel[KS_CHANNEL_SIZE];
    uint8_t signed_bytes[KS_SIGNED_LIMIT];
    size_t signed_size;
    uint8_t payload[KS_SECURE_PAYLOAD_LIMIT];
    size_t payload_size;
    uint8_t answer[KS_ACCOUNT_FACTS_LIMIT];
    struct ks_sign_in sign_in;
};

static enum kesher_status fail_draft(enum ks_result result, struct kesher_error *error)
{
    return ks_failure_from_result(error, result, "cannot sign what goes to the server");
}

static enum kesher_status begin(struct draft *draft, struct ks_channel *channel,
                                const struct ks_signer *signer, struct kesher_error *error)
{
    struct ks_tls *tls = ks_channel_tls(channel);
    *draft = (struct draft){.sign_in = {.kind = KS_SIGNATURE_KIND_CHANNEL}};
    memcpy(draft->sign_in.key, signer->key, sizeof draft->sign_in.key);
    enum ks_result result = tls == NULL ? KS_CRYPTO : ks_tls_channel(tls, draft->channel);
    return result == KS_OK ? KESHER_OK : fail_draft(result, error);
}

static enum ks_result sign(struct draft *draft, const struct ks_signer *signer, uint8_t *signature)
{
    return ks_account_key_sign(signer->secret, draft->signed_bytes, draft->signed_size, signature);
}

/* ---- asking ---- */

static struct ks_secure_request request_of(struct draft *draft, const struct ks_signer *signer,
                                           enum ks_request_code code, uint16_t expected, const char *doing)
{
    return (struct ks_secure_request){.doing = doing,
                                      .shown = signer->shown,
                                      .code = code,
                                      .payload = draft->payload,
                                      .payload_size = draft->payload_size,
                                      .expected = expected,
                                      .answer = draft->answer,
                                      .capacity = sizeof draft->answer};
}

/* Asks, and reads the 4001 that is hoped for. */
static enum kesher_status ask_for_facts(struct ks_channel *channel, struct ks_secure_request *request,
                                        struct ks_account_facts *facts, struct kesher_error *error)
{
    enum kesher_status status = ks_secure_request_run(channel, request, error);
    if (status != KESHER_OK)
        return status;
    if (ks_account_facts_parse(request->answer, request->answer_size, facts) != KS_OK ||
        !facts->has_public_id || facts->name[0] == '\0')
        return ks_channel_fail_protocol(channel, error, "an answer to a sign-in that makes no sense");
    return KESHER_OK;
}

/* ---- 3001 ---- */

static enum ks_result fill_sign_in(struct draft *draft, const struct ks_signer *signer)
{
    enum ks_result result = ks_sign_in_signed(signer->key, draft->channel, draft->signed_bytes,
                                              sizeof draft->signed_bytes, &draft->signed_size);
    if (result == KS_OK)
        result = sign(draft, signer, draft->sign_in.signature);
    return result == KS_OK ? ks_sign_in_encode(&draft->sign_in, draft->payload, sizeof draft->payload,
                                               &draft->payload_size)
                           : result;
}

enum kesher_status ks_sign_in(struct ks_channel *channel, const struct ks_signer *signer,
                              struct ks_account_facts *facts, struct kesher_error *error)
{
    struct draft draft;
    enum kesher_status status = begin(&draft, channel, signer, error);
    if (status != KESHER_OK)
        return status;
    enum ks_result result = fill_sign_in(&draft, signer);
    if (result != KS_OK)
        return fail_draft(result, error);
    struct ks_secure_request request =
        request_of(&draft, signer, KS_REQUEST_SIGN_IN, KS_RESPONSE_SIGNED_IN, "sign in");
    return ask_for_facts(channel, &request, facts, error);
}

/* ---- 3002 ---- */

static enum kesher_status take_text(const char *text, size_t limit, const char *what,
                                    struct ks_wire_text *taken, struct kesher_error *error)
{
    size_t size = text == NULL ? 0 : strlen(text);
    if (size > limit)
        return ks_failure(error, KESHER_INVALID, "%s has at most %zu bytes", what, limit);
    *taken = (struct ks_wire_text){.bytes = text, .size = (uint16_t)size};
    return KESHER_OK;
}

static enum ks_result fill_registration(struct draft *draft, const struct ks_signer *signer,
                                        struct ks_register_account *registration)
{
    registration->sign_in = draft->sign_in;
    enum ks_result result = ks_register_account_signed(registration, draft->channel, draft->signed_bytes,
                                                       sizeof draft->signed_bytes, &draft->signed_size);
    if (result == KS_OK)
        result = sign(draft, signer, registration->sign_in.signature);
    return result == KS_OK ? ks_register_account_encode(registration, draft->payload, sizeof draft->payload,
                                                        &draft->payload_size)
                           : result;
}

enum kesher_status ks_sign_in_register(struct ks_channel *channel, const struct ks_signer *signer,
                                       const char *name, const char *invitation,
                                       struct ks_account_facts *facts, struct kesher_error *error)
{
    char shown[4 * KS_ACCOUNT_NAME_LIMIT + 1];
    struct draft draft;
    struct ks_register_account registration;
    enum kesher_status status =
        take_text(name, KS_ACCOUNT_NAME_LIMIT, "the name of an account", &registration.name, error);
    if (status == KESHER_OK)
        status = take_text(invitation, KS_INVITATION_TEXT_SIZE - 1, "an invitation", &registration.invitation,
                           error);
    if (status == KESHER_OK)
        status = begin(&draft, channel, signer, error);
    if (status != KESHER_OK)
        return status;
    enum ks_result result = fill_registration(&draft, signer, &registration);
    struct ks_secure_request request =
        request_of(&draft, signer, KS_REQUEST_REGISTER_ACCOUNT, KS_RESPONSE_SIGNED_IN, "register you");
    request.name = ks_text_escape(name, registration.name.size, shown, sizeof shown);
    status = result == KS_OK ? ask_for_facts(channel, &request, facts, error) : fail_draft(result, error);
    ks_secret_wipe(&draft, sizeof draft); /* the invitation */
    return status;
}

/* ---- 3003, 3004 ---- */

static enum ks_result fill_adoption(struct draft *draft, const struct ks_signer *signer,
                                    struct ks_adopt *adopt)
{
    adopt->sign_in = draft->sign_in;
    enum ks_result result = ks_adopt_signed(adopt, draft->channel, draft->signed_bytes,
                                            sizeof draft->signed_bytes, &draft->signed_size);
    if (result == KS_OK)
        result = sign(draft, signer, adopt->sign_in.signature);
    return result == KS_OK
               ? ks_adopt_encode(adopt, draft->payload, sizeof draft->payload, &draft->payload_size)
               : result;
}

/* The HMAC of a 3004 into the payload, from the challenge in the answer. The label sees to it that nothing
 * else that was ever encrypted to this key is opened here. */
static enum ks_result fill_proof(struct draft *draft, const struct kesher_identity *identity,
                                 const struct ks_adopt *adopt)
{
    uint8_t secret[KS_RSA_PLAINTEXT_LIMIT];
    size_t size = 0;
    enum ks_result result =
        ks_private_key_decrypt_labelled(identity->key, adoption_label, draft->answer, secret, &size);
    if (result == KS_OK && size != KS_ADOPTION_SECRET_SIZE)
        result = KS_INVALID;
    if (result == KS_OK)
        result = ks_adoption_proven(adopt, draft->channel, draft->signed_bytes, sizeof draft->signed_bytes,
                                    &draft->signed_size);
    if (result == KS_OK)
        result = ks_hmac_sha256(secret, size, draft->signed_bytes, draft->signed_size, draft->payload);
    draft->payload_size = KS_ADOPTION_PROOF_SIZE;
    ks_secret_wipe(secret, sizeof secret);
    return result;
}

static enum kesher_status fail_challenge(enum ks_result result, const struct ks_signer *signer,
                                         struct kesher_error *error)
{
    if (result != KS_INVALID)
        return ks_failure_from_result(error, result, "cannot read the challenge of the server");
    return ks_failure(error, KESHER_CRYPTO,
                      "what %s asks to be proven was not made for this identity's key, or is something else; "
                      "check that me.info and priv.key belong together and to this server",
                      signer->shown);
}

static enum kesher_status adopt_identity(struct ks_channel *channel, const struct ks_signer *signer,
                                         const struct kesher_identity *identity, const struct ks_adopt *adopt,
                                         struct draft *draft, struct ks_account_facts *facts,
                                         struct kesher_error *error)
{
    static const char doing[] = "take over the classic identity";
    struct ks_secure_request challenge =
        request_of(draft, signer, KS_REQUEST_ADOPT, KS_RESPONSE_ADOPTION_CHALLENGE, doing);
    challenge.capacity = KS_RSA_ENCRYPTED_SIZE;
    enum kesher_status status = ks_secure_request_run(channel, &challenge, error);
    if (status != KESHER_OK)
        return status;
    if (challenge.answer_size != KS_RSA_ENCRYPTED_SIZE)
        return ks_channel_fail_protocol(channel, error, "a challenge that is too short");
    enum ks_result result = fill_proof(draft, identity, adopt);
    if (result != KS_OK)
        return fail_challenge(result, signer, error);
    struct ks_secure_request proof =
        request_of(draft, signer, KS_REQUEST_ADOPTION_PROOF, KS_RESPONSE_SIGNED_IN, doing);
    return ask_for_facts(channel, &proof, facts, error);
}

enum kesher_status ks_sign_in_adopt(struct ks_channel *channel, const struct ks_signer *signer,
                                    const struct kesher_identity *identity, struct ks_account_facts *facts,
                                    struct kesher_error *error)
{
    struct draft draft;
    struct ks_adopt adopt = {.classic_id = identity->id,
                             .name = {.bytes = identity->name, .size = (uint16_t)strlen(identity->name)}};
    enum kesher_status status = begin(&draft, channel, signer, error);
    if (status != KESHER_OK)
        return status;
    enum ks_result result = fill_adoption(&draft, signer, &adopt);
    status = result == KS_OK ? adopt_identity(channel, signer, identity, &adopt, &draft, facts, error)
                             : fail_draft(result, error);
    ks_secret_wipe(&draft, sizeof draft); /* the classic id */
    ks_secret_wipe(&adopt, sizeof adopt);
    return status;
}

/* ---- 3008 ---- */

enum kesher_status ks_sign_in_remove(struct ks_channel *channel, const struct ks_signer *signer,
                                     struct kesher_error *error)
{
    struct draft draft;
    enum kesher_status status = begin(&draft, channel, signer, error);
    if (status != KESHER_OK)
        return status;
    enum ks_result result = ks_remove_account_signed(signer->key, draft.channel, draft.signed_bytes,
                                                     sizeof draft.signed_bytes, &draft.signed_size);
    if (result == KS_OK)
        result = sign(&draft, signer, draft.payload);
    if (result != KS_OK)
        return fail_draft(result, error);
    draft.payload_size = KS_SIGNATURE_SIZE;
    struct ks_secure_request request = request_of(&draft, signer, KS_REQUEST_REMOVE_ACCOUNT,
                                                  KS_RESPONSE_ACCOUNT_REMOVED, "remove the account");
    return ks_secure_request_run(channel, &request, error);
}
