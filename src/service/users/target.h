/* target.h — users as other users see them: aliases, and what stands as a target in 602 and 603 (protocol.md
 * §1.1). Private to src/service; the connection's loop.
 */
#ifndef KS_SERVICE_USERS_TARGET_H
#define KS_SERVICE_USERS_TARGET_H

#include "service/core/exchange.h"

/* How others see the user `id`: the alias, or, with public-ids = plain, the id itself where that is what a
 * user shows: the id of an account is told to nobody. Any thread. */
void ks_target_alias(const struct ks_service_environment *environment, const struct ks_client_id *id,
                     struct ks_client_id *alias);

/* Looks up a user's request: who is served must be registered, and its target, an alias or an id, a user. An
 * id stands for whom it stands on the classic port (ks_store_classic_id); and who asks there has no target in
 * an account that is not on the classic ports. */
struct ks_target {
    struct ks_exchange *exchange; /* may be answered, and gone, while the look-ups run */
    const struct ks_service_environment *environment;
    struct ks_executor *executor;
    struct ks_client_id sent;        /* the target as it stands in the request */
    struct ks_client_id id;          /* what it means; with KS_OK */
    struct ks_store_look_up look_up; /* while it runs */
    bool tried_alias;                /* likewise */
    bool classic_only;               /* the asker knows the classic ports alone */
    /* KS_OK, or the request is to be refused. Once, in the call or later. */
    void (*resolved)(struct ks_target *target, enum ks_result result);
};

/* The caller has set exchange, sent and resolved, and keeps the target until `resolved` has run. */
void ks_target_resolve(struct ks_target *target);

/* 602, a rule of the binary port (core/rules.h): answers with the public key of the target. */
void ks_target_user_key(struct ks_exchange *exchange, const uint8_t *fixed);

#endif
