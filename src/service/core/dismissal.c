/* dismissal.c — see dismissal.h. */
#include "service/core/dismissal.h"

#include <stdlib.h>

static void key_dropped(struct ks_store_request *request)
{
    struct ks_store_drop_content_key *drop =
        KS_CONTAINER_OF(request, struct ks_store_drop_content_key, request);
    ks_content_key_release(drop->content_key);
    free(drop);
}

void ks_dismissal_of_key(struct ks_store *store, struct ks_loop *loop, const struct ks_client_id *id,
                         struct ks_content_key *key)
{
    struct ks_store_drop_content_key *drop = calloc(1, sizeof *drop);
    if (drop == NULL)
        return;
    drop->request.reply_to = &loop->executor;
    drop->request.done = key_dropped;
    drop->id = *id;
    drop->content_key = ks_content_key_retain(key);
    ks_store_drop_content_key(store, drop);
}
