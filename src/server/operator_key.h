/* operator_key.h — the host key in operators' commands: `kesherd key next` and `kesherd key use`, and what
 * `kesherd check` has to say of it, beside what the store says of itself. Main thread. Private to
 * operator*.c.
 */
#ifndef KS_SERVER_OPERATOR_KEY_H
#define KS_SERVER_OPERATOR_KEY_H

#include "server/operator_access.h"
#include "server/server_options.h"

/* The data directory is found; root becomes its owner for good. They return the exit status. */
int ks_operator_key_next(const struct ks_server_options *options);
int ks_operator_key_use(const struct ks_server_options *options);

/* ---- check ---- */

/* Looks at the directory of the host key as the owner of the data directory, which root becomes for good;
 * when there is none, asks whether there are accounts, whose clients know it. True when there is something to
 * tell. */
bool ks_operator_check_host_key(const struct ks_server_options *options, struct ks_control_finding *finding);

/* A ks_operator_line that adds the finding to the answer of a check, before the line with the sums, and
 * counts it there. */
struct ks_operator_check {
    const struct ks_control_finding *finding; /* NULL: none */
    bool was_wrong;                           /* the finding told of something wrong */
    ks_operator_line *line;                   /* gets what comes out */
    void *context;
};

bool ks_operator_check_line(void *check, const char *line, size_t size);

#endif
