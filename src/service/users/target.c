/* target.c — see target.h. */
#include "service/users/target.h"

#include "crypto/alias.h"
#include "wire/messages_codec.h"

#include <stdlib.h>
#include <string.h>

void ks_target_alias(const struct ks_service_environment *environment, const struct ks_client_id *id,
                     struct ks_client_id *alias)
{
    bool is_plain = environment->settings.plain_public_ids;
    if (!is_plain || ks_store_classic_id(environment->store, id, alias) != KS_OK)
        ks_alias_of_id(environment->alias_key, id->bytes, alias->bytes);
}

/* ---- who is meant ---- */

static void look_up(struct ks_target *target, const struct ks_client_id *id,
                    void (*done)(struct ks_store_request *request))
{
    memset(&target->look_up, 0, sizeof target->look_up);
    target->look_up.request.reply_to = target->executor;
    target->look_up.request.done = done;
    target->look_up.id = *id;
    ks_store_look_up(target->environment->store, &target->look_up);
}

static bool is_out_of_reach(const struct ks_target *target)
{
    const struct ks_user *user = &target->look_up.user;
    return target->classic_only && user->is_account && !user->has_classic_id;
}

static void target_found(struct ks_store_request *request)
{
    struct ks_target *target = KS_CONTAINER_OF(request, struct ks_target, look_up.request);
    enum ks_result result = request->result;
    if (result == KS_NOT_FOUND && !target->tried_alias) {
        struct ks_client_id id = {{0}};
        target->tried_alias = true;
        ks_alias_to_id(target->environment->alias_key, target->sent.bytes, id.bytes);
        look_up(target, &id, target_found);
        return;
    }
    target->id = target->look_up.id;
    target->resolved(target, result == KS_OK && is_out_of_reach(target) ? KS_NOT_FOUND : result);
}

static void sender_found(struct ks_store_request *request)
{
    struct ks_target *target = KS_CONTAINER_OF(request, struct ks_target, look_up.request);
    if (request->result != KS_OK) {
        target->resolved(target, request->result);
        return;
    }
    struct ks_client_id id = {{0}}; /* nobody's: then it is an alias, or nothing */
    ks_store_touch(target->environment->store, &target->look_up.id);
    if (target->classic_only || target->environment->settings.plain_public_ids)
        (void)ks_store_classic_id(target->environment->store, &target->sent, &id);
    look_up(target, &id, target_found);
}

void ks_target_resolve(struct ks_target *target)
{
    target->environment = target->exchange->environment;
    target->executor = &target->exchange->loop->executor;
    target->tried_alias = false;
    target->classic_only = target->exchange->port->access == NULL;
    look_up(target, &target->exchange->header.client_id, sender_found);
}

/* ---- 602 ---- */

struct key_question {
    struct ks_target target;
    struct ks_store_public_key request;
};

static void key_read(struct ks_store_request *request)
{
    struct key_question *question = KS_CONTAINER_OF(request, struct key_question, request.request);
    struct ks_exchange *exchange = question->target.exchange;
    struct ks_user_key_answer answer = {.target = question->target.sent};
    uint8_t payload[KS_USER_KEY_ANSWER_SIZE];
    enum ks_result result = request->result;
    memcpy(answer.public_key, question->request.public_key, sizeof answer.public_key);
    free(question);
    if (result != KS_OK) {
        ks_exchange_refuse(exchange);
        return;
    }
    ks_user_key_answer_encode(&answer, payload);
    ks_exchange_answer(exchange, KS_RESPONSE_USER_KEY, payload, sizeof payload);
}

static void key_target_resolved(struct ks_target *target, enum ks_result result)
{
    struct key_question *question = KS_CONTAINER_OF(target, struct key_question, target);
    struct ks_exchange *exchange = target->exchange;
    if (result != KS_OK) {
        free(question);
        ks_exchange_refuse(exchange);
        return;
    }
    question->request.request.reply_to = &exchange->loop->executor;
    question->request.request.done = key_read;
    question->request.id = target->id;
    ks_store_public_key(target->environment->store, &question->request);
}

void ks_target_user_key(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct key_question *question = calloc(1, sizeof *question);
    if (question == NULL) {
        ks_exchange_refuse(exchange);
        return;
    }
    question->target.exchange = exchange;
    question->target.resolved = key_target_resolved;
    memcpy(question->target.sent.bytes, fixed, sizeof question->target.sent.bytes);
    ks_target_resolve(&question->target);
}
