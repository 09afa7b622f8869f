/* sweep.h — what happens in the data directory before the vault opens: staging/ is emptied but for what goes
 * on, files/ is walked, what nobody knows of is removed from messages/. Nothing in files/ is changed then.
 * And how the files of a removed user go. Memory does not grow with the number of files. The opener's thread,
 * unless said otherwise.
 */
#ifndef KS_STORE_EMBEDDED_VAULT_SWEEP_H
#define KS_STORE_EMBEDDED_VAULT_SWEEP_H

#include "base/log.h"
#include "store/embedded/vault/vault.h"

#include <sys/stat.h>

/* Removes everything in staging/ but what has come of own files and was last written at `oldest` (wall
 * seconds) or later. KS_OK, KS_NO_MEMORY, KS_IO. */
enum ks_result ks_sweep_clear_staging(int directory_fd, int64_t oldest);

/* What that left. */
struct ks_sweep_staged {
    const char *name;               /* in staging/ */
    struct ks_client_id id;         /* whose … */
    uint8_t put_id[KS_PUT_ID_SIZE]; /* … and which … */
    uint64_t bytes;                 /* … how much has come … */
    int64_t written;                /* … and when it was last written, in wall seconds */
};

/* Calls `visit` for each of these, until one answers something else than KS_OK. KS_OK, KS_NO_MEMORY, KS_IO,
 * or what `visit` said. */
enum ks_result ks_sweep_walk_staging(int directory_fd, const struct ks_alias_key *aliases,
                                     enum ks_result (*visit)(void *context,
                                                             const struct ks_sweep_staged *staged),
                                     void *context);

/* Removes one of them. KS_OK, KS_IO. */
enum ks_result ks_sweep_remove_staged(int directory_fd, const char *name);

/* Removes what is parked of a user who is no more, and has none of it parked any more. Any thread, while the
 * server runs. KS_OK, KS_IO. */
enum ks_result ks_sweep_remove_puts(int directory_fd, const struct ks_alias_key *aliases,
                                    struct ks_puts *puts, const struct ks_client_id *id);

/* Calls `visit` for every directory in files/ that has the name of one, with the 16 bytes that it stands for,
 * until one answers something else than KS_OK; directories that it renames may come again. What else lies
 * there is left. KS_OK, KS_NO_MEMORY, KS_IO, or what `visit` said. */
enum ks_result ks_sweep_walk_directories(int directory_fd,
                                         enum ks_result (*visit)(void *context,
                                                                 const struct ks_client_id *bytes),
                                         void *context);

/* The same for every regular file in a user's directory, with what its stored name stands for as file name
 * and kept name; what is being removed is left out, and what else lies there is logged. */
enum ks_result ks_sweep_walk_files(int directory_fd, const struct ks_alias_key *aliases,
                                   const struct ks_log *log,
                                   enum ks_result (*visit)(void *context, const struct ks_vault_row *row),
                                   void *context);

/* The same for every file in a user's directory that is being removed: `path` is where it was, `removed`
 * where it is. `visit` may delete it. */
enum ks_result ks_sweep_walk_removed(int directory_fd, const struct ks_alias_key *aliases,
                                     enum ks_result (*visit)(void *context, const char *path,
                                                             const char *removed),
                                     void *context);

/* The same as ks_sweep_walk_files for the one directory of this path, which is an old one
 * (ks_names_old_directory) and counts as the user's. */
enum ks_result ks_sweep_walk_directory(int directory_fd, const struct ks_log *log, const char *path,
                                       const struct ks_client_id *id,
                                       enum ks_result (*visit)(void *context, const struct ks_vault_row *row),
                                       void *context);

/* Removes each content from messages/ of which `is_known` says that nobody knows it, and adds them to
 * *removed. What else lies there is logged and left. KS_OK, KS_NO_MEMORY, KS_IO, or what `is_known` said. */
enum ks_result ks_sweep_messages(int directory_fd, const struct ks_log *log,
                                 enum ks_result (*is_known)(void *context, const char *path_name,
                                                            bool *known),
                                 void *context, size_t *removed);

/* Removes the directory of a user who is no more from files/, durably; at most `limit` of its files in one
 * call. KS_OK when it is gone; KS_MORE: call again; KS_NO_MEMORY, KS_IO. Any thread, while the server runs.
 */
enum ks_result ks_sweep_remove_user(int directory_fd, const struct ks_alias_key *aliases,
                                    const struct ks_client_id *id, size_t limit);

/* True when there is a regular file of this path in the data directory. */
bool ks_sweep_has_file(int directory_fd, const char *path_name);

/* True when it also has this size. */
bool ks_sweep_has_file_of_size(int directory_fd, const char *path_name, uint64_t size);

/* When a file was last written, in nanoseconds. */
int64_t ks_sweep_written(const struct stat *status);

/* True when there is a regular file of this path, with its size and when it was written. Any thread. */
bool ks_sweep_look(int directory_fd, const char *path_name, uint64_t *size, int64_t *written);

/* The same, with its size alone. Any thread. */
bool ks_sweep_file_size(int directory_fd, const char *path_name, uint64_t *size);

#endif
