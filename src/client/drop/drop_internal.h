/* drop_internal.h — the inside of a kesher_drop, for the files that make it up: drop.c (opening, closing, the
 * public calls), upload.c (one file) and pipelined.c (many small ones). One thread at a time.
 */
#ifndef KS_CLIENT_DROP_DROP_INTERNAL_H
#define KS_CLIENT_DROP_DROP_INTERNAL_H

#include "client/drop/pipeline.h"
#include "client/home/confirmed_names.h"
#include "client/transport/client_session.h"

#include <kesher/drop.h>

/* Contents up to this size are sent from one buffer in one piece, larger ones through the pipeline. */
enum { KS_DROP_SMALL_CONTENT = 256 * 1024 };

struct kesher_drop {
    struct ks_client_session session;
    struct ks_pipeline *pipeline; /* made for the first large file */
    struct ks_confirmed_names confirmed;
    uint8_t small[KS_REQUEST_HEADER_SIZE + KS_SEND_FILE_FIXED_SIZE + KS_DROP_SMALL_CONTENT];
};

#endif
