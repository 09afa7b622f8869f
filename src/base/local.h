/* local.h — stream sockets in the file system, between programs of one machine (unix(7)). Blocking calls, all
 * of them short; any thread.
 *
 * A path may be as long as any other file's: where the system's address has no room for it, it is reached by
 * way of its directory.
 */
#ifndef KS_BASE_LOCAL_H
#define KS_BASE_LOCAL_H

#include "base/result.h"

#include <stdbool.h>

/* A non-blocking socket that listens at `path`, which only its owner may open (0600, whatever the umask). A
 * socket that lies there is replaced, so the caller makes sure that nobody uses it. KS_OK with *fd for close;
 * KS_EXISTS when something lies there that is no socket; KS_IO (errno). */
enum ks_result ks_local_listen(const char *path, int backlog, int *fd);

/* A blocking socket connected to `path`. KS_OK with *fd for close; KS_NOT_FOUND when nobody listens there;
 * KS_IO (errno). */
enum ks_result ks_local_connect(const char *path, int *fd);

/* True when the other end of a connected socket is a program of the same user as ours, or of root. */
bool ks_local_peer_is_trusted(int fd);

#endif
