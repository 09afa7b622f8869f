/* operations.h — what operators may ask and have done: each request of wire/control_codec.h is an
 * *operation*, which asks the store or the groups and gives the lines of its answer, the ending one included.
 *
 * control.c runs operations for programs that come through the control socket, `kesherd user` runs them on a
 * store of its own when no server does. Everything happens on one thread, that of `reply_to`. Private to
 * src/service and src/server.
 */
#ifndef KS_SERVICE_OPERATORS_OPERATIONS_H
#define KS_SERVICE_OPERATORS_OPERATIONS_H

#include "base/clock.h"
#include "base/log.h"
#include "crypto/random.h"
#include "store/store.h"
#include "wire/control_codec.h"

struct ks_alias_key;
struct ks_groups;
struct ks_operation;
struct ks_presence;
struct ks_staged;

/* One for all; read-only. */
struct ks_operations_environment {
    struct ks_store *store;
    const struct ks_random *random;
    const struct ks_clock *clock;
    struct ks_groups *groups;        /* NULL: no server runs, and so there are none */
    struct ks_groups *secure_groups; /* those of the secure port; NULL: none */
    struct ks_staged *staged;        /* as the groups */
    struct ks_presence *presence;    /* who is signed in; likewise */
    const struct ks_alias_key *alias_key;
    bool plain_public_ids;
    const struct ks_log *log;
};

struct ks_operation_events {
    /* The next lines of the answer, whole ones; at most KS_OPERATION_LINES_LIMIT bytes. False: no more for
     * now, until ks_operation_go_on. Must not end or abandon the operation. */
    bool (*lines)(void *context, const char *lines, size_t size);
    /* All were given, and the operation is gone. */
    void (*ended)(void *context);
};

enum { KS_OPERATION_LINES_LIMIT = 32 * 1024 };

/* Begins an operation. KS_OK with *operation, and the events follow, perhaps inside the call: the caller must
 * not touch *operation when `ended` has run. KS_NO_MEMORY. */
enum ks_result ks_operation_begin(const struct ks_operations_environment *environment,
                                  const struct ks_control_request *request, struct ks_executor *reply_to,
                                  const struct ks_operation_events *events, void *context,
                                  struct ks_operation **operation);

/* There is room for more lines. Not from inside an event. */
void ks_operation_go_on(struct ks_operation *operation);

/* Nobody wants the answer any more: no event comes, and the operation goes when it can. What was to be
 * changed is changed all the same. Not from inside an event. */
void ks_operation_abandon(struct ks_operation *operation);

#endif
