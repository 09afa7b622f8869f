/* contract_account_asking.h — requests about accounts and invitations in one line: asked, and waited for.
 * Keys and invitations are filled with one byte.
 */
#ifndef KS_TESTS_UNIT_STORE_CONTRACT_CONTRACT_ACCOUNT_ASKING_H
#define KS_TESTS_UNIT_STORE_CONTRACT_CONTRACT_ACCOUNT_ASKING_H

#include "unit/store/contract/contract_asking.h"

/* Without an invitation; `skeleton` is NULL for none. */
struct ks_store_register_account account_request(struct party *me, const char *name, const char *skeleton,
                                                 uint8_t key);
struct ks_store_register_account invited_request(struct party *me, const char *name, uint8_t key,
                                                 uint8_t invitation);

enum ks_result register_account(struct party *me, const char *name, uint8_t key, struct ks_account *account);
enum ks_result register_invited(struct party *me, const char *name, uint8_t key, uint8_t invitation,
                                struct ks_account *account);
enum ks_result register_alike(struct party *me, const char *name, const char *skeleton, uint8_t key);
/* The id of a new account; fails the test when there is none. */
struct ks_client_id new_account(struct party *me, const char *name, uint8_t key);
/* A classic registration. */
enum ks_result register_classic(struct party *me, const char *name, const char *skeleton);

enum ks_result sign_in(struct party *me, uint8_t key, struct ks_account *account);
enum ks_result adopt(struct party *me, const struct ks_client_id *id, uint8_t key,
                     struct ks_account *account);
/* *classic_id is NULL, or what it is now. */
enum ks_result set_classic(struct party *me, const struct ks_client_id *id, bool on, uint8_t public_byte,
                           struct ks_client_id *classic_id);
/* A new classic id; fails the test when there is none. */
struct ks_client_id classic_on(struct party *me, const struct ks_client_id *id, uint8_t public_byte);
enum ks_result remove_account(struct party *me, const char *name, uint8_t key);
enum ks_result invite(struct party *me, uint8_t invitation, unsigned uses, int64_t until, const char *name);
enum ks_result name_holder(struct party *me, const char *skeleton, struct ks_client_id *id);

/* What an id stands for on a classic port: this one, or nobody. */
void assert_stands_for(struct party *me, const struct ks_client_id *shown, const struct ks_client_id *id);
void assert_stands_for_nobody(struct party *me, const struct ks_client_id *shown);
/* The key is the account of this name, with this id. */
void assert_account(struct party *me, uint8_t key, const char *name, const struct ks_client_id *id);

/* How many the list of one who asks has, by its count and by its pages, which must agree. */
uint64_t count_list(struct party *me, const struct ks_client_id *except, bool classic_only);

#endif
