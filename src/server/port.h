/* port.h — the port of the classic servers: the number in `myport.info`, else in `port.info`, each in the
 * data directory, then in the working directory; else 1357 (protocol.md §1.3, "Ports"). Main thread.
 */
#ifndef KS_SERVER_PORT_H
#define KS_SERVER_PORT_H

#include "base/log.h"

enum { KS_DEFAULT_PORT = 1357 };

/* The port to listen on. A file that is there but holds no port is skipped with a warning, and so is the lack
 * of any (protocol.md, "Ports"). */
unsigned ks_port_find(const char *data_directory, const struct ks_log *log);

#endif
