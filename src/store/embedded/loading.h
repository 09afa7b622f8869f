/* loading.h — what the engine does before its threads run: reads the users and the sums of what waits for
 * them into RAM, gives every file in files/ a row, and makes messages and messages/ agree. On the opener's
 * thread, with the writer's connection.
 */
#ifndef KS_STORE_EMBEDDED_LOADING_H
#define KS_STORE_EMBEDDED_LOADING_H

#include "base/result.h"

struct ks_engine;

/* Reads clients into engine->users, in the order of registration. KS_OK; KS_NO_MEMORY, KS_IO; KS_INVALID when
 * a row breaks the rules of the schema. */
enum ks_result ks_loading_users(struct ks_engine *engine);

/* After the users: makes accounts of those that are, and logs each account without a user. KS_OK;
 * KS_NO_MEMORY, KS_IO; KS_INVALID as above. */
enum ks_result ks_loading_accounts(struct ks_engine *engine);

/* Moves files that lie under secret ids (relocation.h); adopts each file without a row (Verified = 1,
 * FileName = stored name), unless its user was removed, puts the sizes in the rows right, counts what each
 * user has, and logs each row whose file is missing. Memory does not grow with the number of files. KS_OK;
 * KS_NO_SPACE, KS_NO_MEMORY, KS_IO. */
enum ks_result ks_loading_files(struct ks_engine *engine);

/* After the users. Puts the messages aside whose file in messages/ is missing or has another size (damage.h),
 * removes each file there without a row, then fills engine->inboxes and finds the last message id. What waits
 * for users who are no more is left to the removal. KS_OK; KS_NO_SPACE, KS_NO_MEMORY, KS_IO; KS_INVALID when
 * a row breaks the rules of the schema. */
enum ks_result ks_loading_messages(struct ks_engine *engine);

#endif
