/* dismissal.h — keys that the services hand back to the store without waiting for it. Private to src/service.
 *
 * Any loop. Out of memory a key is left to its age.
 */
#ifndef KS_SERVICE_CORE_DISMISSAL_H
#define KS_SERVICE_CORE_DISMISSAL_H

#include "net/connection.h"
#include "store/store.h"

/* Has the store forget a key that is used up. */
void ks_dismissal_of_key(struct ks_store *store, struct ks_loop *loop, const struct ks_client_id *id,
                         struct ks_content_key *key);

#endif
