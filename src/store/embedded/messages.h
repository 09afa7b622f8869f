/* messages.h — the requests about messages, as operations of the engine (contracts in store.h): RAM answers
 * what it can, the writer appends and deletes, the pull thread reads.
 */
#ifndef KS_STORE_EMBEDDED_MESSAGES_H
#define KS_STORE_EMBEDDED_MESSAGES_H

#include "store/store.h"

struct ks_engine;

/* Any thread. */
void ks_messages_append(struct ks_store *store, struct ks_store_append_message *request);
void ks_messages_lease_waiting(struct ks_store *store, struct ks_store_lease_waiting *request);
void ks_messages_lease_read(struct ks_store *store, struct ks_store_lease_read *request);
enum ks_result ks_messages_lease_settle(struct ks_store *store, const struct ks_client_id *receiver,
                                        uint64_t owner, uint64_t last, bool *joins);
void ks_messages_lease_delivered(struct ks_store *store, struct ks_store_lease_delivered *request);
void ks_messages_lease_renew(struct ks_store *store, const struct ks_client_id *receiver, uint64_t owner);
void ks_messages_lease_release(struct ks_store *store, const struct ks_client_id *receiver, uint64_t owner);

/* The writer's thread: gives a message its id, to be committed with the batch. `place` is the path of a
 * content that lies in a file, and lives as long as the request; NULL when it is request->content. KS_OK with
 * request->message_id; KS_NOT_FOUND, KS_REFUSED at a limit, KS_NO_MEMORY; else the batch has failed. */
enum ks_result ks_messages_apply(struct ks_engine *engine, struct ks_store_append_message *request,
                                 const char *place);

/* The writer's thread: the same for a message without a place that has waited for a count (counting.h), and
 * settles it with the batch. */
void ks_messages_apply_counted(struct ks_store_append_message *request);

/* The writer's thread, when the batch is over, for what was applied with KS_OK: from now on it waits. KS_OK,
 * or why it does not. */
enum ks_result ks_messages_settle(struct ks_engine *engine, const struct ks_store_append_message *request);

#endif
