/* registration.c — see registration.h.
 *
 * Each request is a chain of steps: judge the payload, ask the store, work on the pool, ask the store,
 * answer. A step either answers the exchange or starts the next one as the last thing that it does. Chains
 * run on the connection's loop, only the functions called *_work on the pool.
 */
#include "service/users/registration.h"

#include "base/text.h"
#include "crypto/rsa.h"
#include "crypto/secret.h"
#include "service/accounts/account_names.h"
#include "service/core/report.h"
#include "service/core/session.h"
#include "service/core/session_keys.h"

#include <stdlib.h>
#include <string.h>

/* ---- 1025 and 600 ---- */

struct new_registration {
    struct ks_exchange *exchange;
    struct ks_store_register request;
    struct ks_offload offload;
    enum ks_result key_result;
};

static void tell_refusal(const struct ks_exchange *exchange, const char *name, enum ks_result result)
{
    if (result == KS_TOO_LARGE)
        ks_report(exchange, KS_LOG_WARNING,
                  "refused: there are as many users as there may be (users): \"%s\"", name);
    else
        ks_report(exchange, KS_LOG_INFO, "registration of \"%s\" refused: %s", name, ks_result_text(result));
}

/* Answers, and frees it. */
static void registration_end(struct new_registration *registration, enum ks_result result)
{
    struct ks_exchange *exchange = registration->exchange;
    struct ks_client_id id = registration->request.id;
    char name[KS_TEXT_FIELD_SIZE];
    ks_text_escape_quoted(registration->request.name, strlen(registration->request.name), name, sizeof name);
    free(registration);
    if (result == KS_OK) {
        ks_report_event(exchange, "registered \"%s\"", name);
        ks_exchange_answer(exchange, KS_RESPONSE_REGISTERED, &id, sizeof id);
        return;
    }
    tell_refusal(exchange, name, result);
    /* In the drop service, who may not register has a code of its own; trouble of ours is a general error. */
    bool refused = result == KS_EXISTS || result == KS_TOO_LARGE;
    bool general = exchange->rule->version == KS_VERSION_DROP && !refused;
    ks_exchange_answer(exchange, general ? KS_RESPONSE_DROP_ERROR : exchange->rule->error, NULL, 0);
}

static void registration_done(struct ks_store_request *request)
{
    registration_end(KS_CONTAINER_OF(request, struct new_registration, request.request), request->result);
}

/* The name was judged. */
static bool may_register_now(const struct ks_exchange *exchange, const char *name, size_t name_size)
{
    const struct ks_service_environment *environment = exchange->environment;
    char shown[KS_TEXT_FIELD_SIZE];
    if (ks_session_allows(exchange->session, environment->registrations,
                          environment->settings.registrations_per_hour))
        return true;
    ks_text_escape_quoted(name, name_size, shown, sizeof shown);
    ks_report(exchange, KS_LOG_WARNING,
              "refused: too many registrations from this address in an hour (registrations-per-hour): \"%s\"",
              shown);
    return false;
}

/* Without `names`, the store makes do with the name. */
static enum ks_result make_skeleton(const struct ks_account_names *names, const char *name, size_t name_size,
                                    char skeleton[static KS_SKELETON_SIZE])
{
    return names != NULL ? ks_account_name_skeleton(names, name, name_size, skeleton) : KS_OK;
}

/* The classic ports know no invitations: who wants to have it otherwise there takes nobody. */
static bool takes_users(const struct ks_exchange *exchange)
{
    const struct ks_service_settings *settings = &exchange->environment->settings;
    if (!settings->registration_is_for_all || settings->registration == KS_REGISTRATION_OPEN)
        return true;
    ks_report(exchange, KS_LOG_INFO, "refused: this port takes no new users (registration)");
    return false;
}

/* NULL when the exchange is answered already. */
static struct new_registration *registration_new(struct ks_exchange *exchange, const char *name,
                                                 size_t name_size)
{
    bool may_register = ks_text_is_new_user_name(name, name_size) && takes_users(exchange) &&
                        may_register_now(exchange, name, name_size);
    struct new_registration *registration = may_register ? calloc(1, sizeof *registration) : NULL;
    if (registration == NULL) {
        ks_exchange_refuse(exchange);
        return NULL;
    }
    registration->exchange = exchange;
    memcpy(registration->request.name, name, name_size);
    registration->request.request.reply_to = &exchange->loop->executor;
    registration->request.request.done = registration_done;
    enum ks_result result =
        make_skeleton(exchange->environment->names, name, name_size, registration->request.skeleton);
    if (result == KS_OK)
        return registration;
    registration_end(registration, result);
    return NULL;
}

void ks_registration_drop(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct ks_name_payload payload = {0};
    enum ks_result result = ks_name_payload_parse(fixed, KS_NAME_PAYLOAD_SIZE, &payload);
    struct new_registration *registration =
        registration_new(exchange, payload.name, result == KS_OK ? payload.name_size : 0);
    if (registration != NULL)
        ks_store_register_user(exchange->environment->store, &registration->request);
}

static void registration_key_work(struct ks_offload *offload)
{
    struct new_registration *registration = KS_CONTAINER_OF(offload, struct new_registration, offload);
    struct ks_public_key *key = NULL;
    registration->key_result = ks_public_key_parse(registration->request.public_key, &key);
    if (registration->key_result == KS_OK)
        ks_public_key_free(key);
}

static void registration_key_judged(struct ks_offload *offload)
{
    struct new_registration *registration = KS_CONTAINER_OF(offload, struct new_registration, offload);
    struct ks_exchange *exchange = registration->exchange;
    if (registration->key_result != KS_OK) {
        free(registration);
        ks_exchange_refuse(exchange);
        return;
    }
    ks_store_register_user(exchange->environment->store, &registration->request);
}

void ks_registration_messages(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct ks_name_and_key_payload payload = {0};
    enum ks_result result = ks_name_and_key_payload_parse(fixed, KS_NAME_AND_KEY_PAYLOAD_SIZE, &payload);
    struct new_registration *registration =
        registration_new(exchange, payload.name, result == KS_OK ? payload.name_size : 0);
    if (registration == NULL)
        return;
    registration->request.has_public_key = true;
    memcpy(registration->request.public_key, payload.public_key, KS_PUBLIC_KEY_SIZE);
    registration->offload.work = registration_key_work;
    registration->offload.done = registration_key_judged;
    ks_loop_offload(exchange->loop, &registration->offload);
}

/* ---- 1026 and 1027: an AES key under the user's RSA key ---- */

struct key_issue {
    struct ks_exchange *exchange;
    char name[KS_TEXT_FIELD_SIZE];
    bool reconnecting; /* 1027: the public key is the stored one */
    union {            /* one at a time, in this order */
        struct ks_store_look_up look_up;
        struct ks_store_public_key stored_key;
        struct ks_store_set_keys set_keys;
    } request;
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    struct ks_content_key *content_key;
    struct ks_offload offload;
    enum ks_result work_result;
    struct ks_key_answer answer;
};

static void issue_free(struct key_issue *issue)
{
    ks_content_key_release(issue->content_key);
    free(issue);
}

static void issue_refuse(struct key_issue *issue, uint16_t code)
{
    struct ks_exchange *exchange = issue->exchange;
    struct ks_client_id id = exchange->shown;
    issue_free(issue);
    if (code == KS_RESPONSE_RECONNECT_DENIED)
        ks_exchange_answer(exchange, code, &id, sizeof id);
    else
        ks_exchange_refuse(exchange);
}

static void issue_prepare(struct key_issue *issue, struct ks_store_request *request,
                          void (*done)(struct ks_store_request *))
{
    memset(&issue->request, 0, sizeof issue->request);
    request->reply_to = &issue->exchange->loop->executor;
    request->done = done;
}

static void issue_stored(struct ks_store_request *request)
{
    struct key_issue *issue = KS_CONTAINER_OF(request, struct key_issue, request.set_keys.request);
    struct ks_exchange *exchange = issue->exchange;
    if (request->result != KS_OK) {
        issue_refuse(issue, KS_RESPONSE_DROP_ERROR);
        return;
    }
    if (exchange->session != NULL)
        ks_session_keys_set(ks_session_keys_of(exchange->session), &exchange->header.client_id,
                            issue->content_key);
    uint8_t payload[KS_KEY_ANSWER_SIZE];
    ks_key_answer_encode(&issue->answer, payload);
    uint16_t code = issue->reconnecting ? KS_RESPONSE_RECONNECTED : KS_RESPONSE_KEY_ACCEPTED;
    issue_free(issue);
    ks_exchange_answer(exchange, code, payload, sizeof payload);
}

static void issue_work(struct ks_offload *offload)
{
    struct key_issue *issue = KS_CONTAINER_OF(offload, struct key_issue, offload);
    const struct ks_service_environment *environment = issue->exchange->environment;
    struct ks_public_key *public_key = NULL;
    uint8_t key[KS_CONTENT_KEY_SIZE];
    issue->work_result = ks_public_key_parse(issue->public_key, &public_key);
    if (issue->work_result != KS_OK)
        return;
    issue->work_result = ks_random_fill(environment->random, key, sizeof key);
    if (issue->work_result == KS_OK)
        issue->work_result = ks_public_key_encrypt(public_key, key, sizeof key, issue->answer.encrypted_key);
    if (issue->work_result == KS_OK) {
        issue->content_key = ks_content_key_new(key, ks_clock_steady_seconds(environment->clock));
        if (issue->content_key == NULL)
            issue->work_result = KS_NO_MEMORY;
    }
    ks_secret_wipe(key, sizeof key);
    ks_public_key_free(public_key);
}

static void issue_worked(struct ks_offload *offload)
{
    struct key_issue *issue = KS_CONTAINER_OF(offload, struct key_issue, offload);
    if (issue->work_result != KS_OK) {
        issue_refuse(issue, KS_RESPONSE_DROP_ERROR);
        return;
    }
    struct ks_store_set_keys *request = &issue->request.set_keys;
    issue_prepare(issue, &request->request, issue_stored);
    request->id = issue->exchange->header.client_id;
    request->content_key = issue->content_key;
    request->has_public_key = !issue->reconnecting;
    if (request->has_public_key)
        memcpy(request->public_key, issue->public_key, KS_PUBLIC_KEY_SIZE);
    ks_store_set_keys(issue->exchange->environment->store, request);
}

static void issue_encrypt(struct key_issue *issue)
{
    issue->answer.client_id = issue->exchange->shown;
    issue->offload.work = issue_work;
    issue->offload.done = issue_worked;
    ks_loop_offload(issue->exchange->loop, &issue->offload);
}

static void issue_key_read(struct ks_store_request *request)
{
    struct key_issue *issue = KS_CONTAINER_OF(request, struct key_issue, request.stored_key.request);
    if (request->result != KS_OK) {
        bool denied = request->result == KS_NOT_FOUND || request->result == KS_REFUSED;
        issue_refuse(issue, denied ? KS_RESPONSE_RECONNECT_DENIED : KS_RESPONSE_DROP_ERROR);
        return;
    }
    memcpy(issue->public_key, issue->request.stored_key.public_key, KS_PUBLIC_KEY_SIZE);
    issue_encrypt(issue);
}

static void issue_user_found(struct ks_store_request *request)
{
    struct key_issue *issue = KS_CONTAINER_OF(request, struct key_issue, request.look_up.request);
    const struct ks_service_environment *environment = issue->exchange->environment;
    const struct ks_user *user = &issue->request.look_up.user;
    if (request->result != KS_OK || strcmp(user->name, issue->name) != 0 ||
        (issue->reconnecting && !user->has_public_key)) {
        issue_refuse(issue, issue->reconnecting ? KS_RESPONSE_RECONNECT_DENIED : KS_RESPONSE_DROP_ERROR);
        return;
    }
    ks_store_touch(environment->store, &issue->exchange->header.client_id);
    if (!issue->reconnecting) {
        issue_encrypt(issue);
        return;
    }
    struct ks_store_public_key *stored = &issue->request.stored_key;
    issue_prepare(issue, &stored->request, issue_key_read);
    stored->id = issue->exchange->header.client_id;
    ks_store_public_key(environment->store, stored);
}

/* gcc's analyser loses sight of what the store's request belongs to. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

static bool may_ask(const struct ks_exchange *exchange)
{
    const struct ks_service_environment *environment = exchange->environment;
    if (ks_session_allows(exchange->session, environment->keys, environment->settings.keys_per_hour))
        return true;
    ks_report(exchange, KS_LOG_WARNING,
              "refused: too many keys from this address in an hour (keys-per-hour)");
    return false;
}

static void issue_begin(struct ks_exchange *exchange, const char *name, size_t name_size,
                        const uint8_t *public_key)
{
    struct key_issue *issue = may_ask(exchange) ? calloc(1, sizeof *issue) : NULL;
    if (issue == NULL) {
        ks_exchange_refuse(exchange);
        return;
    }
    issue->exchange = exchange;
    issue->reconnecting = public_key == NULL;
    memcpy(issue->name, name, name_size);
    if (public_key != NULL)
        memcpy(issue->public_key, public_key, KS_PUBLIC_KEY_SIZE);
    issue_prepare(issue, &issue->request.look_up.request, issue_user_found);
    issue->request.look_up.id = exchange->header.client_id;
    ks_store_look_up(exchange->environment->store, &issue->request.look_up);
}

void ks_registration_public_key(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct ks_name_and_key_payload payload;
    if (ks_name_and_key_payload_parse(fixed, KS_NAME_AND_KEY_PAYLOAD_SIZE, &payload) != KS_OK)
        ks_exchange_refuse(exchange);
    else
        issue_begin(exchange, payload.name, payload.name_size, payload.public_key);
}

void ks_registration_reconnect(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct ks_name_payload payload;
    if (ks_name_payload_parse(fixed, KS_NAME_PAYLOAD_SIZE, &payload) != KS_OK) {
        struct ks_client_id id = exchange->shown;
        ks_exchange_answer(exchange, KS_RESPONSE_RECONNECT_DENIED, &id, sizeof id);
        return;
    }
    issue_begin(exchange, payload.name, payload.name_size, NULL);
}
