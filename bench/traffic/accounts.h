/* accounts.h — users for a run: registered at a server with connections of their own, before the load begins.
 * All share one pair of RSA keys, and names that no other run has. Main thread.
 */
#ifndef KS_BENCH_TRAFFIC_ACCOUNTS_H
#define KS_BENCH_TRAFFIC_ACCOUNTS_H

#include "bench/load/run.h"
#include "wire/drop_codec.h"

enum ks_account_service {
    KS_ACCOUNT_DROP,     /* registered with 1025 */
    KS_ACCOUNT_MESSAGES, /* registered with 600 and the public key */
};

struct ks_accounts;

/* Registers `count` users, at least one, and runs the loop meanwhile. False when the run has failed: then
 * run->reason says why. *accounts is for ks_accounts_free, whatever is returned. */
bool ks_accounts_register(struct ks_run *run, enum ks_account_service service, uint32_t count,
                          struct ks_accounts **accounts);
void ks_accounts_free(struct ks_accounts *accounts); /* NULL is allowed */

/* The id that the server gave to user `index`. */
const struct ks_client_id *ks_accounts_id(const struct ks_accounts *accounts, uint32_t index);

/* A text of eight digits that only this run has, for names of its own. */
const char *ks_accounts_tag(const struct ks_accounts *accounts);

/* ---- keys ---- */

enum { KS_ACCOUNTS_KEY_REQUEST_SIZE = KS_REQUEST_HEADER_SIZE + KS_NAME_AND_KEY_PAYLOAD_SIZE };

/* Writes a 1026 of user `index`, of those registered with 1025: its answer 2102 brings a fresh AES key. */
void ks_accounts_ask_for_key(const struct ks_accounts *accounts, uint32_t index,
                             uint8_t request[static KS_ACCOUNTS_KEY_REQUEST_SIZE]);

/* The AES key in the payload of a 2102 to user `index`. KS_OK; KS_INVALID when it is for somebody else, has
 * another size or was not made with our public key; KS_NO_MEMORY. */
enum ks_result ks_accounts_open_key(const struct ks_accounts *accounts, uint32_t index,
                                    const uint8_t *payload, size_t size,
                                    uint8_t key[static KS_CONTENT_KEY_SIZE]);

/* ---- aliases ---- */

/* Learns from a list of users (601, asked for by user `asker`, whom it leaves out) how the server calls each
 * of the other users to others; runs the loop meanwhile. False when the run has failed, as when one of them
 * is not in the list exactly once. */
bool ks_accounts_learn_aliases(struct ks_accounts *accounts, struct ks_run *run, uint32_t asker);

/* The user whom others see as `alias`: `hint` when it is that one, which is quick, else any. False when it is
 * none of ours. */
bool ks_accounts_find(const struct ks_accounts *accounts, const struct ks_client_id *alias, uint32_t hint,
                      uint32_t *index);

#endif
