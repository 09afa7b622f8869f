/* users_load.h — the users that a start reads, on their way into RAM. They are added all at once, when it is
 * known how many there are: the tables are made in the size that they need, and what one user waits for from
 * memory comes while others are added. Whoever has a load owns it; one thread, before others ask.
 */
#ifndef KS_STORE_EMBEDDED_MEMORY_USERS_LOAD_H
#define KS_STORE_EMBEDDED_MEMORY_USERS_LOAD_H

#include "store/embedded/memory/users.h"

/* Begins as zeros. */
struct ks_users_load {
    struct ks_user_entry *first; /* linked by next_touched: nobody has touched them yet */
    struct ks_user_entry *last;
    size_t count;
};

/* Appends a user; *entry is the load's, and the caller's to fill until ks_users_load_finish: number, since,
 * the keys and what is said of them. KS_OK, KS_NO_MEMORY. */
enum ks_result ks_users_load_add(struct ks_users_load *load, const struct ks_client_id *id, const char *name,
                                 size_t name_size, struct ks_user_entry **entry);

/* Adds and publishes them in the order of appending. The load is empty afterwards, whatever the result is.
 * KS_OK; KS_EXISTS when an id or a name is there twice, KS_NO_MEMORY: then some of them may have been added.
 */
enum ks_result ks_users_load_finish(struct ks_users_load *load, struct ks_users *users);

/* Frees those that were not added. */
void ks_users_load_free(struct ks_users_load *load);

#endif
