/* home_modes.h — who else may use the files of a home that must be one's own: unlike the classic files, those
 * of the secure port are refused (kesher_home_check_modes only tells). One thread at a time.
 */
#ifndef KS_CLIENT_HOME_HOME_MODES_H
#define KS_CLIENT_HOME_HOME_MODES_H

#include "client/home/home_files.h"

/* Whether nobody but its owner may read or write the file `name` of a home that exists, or put another in its
 * place. KESHER_OK, also when it does not exist; KESHER_INVALID with the commands that mend it; KESHER_FILE.
 */
enum kesher_status ks_home_modes_check_secret(const struct kesher_home *home, const char *name,
                                              struct kesher_error *error);

/* The same for a file that everybody may read. */
enum kesher_status ks_home_modes_check_own(const struct kesher_home *home, const char *name,
                                           struct kesher_error *error);

#endif
