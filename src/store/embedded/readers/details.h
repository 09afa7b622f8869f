/* details.h — what operators ask about users: read from the disk by the pull thread (pull_reader.h), with
 * what only RAM knows. Any thread calls; the answers are posted. Contracts as in store.h.
 */
#ifndef KS_STORE_EMBEDDED_READERS_DETAILS_H
#define KS_STORE_EMBEDDED_READERS_DETAILS_H

#include "store/embedded/memory/inboxes.h"
#include "store/embedded/memory/puts.h"
#include "store/embedded/memory/users.h"
#include "store/embedded/readers/database_reader.h"
#include "store/store.h"

/* Set before anything else is called; all of it outlives what is asked. */
struct ks_details {
    struct ks_database_reader *reader; /* the pull reader's */
    struct ks_users *users;
    struct ks_inboxes *inboxes;
    struct ks_puts *puts;
};

void ks_details_user(struct ks_details *details, struct ks_store_describe_user *request);
void ks_details_users(struct ks_details *details, struct ks_store_describe_users *request);

#endif
