/* load_users.h — users for a run: registered at a server with connections of their own, before the load
 * begins. All share one pair of RSA keys, and names that no other run has. Main thread.
 */
#ifndef KS_BENCH_TRAFFIC_LOAD_USERS_H
#define KS_BENCH_TRAFFIC_LOAD_USERS_H

#include "bench/load/run.h"
#include "wire/drop_codec.h"

enum ks_load_users_service {
    KS_LOAD_USERS_DROP,     /* registered with 1025 */
    KS_LOAD_USERS_MESSAGES, /* registered with 600 and the public key */
};

struct ks_load_users;

/* Registers `count` users, at least one, and runs the loop meanwhile. False when the run has failed: then
 * run->reason says why. *users is for ks_load_users_free, whatever is returned. */
bool ks_load_users_register(struct ks_run *run, enum ks_load_users_service service, uint32_t count,
                            struct ks_load_users **users);
void ks_load_users_free(struct ks_load_users *users); /* NULL is allowed */

/* The id that the server gave to user `index`. */
const struct ks_client_id *ks_load_users_id(const struct ks_load_users *users, uint32_t index);

/* A text of eight digits that only this run has, for names of its own. */
const char *ks_load_users_tag(const struct ks_load_users *users);

/* ---- keys ---- */

enum { KS_LOAD_USERS_KEY_REQUEST_SIZE = KS_REQUEST_HEADER_SIZE + KS_NAME_AND_KEY_PAYLOAD_SIZE };

/* Writes a 1026 of user `index`, of those registered with 1025: its answer 2102 brings a fresh AES key. */
void ks_load_users_ask_for_key(const struct ks_load_users *users, uint32_t index,
                               uint8_t request[static KS_LOAD_USERS_KEY_REQUEST_SIZE]);

/* The AES key in the payload of a 2102 to user `index`. KS_OK; KS_INVALID when it is for somebody else, has
 * another size or was not made with our public key; KS_NO_MEMORY. */
enum ks_result ks_load_users_open_key(const struct ks_load_users *users, uint32_t index,
                                      const uint8_t *payload, size_t size,
                                      uint8_t key[static KS_CONTENT_KEY_SIZE]);

/* ---- aliases ---- */

/* Learns from a list of users (601, asked for by user `asker`, whom it leaves out) how the server calls each
 * of the other users to others; runs the loop meanwhile. False when the run has failed, as when one of them
 * is not in the list exactly once. */
bool ks_load_users_learn_aliases(struct ks_load_users *users, struct ks_run *run, uint32_t asker);

/* The user whom others see as `alias`: `hint` when it is that one, which is quick, else any. False when it is
 * none of ours. */
bool ks_load_users_find(const struct ks_load_users *users, const struct ks_client_id *alias, uint32_t hint,
                        uint32_t *index);

#endif
