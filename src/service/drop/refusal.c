/* refusal.c — see refusal.h. */
#include "service/drop/refusal.h"

#include "service/core/session.h"

#include <stdlib.h>

struct refusal {
    struct ks_exchange *exchange;
    struct ks_store_look_up look_up;
};

static void user_looked_up(struct ks_store_request *request)
{
    struct refusal *refusal = KS_CONTAINER_OF(request, struct refusal, look_up.request);
    struct ks_exchange *exchange = refusal->exchange;
    enum ks_result result = request->result;
    free(refusal);
    /* When a later request has begun, the content is over already. */
    if (result == KS_NOT_FOUND && exchange->session != NULL && ks_exchange_is_newest(exchange))
        ks_session_end_behind_payload(exchange->session);
    ks_exchange_refuse(exchange);
}

void ks_refusal_of_content(struct ks_exchange *exchange)
{
    struct refusal *refusal = calloc(1, sizeof *refusal);
    if (refusal == NULL) {
        ks_exchange_refuse(exchange);
        return;
    }
    refusal->exchange = exchange;
    refusal->look_up.id = exchange->header.client_id;
    refusal->look_up.request.reply_to = &exchange->loop->executor;
    refusal->look_up.request.done = user_looked_up;
    ks_store_look_up(exchange->environment->store, &refusal->look_up);
}
