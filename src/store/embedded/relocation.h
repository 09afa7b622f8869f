/* relocation.h — files of an older kesher lie in files/<id in hex>/, and the id is a secret; now they lie
 * under its alias. The start moves them, on the opener's thread, before files/ is looked at:
 *
 *   1. each directory that has an id's name is renamed, one user's after the other, and files/ is synced;
 *   2. the rows of users with old paths are changed, some users in each transaction;
 *   3. a setting notes that no row has an old path.
 *
 * A crash leaves users of all kinds: both old, a new directory with old rows, both new; the next start goes
 * on, for each step finds by itself what is left to do. Where a user has both directories (a backup was put
 * back over newer files), the files of the old one join the new one; where both have one of a name, that
 * under the alias is kept, for uploads only go there, and the other one is put aside into damaged/.
 *
 * An id and an alias look alike. A directory is an alias' when that is the alias of somebody who is known, an
 * id's when the id is; what belongs to nobody (its user came after the backup of the database) counts as an
 * id's until step 3 was done once, and its files get rows first, by which it is known from then on.
 */
#ifndef KS_STORE_EMBEDDED_RELOCATION_H
#define KS_STORE_EMBEDDED_RELOCATION_H

#include "base/result.h"
#include "wire/frame.h"

struct ks_engine;

/* After the users and the removals are loaded. `adopt` gives rows to the files in the old directory of an id.
 * KS_OK; KS_NO_SPACE, KS_NO_MEMORY, KS_IO. */
enum ks_result ks_relocation_run(struct ks_engine *engine,
                                 enum ks_result (*adopt)(struct ks_engine *engine,
                                                         const struct ks_client_id *id));

#endif
