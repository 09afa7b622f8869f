/* contract_asking.h — requests of the contract's cases in one line: asked, and waited for. */
#ifndef KS_TESTS_UNIT_STORE_CONTRACT_CONTRACT_ASKING_H
#define KS_TESTS_UNIT_STORE_CONTRACT_CONTRACT_ASKING_H

#include "unit/store/contract/contract.h"

enum { HEAD_SIZE = 32, NO_LIMIT = 256 * 1024 * 1024, LEASE_SECONDS = KS_LEASE_LIFETIME_MS / 1000 };

/* ---- users and keys ---- */

struct ks_store_register register_request(struct party *me, const char *name);
enum ks_result register_user(struct party *me, const char *name, struct ks_client_id *id);
/* With a public key of 160 bytes of this value. */
enum ks_result register_with_key(struct party *me, const char *name, uint8_t byte, struct ks_client_id *id);
/* The id of a new user; fails the test when there is none. */
struct ks_client_id new_user(struct party *me, const char *name);

enum ks_result look_up(struct party *me, const struct ks_client_id *id, struct ks_user *user);
/* *byte: what the key is filled with. */
enum ks_result public_key_of(struct party *me, const struct ks_client_id *id, uint8_t *byte);

struct ks_content_key *new_key(struct party *me, uint8_t byte);
/* Sets a new content key and, unless it is 0, a public key. */
enum ks_result set_keys(struct party *me, const struct ks_client_id *id, uint8_t public_byte,
                        uint8_t content_byte);
/* *byte: what the current content key is filled with. */
enum ks_result content_key_of(struct party *me, const struct ks_client_id *id, uint8_t *byte);
/* The same, with a reference for the caller; fails the test when there is none. */
struct ks_content_key *current_key(struct party *me, const struct ks_client_id *id);

/* ---- uploads ---- */

struct ks_store_stage_open stage_request(struct party *me, const struct ks_client_id *id, const char *name);
/* A stage for a file that declares no size; fails the test when there is none. */
struct ks_stage *open_file(struct party *me, const struct ks_client_id *id, const char *name);
/* The result of asking for a stage of so many bytes, which is discarded. */
enum ks_result try_to_open(struct party *me, const struct ks_client_id *id, const char *name, uint64_t size,
                           enum ks_store_limit *limit);
struct ks_store_stage_write write_request(struct party *me, struct ks_stage *stage, uint8_t *bytes,
                                          size_t size, bool last);
enum ks_result write_chunk(struct party *me, struct ks_stage *stage, const char *text, bool last);
enum ks_result confirm(struct party *me, struct ks_stage *stage, enum ks_store_limit *limit);
enum ks_result discard(struct party *me, struct ks_stage *stage);
/* A complete stage for a file. */
struct ks_stage *stage_file(struct party *me, const struct ks_client_id *id, const char *name,
                            const char *text);
void keep_file(struct party *me, const struct ks_client_id *id, const char *name, const char *text);
/* What storage says of a user's files. */
void assert_files(struct party *me, const char *user, uint64_t files, uint64_t bytes);

/* ---- messages ---- */

struct ks_store_append_message append_request(struct party *me, const struct ks_client_id *receiver,
                                              const struct ks_client_id *sender, const char *text);
enum ks_result try_append(struct party *me, const struct ks_client_id *receiver,
                          const struct ks_client_id *sender, const char *text, enum ks_store_limit *limit);
/* Its id; fails the test when it is not stored. */
uint64_t append(struct party *me, const struct ks_client_id *receiver, const struct ks_client_id *sender,
                const char *text);
/* A complete stage for a message. */
struct ks_stage *stage_message(struct party *me, const struct ks_client_id *sender, const char *text);
enum ks_result append_stage(struct party *me, const struct ks_client_id *receiver,
                            const struct ks_client_id *sender, struct ks_stage *stage, uint32_t size,
                            enum ks_store_limit *limit);

struct ks_store_lease_waiting lease_request(struct party *me, const struct ks_client_id *receiver,
                                            uint64_t owner, uint64_t limit);
struct ks_store_lease_waiting lease_within(struct party *me, const struct ks_client_id *receiver,
                                           uint64_t owner, uint64_t limit);
struct ks_store_lease_waiting lease(struct party *me, const struct ks_client_id *receiver, uint64_t owner);
/* Without joining. */
enum ks_result settle(struct party *me, const struct ks_client_id *receiver, uint64_t owner, uint64_t last);
enum ks_result say_delivered(struct party *me, const struct ks_client_id *receiver, uint64_t owner,
                             uint64_t last);
/* Settles, and was delivered. */
enum ks_result deliver(struct party *me, const struct ks_client_id *receiver, uint64_t owner, uint64_t last);

/* A request that reads a part from its beginning. Each message begins with HEAD_SIZE bytes. */
struct ks_store_lease_read read_request(const struct ks_client_id *receiver,
                                        const struct ks_store_lease_waiting *part, uint8_t *bytes,
                                        size_t capacity);
enum ks_result read_next(struct party *me, struct ks_store_lease_read *request);
/* One call, for its result. */
enum ks_result try_to_read(struct party *me, const struct ks_client_id *receiver,
                           const struct ks_store_lease_waiting *part);
/* All bytes of a part, in pages of this capacity; to be freed. */
uint8_t *read_part(struct party *me, const struct ks_client_id *receiver,
                   const struct ks_store_lease_waiting *part, size_t capacity);

struct heard {
    uint64_t id;
    struct ks_client_id sender;
    uint32_t size;
    uint8_t type;
    const uint8_t *content;
};

/* The message that stands at *at, which moves on. */
struct heard hear(const uint8_t *bytes, size_t *at);

/* What the contents of a part say, as "one two three". */
void assert_part(struct party *me, const struct ks_client_id *receiver,
                 const struct ks_store_lease_waiting *part, const char *expected);
/* What waits, likewise; the lease is given back. */
void assert_waiting(struct party *me, const struct ks_client_id *receiver, const char *expected);

/* ---- operators ---- */

enum ks_result describe(struct party *me, const char *name, struct ks_user_details *details,
                        uint8_t *key_byte);
enum ks_result reset_key(struct party *me, const char *name);
enum ks_result remove_user(struct party *me, const char *name);
enum ks_result probe(struct party *me);

#endif
