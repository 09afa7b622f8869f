/* notify.h — tells the service manager how the server is: sd_notify(3) without libsystemd.
 *
 * When nobody asks ($NOTIFY_SOCKET is not set) every call is a cheap no-op. A call waits a few seconds at
 * most for a manager that does not read. Main thread.
 */
#ifndef KS_SERVER_NOTIFY_H
#define KS_SERVER_NOTIFY_H

#include "base/log.h"
#include "base/result.h"

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct ks_notify {
    int fd; /* -1: nobody asks */
    struct sockaddr_un address;
    socklen_t address_size;
    uint64_t watchdog_ms; /* how often ks_notify_alive is wanted; 0: not at all */
};

/* Reads $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID. KS_OK, also when nobody asks; KS_INVALID when the
 * socket's name is none that can be used; KS_IO. After an error nobody is told anything. */
enum ks_result ks_notify_open(struct ks_notify *notify);
void ks_notify_close(struct ks_notify *notify);

/* Everything is served, at the start and after a reload; `status` is for people, one line, cut at a kilobyte.
 * All of these: KS_OK, also when nobody asks, or KS_IO (errno). */
enum ks_result ks_notify_ready(const struct ks_notify *notify, const char *status);
enum ks_result ks_notify_reloading(const struct ks_notify *notify); /* ks_notify_ready must follow */
enum ks_result ks_notify_stopping(const struct ks_notify *notify);
enum ks_result ks_notify_alive(const struct ks_notify *notify); /* for the watchdog */

/* Writes a line when the manager could not be told: no reason to stop. */
void ks_notify_check(const struct ks_log *log, enum ks_result told);

#endif
