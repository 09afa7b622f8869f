/* reactor_internal.h — what links know of their reactor, and it of them; for reactor.c and link.c alone. The
 * reactor calls links; links only reach into its lists.
 */
#ifndef KS_BENCH_LOAD_REACTOR_INTERNAL_H
#define KS_BENCH_LOAD_REACTOR_INTERNAL_H

#include "bench/load/load_link.h"

struct ks_reactor {
    int epoll;
    uint32_t tick_ms;
    ks_reactor_tick *tick;
    void *context;
    bool awake;
    volatile bool stopped;         /* set by a signal handler, too */
    struct ks_load_link *dirty;    /* links with output to flush at the end of the turn */
    struct ks_load_link *flushing; /* those of them whose turn is now */
    uint8_t *input;                /* of KS_REACTOR_INPUT_SIZE, for the link whose turn it is */
    uint8_t *sealed;               /* of KS_LOAD_LINK_READ_SIZE: what came to it before it was decrypted */
    char why[KS_TLS_WHY_SIZE];     /* ks_load_link_why */
};

enum { KS_REACTOR_INPUT_SIZE = KS_LOAD_LINK_KEPT_LIMIT + KS_LOAD_LINK_READ_SIZE + KS_SEALING_EXCESS };

/* What epoll said of a link. */
void ks_load_link_ready(struct ks_load_link *link, uint32_t events);

/* Sends what is queued, as far as the kernel takes it. */
void ks_load_link_flush(struct ks_load_link *link);

#endif
