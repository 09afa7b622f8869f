/* landing.h — a file that is fetched, from its target to its name. Several that are complete are made safe
 * together, so that they share the syncs: data first, then names, then directories. One thread at a time.
 */
#ifndef KS_CLIENT_FILES_LANDING_H
#define KS_CLIENT_FILES_LANDING_H

#include "client/files/partial_file.h"

struct ks_landing {
    struct ks_destination destination;
    struct ks_partial_file partial;
    /* Of ks_landings_settle. */
    enum kesher_status status;
    bool replaced;
    struct kesher_error error; /* unless the status is KESHER_OK */
};

enum {
    KS_LANDING_DESCRIPTORS = 2, /* that each has open */
    KS_LANDINGS_LIMIT = 64,     /* together */
};

/* Gives complete files their names, at most KS_LANDINGS_LIMIT, in the order in which their partial files were
 * opened. With KESHER_OK as its status a file and its name outlive a power cut. KESHER_EXISTS: something came
 * there meanwhile; KESHER_FILE. They still have to be closed. */
void ks_landings_settle(struct ks_landing *const *landings, size_t count);

#endif
