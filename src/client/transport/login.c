/* login.c — see login.h. */
#include "client/transport/login.h"

#include "base/text.h"
#include "client/failure.h"
#include "client/transport/request.h"
#include "crypto/secret.h"
#include "wire/messages_codec.h"

#include <string.h>

enum { SHOWN_NAME_SIZE = 300 };

static const char *shown_name(const struct ks_client_session *session, char shown[SHOWN_NAME_SIZE])
{
    const char *name = session->identity->name;
    return ks_text_escape(name, strlen(name), shown, SHOWN_NAME_SIZE);
}

/* ---- payloads ---- */

static enum kesher_status fill_name(const struct ks_client_session *session,
                                    uint8_t payload[static KS_NAME_PAYLOAD_SIZE], struct kesher_error *error)
{
    enum ks_result result =
        ks_name_payload_encode(session->identity->name, strlen(session->identity->name), payload);
    return result == KS_OK ? KESHER_OK : ks_failure_from_result(error, result, "the user name does not fit");
}

/* Asks with the payload that 600 and 1025 to 1027 have: the name, and in two of them the public key. */
static enum kesher_status ask(struct ks_client_session *session, const struct ks_small_request *how,
                              struct ks_answer *answer, struct kesher_error *error)
{
    uint8_t payload[KS_NAME_AND_KEY_PAYLOAD_SIZE];
    struct ks_small_request request = *how;
    bool has_key = how->code == KS_REQUEST_REGISTER_MESSAGES || how->code == KS_REQUEST_PUBLIC_KEY;
    request.payload = payload;
    request.payload_size = has_key ? KS_NAME_AND_KEY_PAYLOAD_SIZE : KS_NAME_PAYLOAD_SIZE;
    enum kesher_status status = fill_name(session, payload, error);
    if (status == KESHER_OK && has_key)
        status = ks_identity_public_key(session->identity, payload + KS_NAME_PAYLOAD_SIZE, error);
    return status == KESHER_OK ? ks_request_ask(session, &request, answer, error) : status;
}

/* The content key out of a 2102 or 2105. */
static enum kesher_status take_key(struct ks_client_session *session, const struct ks_answer *answer,
                                   struct kesher_error *error)
{
    struct ks_key_answer parsed;
    uint8_t plaintext[KS_RSA_PLAINTEXT_LIMIT];
    size_t size = 0;
    enum ks_result result = ks_key_answer_parse(answer->payload, answer->payload_size, &parsed);
    if (result == KS_OK)
        result = ks_private_key_decrypt(session->identity->key, parsed.encrypted_key, plaintext, &size);
    bool taken = result == KS_OK && size == KS_CONTENT_KEY_SIZE;
    if (taken)
        memcpy(session->key, plaintext, KS_CONTENT_KEY_SIZE);
    session->has_key = taken;
    session->key_moved = false;
    session->contents = 0;
    session->unknown = false;
    ks_secret_wipe(plaintext, sizeof plaintext);
    if (taken) {
        ks_client_session_is_known(session);
        return KESHER_OK;
    }
    if (result == KS_CRYPTO || result == KS_NO_MEMORY)
        return ks_failure_from_result(error, result, "cannot decrypt the key that the server sent");
    return ks_failure(
        error, KESHER_CRYPTO,
        "the key that %s sent was not made for this identity's key pair; check that me.info and "
        "priv.key belong together",
        session->shown);
}

/* The id out of a 2100, into the identity and onto the disk. */
static enum kesher_status take_id(struct ks_client_session *session, const struct ks_answer *answer,
                                  struct kesher_error *error)
{
    enum ks_result result =
        ks_client_id_answer_parse(answer->payload, answer->payload_size, &session->identity->id);
    if (result != KS_OK)
        return ks_channel_fail_protocol(session->channel, error, "a registration without an id");
    enum kesher_status status = session->replaces ? ks_identity_keep_old(session->home, error) : KESHER_OK;
    if (status == KESHER_OK)
        status = ks_home_server_record(session->home, session->address, error);
    if (status != KESHER_OK)
        return status;
    session->server = (struct ks_home_server){.is_own = true};
    session->replaces = false;
    return ks_identity_save(session->home, session->identity, error);
}

/* ---- 1026 ---- */

static enum kesher_status refused_key(const struct ks_client_session *session, uint16_t answer_code,
                                      struct kesher_error *error)
{
    char shown[SHOWN_NAME_SIZE];
    (void)answer_code;
    return ks_failure(error, KESHER_REFUSED,
                      "%s does not take the public key of '%s' now; try again later, or ask its operator",
                      session->shown, shown_name(session, shown));
}

static enum kesher_status send_public_key(struct ks_client_session *session, enum ks_request_repeat repeat,
                                          struct kesher_error *error)
{
    const struct ks_small_request request = {.repeat = repeat,
                                             .after_errors = repeat == KS_REQUEST_UNTIL_ANSWERED,
                                             .code = KS_REQUEST_PUBLIC_KEY,
                                             .doing = "send the public key",
                                             .expected = KS_RESPONSE_KEY_ACCEPTED,
                                             .expected_size = KS_KEY_ANSWER_SIZE,
                                             .refused = refused_key};
    struct ks_answer answer;
    enum kesher_status status = ask(session, &request, &answer, error);
    return status == KESHER_OK ? take_key(session, &answer, error) : status;
}

/* ---- 1025 and 600 ---- */

static enum kesher_status refused_name(const struct ks_client_session *session, uint16_t answer_code,
                                       struct kesher_error *error)
{
    char shown[SHOWN_NAME_SIZE];
    shown_name(session, shown);
    if (answer_code == KS_RESPONSE_REGISTRATION_FAILED)
        return ks_failure(error, KESHER_REFUSED,
                          "the name '%s' is taken at %s, or not allowed there; choose another", shown,
                          session->shown);
    if (answer_code == KS_RESPONSE_ERROR)
        return ks_failure(error, KESHER_REFUSED,
                          "%s did not register '%s': the name is taken there, choose another; or it takes "
                          "nobody now, try again later",
                          session->shown, shown);
    return ks_failure(error, KESHER_REFUSED,
                      "%s does not register '%s' now; try again later, or ask its operator", session->shown,
                      shown);
}

/* The name is taken, most likely by this home itself under an id or a key that is lost. */
static enum kesher_status refused_again(const struct ks_client_session *session, uint16_t answer_code,
                                        struct kesher_error *error)
{
    char shown[SHOWN_NAME_SIZE];
    if (answer_code != KS_RESPONSE_REGISTRATION_FAILED)
        return refused_name(session, answer_code, error);
    shown_name(session, shown);
    if (session->is_doubtful)
        return ks_failure(
            error, KESHER_REFUSED,
            "%s lets '%s' in neither with the id of this home nor anew; it may have too much to do: "
            "try again later, and if that does not help ask its operator, or choose another name: "
            "kesher register NAME --home DIR",
            session->shown, shown);
    return ks_failure(
        error, KESHER_REFUSED,
        "%s does not know the id of this home, and the name '%s' is taken there; if it is yours, "
        "its operator can free it (kesherd user remove, which deletes what it has there), else "
        "choose another: kesher register NAME --home DIR",
        session->shown, shown);
}

static enum kesher_status ask_for_name(struct ks_client_session *session, const struct ks_small_request *how,
                                       struct ks_answer *answer, struct kesher_error *error)
{
    struct ks_small_request request = *how;
    request.repeat = KS_REQUEST_ONCE; /* a second one would find the name taken by the first */
    request.after_errors = true;
    request.code = KS_REQUEST_REGISTER_DROP;
    request.expected = KS_RESPONSE_REGISTERED;
    request.expected_size = KS_CLIENT_ID_ANSWER_SIZE;
    enum kesher_status status = ks_identity_try_room(session->home, error);
    return status == KESHER_OK ? ask(session, &request, answer, error) : status;
}

enum kesher_status ks_login_register_messages(struct ks_client_session *session, struct kesher_error *error)
{
    const struct ks_small_request request = {.repeat = KS_REQUEST_ONCE,
                                             .code = KS_REQUEST_REGISTER_MESSAGES,
                                             .doing = "register the name",
                                             .expected = KS_RESPONSE_REGISTERED,
                                             .expected_size = KS_CLIENT_ID_ANSWER_SIZE,
                                             .refused = refused_name};
    struct ks_answer answer;
    enum kesher_status status = ks_identity_try_room(session->home, error);
    if (status == KESHER_OK)
        status = ask(session, &request, &answer, error);
    return status == KESHER_OK ? take_id(session, &answer, error) : status;
}

enum kesher_status ks_login_prepare(struct ks_client_session *session, struct kesher_home *home,
                                    const char *name, struct kesher_error *error)
{
    if (kesher_identity_exists(home))
        return ks_failure(error, KESHER_EXISTS,
                          "this home already holds an identity (me.info or my.info); use another home for "
                          "another user, or --again where its server does not know it any more");
    enum kesher_status status = ks_identity_check_name(name, error);
    if (status == KESHER_OK)
        status = ks_client_session_connect(session, error);
    if (status == KESHER_OK)
        status = ks_home_files_make(home, error);
    return status == KESHER_OK ? ks_identity_prepare(home, name, &session->identity, error) : status;
}

/* The 1025 that was lost may have arrived. */
static enum kesher_status fail_half_registered(const struct ks_client_session *session,
                                               struct kesher_error *error)
{
    char shown[SHOWN_NAME_SIZE];
    return ks_failure(
        error, KESHER_REFUSED,
        "%s closed the connection while it registered '%s', and does not take the name now: it may "
        "be taken by what was lost; choose another, or ask its operator to free it",
        session->shown, shown_name(session, shown));
}

enum kesher_status ks_login_register(struct ks_client_session *session, struct kesher_error *error)
{
    /* A server that knows only messages says 9000 to what it does not know. */
    const struct ks_small_request request = {
        .doing = "register the name", .alternative = KS_RESPONSE_ERROR, .refused = refused_name};
    struct ks_answer answer;
    enum kesher_status status = ask_for_name(session, &request, &answer, error);
    bool was_lost = status == KESHER_CONNECTION && session->connections > 0;
    if (was_lost || (status == KESHER_OK && answer.code == KS_RESPONSE_ERROR)) {
        status = ks_login_register_messages(session, error);
        return was_lost && status == KESHER_REFUSED ? fail_half_registered(session, error) : status;
    }
    if (status == KESHER_OK)
        status = take_id(session, &answer, error);
    return status == KESHER_OK ? send_public_key(session, KS_REQUEST_UNTIL_ANSWERED, error) : status;
}

/* The server does not know the id: a new one for the same name and key pair. */
static enum kesher_status register_anew(struct ks_client_session *session, struct kesher_error *error)
{
    const struct ks_small_request request = {
        .doing = "register anew, since the server does not know this identity", .refused = refused_again};
    struct ks_answer answer;
    if (!session->server.is_own)
        return ks_home_server_forgot(&session->server, session->shown, session->identity->name, error);
    session->replaces = true;
    enum kesher_status status = ask_for_name(session, &request, &answer, error);
    if (status == KESHER_OK)
        status = take_id(session, &answer, error);
    if (status != KESHER_OK)
        return status;
    session->unknown = false;
    ks_client_session_notice(session,
                             "the server did not know this identity; registered anew under the same name");
    return send_public_key(session, KS_REQUEST_UNTIL_ANSWERED, error);
}

/* ---- 1027 ---- */

static enum kesher_status refused_login(const struct ks_client_session *session, uint16_t answer_code,
                                        struct kesher_error *error)
{
    if (answer_code == KS_RESPONSE_ERROR)
        return ks_failure(error, KESHER_REFUSED, "%s takes no files; it has messages only", session->shown);
    return ks_failure(error, KESHER_REFUSED, "%s lets nobody in now; try again later, or ask its operator",
                      session->shown);
}

static enum kesher_status ask_to_reconnect(struct ks_client_session *session, enum ks_request_repeat repeat,
                                           struct ks_answer *answer, struct kesher_error *error)
{
    const struct ks_small_request request = {.repeat = repeat,
                                             .after_errors = repeat == KS_REQUEST_UNTIL_ANSWERED,
                                             .code = KS_REQUEST_RECONNECT,
                                             .doing = "reconnect as this user",
                                             .expected = KS_RESPONSE_RECONNECTED,
                                             .expected_size = KS_KEY_ANSWER_SIZE,
                                             .alternative = KS_RESPONSE_RECONNECT_DENIED,
                                             .refused = refused_login};
    return ask(session, &request, answer, error);
}

static void turn_round(struct ks_client_id *id)
{
    const struct ks_client_id other = *id;
    for (size_t i = 0; i < sizeof id->bytes; i++)
        id->bytes[i] = other.bytes[sizeof id->bytes - 1 - i];
}

/* One public client keeps the id with its bytes in reverse order in its home. If this is such a home, it is
 * mended. *known is false, and nothing changed, when it is not. */
static enum kesher_status try_reversed_id(struct ks_client_session *session, bool *known,
                                          struct kesher_error *error)
{
    struct ks_answer answer;
    turn_round(&session->identity->id);
    enum kesher_status status = ask_to_reconnect(session, KS_REQUEST_UNTIL_ANSWERED, &answer, error);
    *known = status == KESHER_OK && answer.code == KS_RESPONSE_RECONNECTED;
    if (!*known) {
        turn_round(&session->identity->id);
        return status == KESHER_REFUSED ? KESHER_OK : status;
    }
    status = take_key(session, &answer, error);
    if (status != KESHER_OK)
        return status;
    ks_client_session_notice(session,
                             "the id in me.info stood with its bytes in reverse order; it was put right");
    return ks_identity_save(session->home, session->identity, error);
}

/* After a 2106: a crash between 1025 and 1026 leaves a name without a key, and then the own key is welcome.
 * There are servers that close at a 1026 from somebody unknown. */
static enum kesher_status try_to_be_known(struct ks_client_session *session, bool *known,
                                          struct kesher_error *error)
{
    enum kesher_status status = try_reversed_id(session, known, error);
    if (status != KESHER_OK || *known)
        return status;
    status = send_public_key(session, KS_REQUEST_UNTIL_LOST, error);
    *known = status == KESHER_OK;
    return status == KESHER_REFUSED || status == KESHER_CONNECTION ? KESHER_OK : status;
}

static enum kesher_status go_on_after_denial(struct ks_client_session *session, struct kesher_error *error)
{
    bool known = false;
    enum kesher_status status = try_to_be_known(session, &known, error);
    if (status != KESHER_OK || known)
        return status;
    session->unknown = true;
    return register_anew(session, error);
}

enum kesher_status ks_login_ensure(struct ks_client_session *session, struct kesher_error *error)
{
    struct ks_answer answer = {.code = 0};
    enum kesher_status status = session->has_key ? ks_client_session_connect(session, error) : KESHER_OK;
    if (session->has_key && status == KESHER_OK)
        return KESHER_OK;
    if (session->unknown)
        return register_anew(session, error);
    status = ask_to_reconnect(session, KS_REQUEST_UNTIL_ANSWERED, &answer, error);
    bool is_denied = status == KESHER_OK && answer.code != KS_RESPONSE_RECONNECTED;
    /* There are servers that have another no for whom they do not know. */
    session->is_doubtful = status == KESHER_REFUSED && answer.code != KS_RESPONSE_ERROR;
    is_denied |= session->is_doubtful && session->options.error_repeats == 0;
    if (is_denied)
        return go_on_after_denial(session, error);
    return status == KESHER_OK ? take_key(session, &answer, error) : status;
}

/* ---- register --again ---- */

/* Whether the server still knows the identity, in whichever way: after a 2106 it may, and then the name is
 * taken by this home itself. A no is one, and so is a lost connection: there are servers that close at
 * whoever they do not know. Silence and nonsense tell nothing, and nothing is registered behind them. */
static enum kesher_status ask_whether_known(struct ks_client_session *session, bool *known,
                                            struct kesher_error *error)
{
    struct ks_answer answer;
    *known = false;
    enum kesher_status status = ask_to_reconnect(session, KS_REQUEST_UNTIL_LOST, &answer, error);
    if (status == KESHER_OK && answer.code == KS_RESPONSE_RECONNECTED) {
        *known = true;
        ks_client_session_is_known(session);
    } else if (status == KESHER_OK) {
        status = try_to_be_known(session, known, error);
    }
    ks_client_session_disconnect(session);
    return status == KESHER_REFUSED || status == KESHER_CONNECTION ? KESHER_OK : status;
}

enum kesher_status ks_login_register_again(struct ks_client_session *session, const char *name,
                                           struct kesher_error *error)
{
    enum kesher_status status = ks_identity_check_name(name, error);
    bool known = false;
    if (status == KESHER_OK)
        status = ks_client_session_connect(session, error);
    if (status == KESHER_OK)
        status = ask_whether_known(session, &known, error);
    if (status != KESHER_OK)
        return status;
    if (known)
        return ks_failure(error, KESHER_EXISTS,
                          "%s knows this home, as %s; there is nothing to register again", session->shown,
                          session->identity->name);
    ks_identity_rename(session->identity, name);
    session->replaces = true;
    return ks_login_register(session, error);
}

/* ---- one's own public key ---- */

static enum kesher_status fail_other_key(const struct ks_client_session *session, struct kesher_error *error)
{
    char shown[SHOWN_NAME_SIZE];
    return ks_failure(
        error, KESHER_CHANGED,
        "%s tells others another public key for '%s' than this home has, so what they send cannot "
        "be read here; ask its operator (kesherd user reset-key)",
        session->shown, shown_name(session, shown));
}

enum kesher_status ks_login_publish_key(struct ks_client_session *session, bool *published,
                                        struct kesher_error *error)
{
    uint8_t own[KS_PUBLIC_KEY_SIZE];
    struct ks_user_key_answer known;
    struct ks_answer answer;
    const struct ks_client_id id = session->identity->id;
    const struct ks_small_request request = {.repeat = KS_REQUEST_UNTIL_LOST,
                                             .code = KS_REQUEST_USER_KEY,
                                             .payload = id.bytes,
                                             .payload_size = KS_TARGET_PAYLOAD_SIZE,
                                             .doing = "tell one's own public key",
                                             .expected = KS_RESPONSE_USER_KEY,
                                             .expected_size = KS_USER_KEY_ANSWER_SIZE,
                                             .alternative = KS_RESPONSE_ERROR};
    *published = false;
    enum kesher_status status = ks_identity_public_key(session->identity, own, error);
    if (status == KESHER_OK)
        status = ks_request_ask(session, &request, &answer, error);
    if (status != KESHER_OK)
        return status;
    if (answer.code == KS_RESPONSE_USER_KEY &&
        ks_user_key_answer_parse(answer.payload, answer.payload_size, &known) == KS_OK)
        return memcmp(known.public_key, own, sizeof own) == 0 ? KESHER_OK : fail_other_key(session, error);
    status = send_public_key(session, KS_REQUEST_UNTIL_LOST, error);
    *published = status == KESHER_OK;
    return status;
}
