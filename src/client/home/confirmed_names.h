/* confirmed_names.h — which names of files the server has confirmed to this home: an empty file for each in
 * the directory put/, named after a digest of the identity's id and the kept name. So it holds for that id
 * only, tells nobody a name, and any number of programs may use it at once. Belongs to a drop; one thread at
 * a time.
 */
#ifndef KS_CLIENT_HOME_CONFIRMED_NAMES_H
#define KS_CLIENT_HOME_CONFIRMED_NAMES_H

#include "client/home/home_files.h"
#include "wire/frame.h"

struct ks_confirmed_names {
    struct kesher_home *directory; /* owned; NULL until the first name */
};

/* Notes what `name`, as it was sent, is kept as. True when it was there before; false when it was not, or
 * when that cannot be known: what fails here loses nothing but the note. */
bool ks_confirmed_names_add(struct ks_confirmed_names *names, const struct kesher_home *home,
                            const struct ks_client_id *id, const char *name);
void ks_confirmed_names_close(struct ks_confirmed_names *names);

#endif
