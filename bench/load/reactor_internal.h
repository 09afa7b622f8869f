/* reactor_internal.h — what links know of their reactor, and it of them; for reactor.c and link.c alone. The
 * reactor calls links; links only reach into its lists.
 */
#ifndef KS_BENCH_LOAD_REACTOR_INTERNAL_H
#define KS_BENCH_LOAD_REACTOR_INTERNAL_H

#include "bench/load/link.h"

struct ks_reactor {
    int epoll;
    uint32_t tick_ms;
    ks_reactor_tick *tick;
    void *context;
    bool awake;
    volatile bool stopped;    /* set by a signal handler, too */
    struct ks_link *dirty;    /* links with output to flush at the end of the turn */
    struct ks_link *flushing; /* those of them whose turn is now */
    uint8_t *input; /* KS_LINK_KEPT_LIMIT + KS_LINK_READ_SIZE bytes, for the link whose turn it is */
};

/* What epoll said of a link. */
void ks_link_ready(struct ks_link *link, uint32_t events);

/* Sends what is queued, as far as the kernel takes it. */
void ks_link_flush(struct ks_link *link);

#endif
