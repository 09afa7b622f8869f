/* newcomers.h — users that are about to be: what registrations on either port have in common. The writer's
 * thread, inside the batch; what fails, fails as the requests of store.h do.
 */
#ifndef KS_STORE_EMBEDDED_NEWCOMERS_H
#define KS_STORE_EMBEDDED_NEWCOMERS_H

#include "crypto/random.h"
#include "store/store.h"

struct ks_engine;
struct ks_user_entry;

/* The skeleton that was given; for an empty one the name in ASCII's lower case. Pure. */
void ks_newcomer_skeleton(const char name[static KS_TEXT_FIELD_SIZE],
                          const char given[static KS_SKELETON_SIZE], char skeleton[static KS_SKELETON_SIZE]);

/* KS_TOO_LARGE when there are as many users as there may be: with those of this batch, so nobody slips in. */
enum ks_result ks_newcomer_judge_number(struct ks_engine *engine);

/* An id as classic clients can show it. */
enum ks_result ks_newcomer_draw_id(const struct ks_random *random, struct ks_client_id *id);

/* The same, which is nobody's: KS_CRYPTO when chance does not give one. */
enum ks_result ks_newcomer_draw_fresh_id(struct ks_engine *engine, struct ks_client_id *id);

/* Adds the unpublished user in RAM, who holds its name from now on. KS_EXISTS when name or id is taken. */
enum ks_result ks_newcomer_add(struct ks_engine *engine, const struct ks_client_id *id,
                               const char name[static KS_TEXT_FIELD_SIZE], struct ks_user_entry **entry);

/* And its row. `public_key` has KS_PUBLIC_KEY_SIZE bytes, or is NULL. */
enum ks_result ks_newcomer_insert(struct ks_engine *engine, struct ks_user_entry *entry, const char *skeleton,
                                  const uint8_t *public_key);

#endif
