/* contract_account_asking.c — see contract_account_asking.h. */
#include "unit/store/contract/contract_account_asking.h"

struct ks_store_register_account account_request(struct party *me, const char *name, const char *skeleton,
                                                 uint8_t key)
{
    struct ks_store_register_account request = {.request = party_request(me)};
    snprintf(request.name, sizeof request.name, "%s", name);
    snprintf(request.skeleton, sizeof request.skeleton, "%s", skeleton != NULL ? skeleton : "");
    memset(request.key, key, sizeof request.key);
    return request;
}

struct ks_store_register_account invited_request(struct party *me, const char *name, uint8_t key,
                                                 uint8_t invitation)
{
    struct ks_store_register_account request = account_request(me, name, NULL, key);
    request.has_invitation = true;
    memset(request.invitation, invitation, sizeof request.invitation);
    return request;
}

static enum ks_result ask(struct party *me, struct ks_store_register_account *request,
                          struct ks_account *account)
{
    ks_store_register_account(me->store, request);
    enum ks_result result = party_wait(me, &request->request);
    if (account != NULL)
        *account = request->account;
    return result;
}

enum ks_result register_account(struct party *me, const char *name, uint8_t key, struct ks_account *account)
{
    struct ks_store_register_account request = account_request(me, name, NULL, key);
    return ask(me, &request, account);
}

enum ks_result register_alike(struct party *me, const char *name, const char *skeleton, uint8_t key)
{
    struct ks_store_register_account request = account_request(me, name, skeleton, key);
    return ask(me, &request, NULL);
}

enum ks_result register_invited(struct party *me, const char *name, uint8_t key, uint8_t invitation,
                                struct ks_account *account)
{
    struct ks_store_register_account request = invited_request(me, name, key, invitation);
    return ask(me, &request, account);
}

struct ks_client_id new_account(struct party *me, const char *name, uint8_t key)
{
    struct ks_account account;
    assert_int_equal(register_account(me, name, key, &account), KS_OK);
    return account.id;
}

enum ks_result register_classic(struct party *me, const char *name, const char *skeleton)
{
    struct ks_store_register request = register_request(me, name);
    snprintf(request.skeleton, sizeof request.skeleton, "%s", skeleton);
    ks_store_register_user(me->store, &request);
    return party_wait(me, &request.request);
}

enum ks_result sign_in(struct party *me, uint8_t key, struct ks_account *account)
{
    struct ks_store_sign_in request = {.request = party_request(me)};
    memset(request.key, key, sizeof request.key);
    ks_store_sign_in(me->store, &request);
    enum ks_result result = party_wait(me, &request.request);
    if (account != NULL)
        *account = request.account;
    return result;
}

enum ks_result adopt(struct party *me, const struct ks_client_id *id, uint8_t key, struct ks_account *account)
{
    struct ks_store_adopt request = {.request = party_request(me), .id = *id};
    memset(request.key, key, sizeof request.key);
    ks_store_adopt(me->store, &request);
    enum ks_result result = party_wait(me, &request.request);
    if (account != NULL)
        *account = request.account;
    return result;
}

enum ks_result set_classic(struct party *me, const struct ks_client_id *id, bool on, uint8_t public_byte,
                           struct ks_client_id *classic_id)
{
    struct ks_store_set_classic request = {.request = party_request(me), .id = *id, .on = on};
    memset(request.public_key, public_byte, sizeof request.public_key);
    ks_store_set_classic(me->store, &request);
    enum ks_result result = party_wait(me, &request.request);
    if (classic_id != NULL)
        *classic_id = request.classic_id;
    return result;
}

struct ks_client_id classic_on(struct party *me, const struct ks_client_id *id, uint8_t public_byte)
{
    struct ks_client_id classic_id;
    assert_int_equal(set_classic(me, id, true, public_byte, &classic_id), KS_OK);
    return classic_id;
}

enum ks_result remove_account(struct party *me, const char *name, uint8_t key)
{
    struct ks_store_remove_user request = {.request = party_request(me), .only_with_key = true};
    snprintf(request.name, sizeof request.name, "%s", name);
    memset(request.account_key, key, sizeof request.account_key);
    ks_store_remove_user(me->store, &request);
    return party_wait(me, &request.request);
}

enum ks_result invite(struct party *me, uint8_t invitation, unsigned uses, int64_t until, const char *name)
{
    struct ks_store_invite request = {.request = party_request(me), .uses = uses, .until = until};
    memset(request.invitation, invitation, sizeof request.invitation);
    snprintf(request.name, sizeof request.name, "%s", name);
    ks_store_invite(me->store, &request);
    return party_wait(me, &request.request);
}

enum ks_result name_holder(struct party *me, const char *skeleton, struct ks_client_id *id)
{
    struct ks_store_name_holder request = {.request = party_request(me)};
    snprintf(request.skeleton, sizeof request.skeleton, "%s", skeleton);
    ks_store_name_holder(me->store, &request);
    enum ks_result result = party_wait(me, &request.request);
    *id = request.id;
    return result;
}

void assert_stands_for(struct party *me, const struct ks_client_id *shown, const struct ks_client_id *id)
{
    struct ks_client_id found;
    assert_int_equal(ks_store_classic_id(me->store, shown, &found), KS_OK);
    assert_memory_equal(&found, id, sizeof found);
}

void assert_stands_for_nobody(struct party *me, const struct ks_client_id *shown)
{
    static const struct ks_client_id zeros;
    struct ks_client_id found = *shown;
    assert_int_equal(ks_store_classic_id(me->store, shown, &found), KS_NOT_FOUND);
    assert_memory_equal(&found, &zeros, sizeof found);
}

void assert_account(struct party *me, uint8_t key, const char *name, const struct ks_client_id *id)
{
    struct ks_account account;
    assert_int_equal(sign_in(me, key, &account), KS_OK);
    assert_string_equal(account.name, name);
    assert_memory_equal(&account.id, id, sizeof *id);
    for (size_t i = 0; i < sizeof account.key; i++)
        assert_int_equal(account.key[i], key);
}

uint64_t count_list(struct party *me, const struct ks_client_id *except, bool classic_only)
{
    struct ks_user users[2];
    uint64_t given = 0;
    struct ks_store_list_begin begin = {
        .request = party_request(me), .except = *except, .classic_only = classic_only};
    ks_store_list_begin(me->store, &begin);
    assert_int_equal(party_wait(me, &begin.request), KS_OK);
    struct ks_store_list_users pages = {.except = *except,
                                        .classic_only = classic_only,
                                        .cursor = begin.cursor,
                                        .users = users,
                                        .limit = KS_COUNT_OF(users)};
    do {
        pages.request = party_request(me);
        ks_store_list_users(me->store, &pages);
        assert_int_equal(party_wait(me, &pages.request), KS_OK);
        given += pages.count;
    } while (pages.count > 0);
    assert_int_equal(given, begin.count);
    return given;
}
