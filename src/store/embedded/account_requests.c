/* account_requests.c — see account_requests.h. */
#include "store/embedded/account_requests.h"

#include "store/embedded/account_changes.h"
#include "store/embedded/engine.h"
#include "store/embedded/memory/identities.h"
#include "store/reply.h"

enum ks_result ks_account_requests_classic_id(struct ks_store *store, const struct ks_client_id *shown,
                                              struct ks_client_id *id)
{
    return ks_identities_classic_id(ks_engine_of(store)->users, shown, id);
}

void ks_account_requests_sign_in(struct ks_store *store, struct ks_store_sign_in *request)
{
    ks_reply_now(&request->request,
                 ks_identities_find(ks_engine_of(store)->users, request->key, &request->account));
}

void ks_account_requests_register(struct ks_store *store, struct ks_store_register_account *request)
{
    ks_account_change_register(ks_engine_of(store), request);
}

void ks_account_requests_adopt(struct ks_store *store, struct ks_store_adopt *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    if (ks_users_expect_change(engine->users, &request->id))
        ks_account_change_adopt(engine, request);
    else
        ks_reply_now(&request->request, KS_NOT_FOUND);
}

void ks_account_requests_set_classic(struct ks_store *store, struct ks_store_set_classic *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    if (ks_users_expect_change(engine->users, &request->id))
        ks_account_change_set_classic(engine, request);
    else
        ks_reply_now(&request->request, KS_NOT_FOUND);
}

void ks_account_requests_invite(struct ks_store *store, struct ks_store_invite *request)
{
    ks_account_change_invite(ks_engine_of(store), request);
}

void ks_account_requests_name_holder(struct ks_store *store, struct ks_store_name_holder *request)
{
    ks_key_reader_name_holder(&ks_engine_of(store)->key_reader, request);
}
