/* loading.h — what the engine does before its threads run: reads the users into RAM and gives every file in
 * files/ a row. On the opener's thread, with the writer's connection.
 */
#ifndef KS_STORE_SQLITE_LOADING_H
#define KS_STORE_SQLITE_LOADING_H

#include "base/result.h"

struct ks_engine;

/* Reads clients into engine->users, in the order of registration. KS_OK; KS_NO_MEMORY, KS_IO; KS_INVALID when
 * a row breaks the rules of the schema. */
enum ks_result ks_loading_users(struct ks_engine *engine);

/* Adopts each file without a row (Verified = 1, FileName = stored name) and logs each row whose file is
 * missing. Memory does not grow with the number of files. KS_OK; KS_NO_SPACE, KS_NO_MEMORY, KS_IO. */
enum ks_result ks_loading_files(struct ks_engine *engine);

#endif
