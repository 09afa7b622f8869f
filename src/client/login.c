/* login.c — see login.h. */
#include "client/login.h"

#include "client/failure.h"
#include "crypto/secret.h"

#include <string.h>

static bool is_registered(const struct ks_answer *answer)
{
    return answer->code == KS_RESPONSE_REGISTERED && answer->payload_size == KS_CLIENT_ID_ANSWER_SIZE;
}

/* A server that knows only messages says 9000 to what it does not know. */
static bool is_registered_or_unknown(const struct ks_answer *answer)
{
    return is_registered(answer) || answer->code == KS_RESPONSE_ERROR;
}

static bool is_key(const struct ks_answer *answer)
{
    return answer->code == KS_RESPONSE_KEY_ACCEPTED && answer->payload_size == KS_KEY_ANSWER_SIZE;
}

static bool is_reconnected_or_denied(const struct ks_answer *answer)
{
    return (answer->code == KS_RESPONSE_RECONNECTED && answer->payload_size == KS_KEY_ANSWER_SIZE) ||
           answer->code == KS_RESPONSE_RECONNECT_DENIED;
}

static enum kesher_status fill_name(const struct ks_session *session,
                                    uint8_t payload[static KS_NAME_PAYLOAD_SIZE], struct kesher_error *error)
{
    enum ks_result result =
        ks_name_payload_encode(session->identity->name, strlen(session->identity->name), payload);
    return result == KS_OK ? KESHER_OK : ks_failure_from_result(error, result, "the user name does not fit");
}

static enum kesher_status fill_name_and_key(const struct ks_session *session,
                                            uint8_t payload[static KS_NAME_AND_KEY_PAYLOAD_SIZE],
                                            struct kesher_error *error)
{
    enum kesher_status status = fill_name(session, payload, error);
    if (status != KESHER_OK)
        return status;
    return ks_identity_public_key(session->identity, payload + KS_NAME_PAYLOAD_SIZE, error);
}

/* The content key out of a 2102 or 2105. */
static enum kesher_status take_key(struct ks_session *session, const struct ks_answer *answer,
                                   struct kesher_error *error)
{
    struct ks_key_answer parsed;
    uint8_t plaintext[KS_RSA_PLAINTEXT_LIMIT];
    size_t size = 0;
    bool taken =
        ks_key_answer_parse(answer->payload, answer->payload_size, &parsed) == KS_OK &&
        ks_private_key_decrypt(session->identity->key, parsed.encrypted_key, plaintext, &size) == KS_OK &&
        size == KS_CONTENT_KEY_SIZE;
    if (taken)
        memcpy(session->key, plaintext, KS_CONTENT_KEY_SIZE);
    session->has_key = taken;
    ks_secret_wipe(plaintext, sizeof plaintext);
    if (taken)
        return KESHER_OK;
    return ks_failure(
        error, KESHER_CRYPTO,
        "the key that %s sent was not made for this identity's key pair; check that me.info and "
        "priv.key belong together",
        session->shown);
}

/* The id out of a 2100, into the identity and onto the disk. */
static enum kesher_status take_id(struct ks_session *session, const struct ks_answer *answer,
                                  struct kesher_error *error)
{
    enum ks_result result =
        ks_client_id_answer_parse(answer->payload, answer->payload_size, &session->identity->id);
    if (result != KS_OK)
        return ks_channel_fail_protocol(session->channel, error, "a registration without an id");
    return ks_identity_save(session->home, session->identity, error);
}

/* 1026 for an identity that was registered a moment ago. */
static enum kesher_status send_public_key(struct ks_session *session, struct kesher_error *error)
{
    uint8_t payload[KS_NAME_AND_KEY_PAYLOAD_SIZE];
    const struct ks_question question = {.code = KS_REQUEST_PUBLIC_KEY,
                                         .payload = payload,
                                         .payload_size = sizeof payload,
                                         .accepts = is_key,
                                         .doing = "send the public key"};
    struct ks_answer answer;
    enum kesher_status status = fill_name_and_key(session, payload, error);
    if (status == KESHER_OK)
        status = ks_session_ask(session, &question, &answer, error);
    return status == KESHER_OK ? take_key(session, &answer, error) : status;
}

static enum kesher_status ask_for_name(struct ks_session *session, const char *doing,
                                       bool (*accepts)(const struct ks_answer *answer),
                                       struct ks_answer *answer, struct kesher_error *error)
{
    uint8_t payload[KS_NAME_PAYLOAD_SIZE];
    const struct ks_question question = {.code = KS_REQUEST_REGISTER_DROP,
                                         .payload = payload,
                                         .payload_size = sizeof payload,
                                         .accepts = accepts,
                                         .doing = doing};
    enum kesher_status status = fill_name(session, payload, error);
    return status == KESHER_OK ? ks_session_ask(session, &question, answer, error) : status;
}

enum kesher_status ks_login_register_messages(struct ks_session *session, struct kesher_error *error)
{
    uint8_t payload[KS_NAME_AND_KEY_PAYLOAD_SIZE];
    const struct ks_question question = {.code = KS_REQUEST_REGISTER_MESSAGES,
                                         .payload = payload,
                                         .payload_size = sizeof payload,
                                         .accepts = is_registered,
                                         .doing = "register the name"};
    struct ks_answer answer;
    enum kesher_status status = ks_session_connect(session, error);
    if (status == KESHER_OK)
        status = fill_name_and_key(session, payload, error);
    if (status == KESHER_OK)
        status = ks_session_ask(session, &question, &answer, error);
    return status == KESHER_OK ? take_id(session, &answer, error) : status;
}

enum kesher_status ks_login_register(struct ks_session *session, struct kesher_error *error)
{
    struct ks_answer answer;
    enum kesher_status status = ks_session_connect(session, error);
    if (status != KESHER_OK)
        return status;
    status = ask_for_name(session, "register the name", is_registered_or_unknown, &answer, error);
    if (status == KESHER_CONNECTION || (status == KESHER_OK && answer.code == KS_RESPONSE_ERROR))
        return ks_login_register_messages(session, error);
    if (status == KESHER_OK)
        status = take_id(session, &answer, error);
    if (status != KESHER_OK)
        return status;
    status = send_public_key(session, error);
    return ks_session_was_lost(status) ? ks_login_ensure(session, error) : status;
}

/* The server does not know the id: a new one for the same name and key pair. */
static enum kesher_status register_anew(struct ks_session *session, struct kesher_error *error)
{
    struct ks_answer answer;
    enum kesher_status status =
        ask_for_name(session, "register anew, since the server does not know this identity", is_registered,
                     &answer, error);
    if (status == KESHER_OK)
        status = ks_identity_keep_old(session->home, error);
    if (status == KESHER_OK)
        status = take_id(session, &answer, error);
    if (status != KESHER_OK)
        return status;
    session->key_refused = false;
    ks_session_notice(session, "the server did not know this identity; registered anew under the same name");
    return send_public_key(session, error);
}

/* After a 2106: a crash between 1025 and 1026 leaves a name without a key, and then the own key is welcome.
 */
static enum kesher_status offer_public_key(struct ks_session *session, struct kesher_error *error)
{
    uint8_t payload[KS_NAME_AND_KEY_PAYLOAD_SIZE];
    const struct ks_question question = {
        .code = KS_REQUEST_PUBLIC_KEY, .payload = payload, .payload_size = sizeof payload};
    struct ks_answer answer;
    enum kesher_status status = fill_name_and_key(session, payload, error);
    if (status == KESHER_OK)
        status = ks_session_ask_once(session, &question, &answer, error);
    if (status != KESHER_OK)
        return status;
    if (is_key(&answer))
        return take_key(session, &answer, error);
    session->key_refused = true;
    return register_anew(session, error);
}

static enum kesher_status log_in(struct ks_session *session, struct kesher_error *error)
{
    uint8_t payload[KS_NAME_PAYLOAD_SIZE];
    const struct ks_question question = {.code = KS_REQUEST_RECONNECT,
                                         .payload = payload,
                                         .payload_size = sizeof payload,
                                         .accepts = is_reconnected_or_denied,
                                         .doing = "reconnect as this user"};
    struct ks_answer answer;
    if (session->key_refused)
        return register_anew(session, error);
    enum kesher_status status = fill_name(session, payload, error);
    if (status == KESHER_OK)
        status = ks_session_ask(session, &question, &answer, error);
    if (status != KESHER_OK)
        return status;
    if (answer.code == KS_RESPONSE_RECONNECTED)
        return take_key(session, &answer, error);
    return offer_public_key(session, error);
}

enum kesher_status ks_login_ensure(struct ks_session *session, struct kesher_error *error)
{
    unsigned losses = 0;
    struct kesher_error local = {.status = KESHER_OK};
    struct kesher_error *why = error != NULL ? error : &local;
    for (;;) {
        enum kesher_status status = ks_session_connect(session, why);
        if (status == KESHER_OK && session->has_key)
            return KESHER_OK;
        if (status == KESHER_OK)
            status = log_in(session, why);
        if (!ks_session_was_lost(status) || !session->ever_connected)
            return status;
        if (!ks_session_back_off(session, &losses, why))
            return status;
    }
}
