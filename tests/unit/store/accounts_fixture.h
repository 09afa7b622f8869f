/* accounts_fixture.h — requests about accounts and invitations for the tests of the embedded engine. Keys and
 * invitations are filled with one byte. A request that is made here is not asked yet, so that several can be
 * in one batch.
 */
#ifndef KS_TESTS_UNIT_STORE_ACCOUNTS_FIXTURE_H
#define KS_TESTS_UNIT_STORE_ACCOUNTS_FIXTURE_H

#include "unit/store/operators_fixture.h"

/* `code` is 0 for no invitation. */
static inline struct ks_store_register_account account_request(struct house *house, const char *name,
                                                               uint8_t key, uint8_t code)
{
    struct ks_store_register_account request = {.request = fixture_request(&house->waiter),
                                                .has_invitation = code != 0};
    snprintf(request.name, sizeof request.name, "%s", name);
    memset(request.key, key, sizeof request.key);
    memset(request.invitation, code, sizeof request.invitation);
    return request;
}

static inline enum ks_result register_account(struct house *house, const char *name, uint8_t key,
                                              uint8_t code, struct ks_client_id *id)
{
    struct ks_store_register_account request = account_request(house, name, key, code);
    ks_store_register_account(house->store, &request);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    if (id != NULL)
        *id = request.account.id;
    return result;
}

static inline struct ks_store_adopt adopt_request(struct house *house, const struct ks_client_id *id,
                                                  uint8_t key)
{
    struct ks_store_adopt request = {.request = fixture_request(&house->waiter), .id = *id};
    memset(request.key, key, sizeof request.key);
    return request;
}

static inline enum ks_result adopt(struct house *house, const struct ks_client_id *id, uint8_t key)
{
    struct ks_store_adopt request = adopt_request(house, id, key);
    ks_store_adopt(house->store, &request);
    return fixture_wait(&house->waiter, &request.request);
}

/* With a public key of this byte; 0 switches off. */
static inline struct ks_store_set_classic classic_request(struct house *house, const struct ks_client_id *id,
                                                          uint8_t byte)
{
    struct ks_store_set_classic request = {
        .request = fixture_request(&house->waiter), .id = *id, .on = byte != 0};
    memset(request.public_key, byte, sizeof request.public_key);
    return request;
}

static inline enum ks_result set_classic(struct house *house, const struct ks_client_id *id, uint8_t byte,
                                         struct ks_client_id *classic_id)
{
    struct ks_store_set_classic request = classic_request(house, id, byte);
    ks_store_set_classic(house->store, &request);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    if (classic_id != NULL)
        *classic_id = request.classic_id;
    return result;
}

static inline struct ks_store_invite invite_request(struct house *house, uint8_t code, unsigned uses,
                                                    const char *name)
{
    struct ks_store_invite request = {.request = fixture_request(&house->waiter), .uses = uses};
    memset(request.invitation, code, sizeof request.invitation);
    snprintf(request.name, sizeof request.name, "%s", name);
    return request;
}

static inline enum ks_result invite(struct house *house, uint8_t code, unsigned uses, const char *name)
{
    struct ks_store_invite request = invite_request(house, code, uses, name);
    ks_store_invite(house->store, &request);
    return fixture_wait(&house->waiter, &request.request);
}

static inline enum ks_result sign_in(struct house *house, uint8_t key, struct ks_client_id *id)
{
    struct ks_store_sign_in request = {.request = fixture_request(&house->waiter)};
    memset(request.key, key, sizeof request.key);
    ks_store_sign_in(house->store, &request);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    if (id != NULL)
        *id = request.account.id;
    return result;
}

/* The key signs this user in. */
static inline void assert_key(struct house *house, uint8_t key, const struct ks_client_id *id)
{
    struct ks_client_id found;
    assert_int_equal(sign_in(house, key, &found), KS_OK);
    assert_memory_equal(&found, id, sizeof found);
}

/* What an id stands for on a classic port; NULL for nobody. */
static inline void assert_stands_for(struct house *house, const struct ks_client_id *shown,
                                     const struct ks_client_id *id)
{
    struct ks_client_id found;
    assert_int_equal(ks_store_classic_id(house->store, shown, &found), id != NULL ? KS_OK : KS_NOT_FOUND);
    if (id != NULL)
        assert_memory_equal(&found, id, sizeof found);
}

/* How many users a list has, for somebody who is in it. */
static inline uint64_t count_list(struct house *house, const struct ks_client_id *except, bool classic_only)
{
    struct ks_store_list_begin request = {
        .request = fixture_request(&house->waiter), .except = *except, .classic_only = classic_only};
    ks_store_list_begin(house->store, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
    return request.count;
}

/* Lets the writer take all that was posted while it was held, and waits for so many answers. */
static inline void commit_together(struct house *house, struct held_writer *held, unsigned answers)
{
    writer_let_go(held);
    for (unsigned i = 0; i < answers; i++)
        fixture_wait_for_answer(&house->waiter);
}

#endif
