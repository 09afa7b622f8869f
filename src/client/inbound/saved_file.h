/* saved_file.h — a received file, decrypted into a directory under a name of its own. One thread at a time.
 */
#ifndef KS_CLIENT_INBOUND_SAVED_FILE_H
#define KS_CLIENT_INBOUND_SAVED_FILE_H

#include "client/inbound/plaintext.h"

#include <kesher/home.h>

enum { KS_SAVED_FILE_NAME_SIZE = 112 }; /* with its NUL */

/* The name for a file from `sender`: its letters, digits, dots, blanks and dashes made safe (only
 * [A-Za-z0-9._-], no leading dot or dash), the message id, and from the second attempt on its number. */
void ks_saved_file_name(const char *sender, uint32_t message_id, unsigned attempt,
                        char name[static KS_SAVED_FILE_NAME_SIZE]);

/* Writes all of `plaintext` to a new file (0600) in `directory`, synced, and under a name that did not exist.
 * KESHER_OK with its absolute `path`; KESHER_FILE; KESHER_CRYPTO. */
enum kesher_status ks_saved_file_write(const char *directory, const char *sender, uint32_t message_id,
                                       struct ks_plaintext *plaintext, char path[static KESHER_PATH_SIZE],
                                       struct kesher_error *error);

#endif
