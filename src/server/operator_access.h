/* operator_access.h — the way from an operator's command to whom it asks: a running server, or a store of its
 * own. Main thread. Private to operator*.c.
 */
#ifndef KS_SERVER_OPERATOR_ACCESS_H
#define KS_SERVER_OPERATOR_ACCESS_H

#include "server/server_options.h"
#include "wire/control_codec.h"

enum { KS_OPERATOR_WHY_SIZE = 5120 }; /* room for the path of a data directory */

struct ks_operator_access;

/* Goes as the owner of a data directory, for what works on it without its store: root becomes that user for
 * good. KS_OK; else `why` holds a sentence: KS_NOT_FOUND when there is no data, KS_INVALID when it is not
 * clear whose it is, KS_IO. */
enum ks_result ks_operator_enter(const char *directory, char why[static KS_OPERATOR_WHY_SIZE]);

/* Finds out who holds the data directory of `options`. A server that is just starting or stopping is waited
 * for, some seconds. Run by root on somebody else's directory, where no server is, it becomes that user for
 * good: what the store makes must be its owner's. KS_OK with *access for ks_operator_close; else `why` holds
 * a sentence: KS_NOT_FOUND when there is no data, or what ks_embedded_open says. */
enum ks_result ks_operator_open(const struct ks_server_options *options, struct ks_operator_access **access,
                                char why[static KS_OPERATOR_WHY_SIZE]);
void ks_operator_close(struct ks_operator_access *access); /* NULL is allowed */

/* Gets each line of an answer but the ending one; false stops the answer. */
typedef bool ks_operator_line(void *context, const char *line, size_t size);

/* Asks, and hands over the answer. KS_OK with *end; KS_CLOSED when `line` has stopped it; else `why` holds a
 * sentence. Any number of times. */
enum ks_result ks_operator_ask(struct ks_operator_access *access, const struct ks_control_request *request,
                               ks_operator_line *line, void *context, struct ks_control_end *end,
                               char why[static KS_OPERATOR_WHY_SIZE]);

#endif
