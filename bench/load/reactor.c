/* reactor.c — see reactor.h. */
#include "bench/load/reactor.h"

#include "base/clock.h"
#include "bench/load/reactor_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_OF_A_TURN = 512 };

enum ks_result ks_reactor_new(uint32_t tick_ms, ks_reactor_tick *tick, void *context, bool awake,
                              struct ks_reactor **reactor)
{
    struct ks_reactor *made = calloc(1, sizeof *made);
    if (made == NULL)
        return KS_NO_MEMORY;
    *made = (struct ks_reactor){.tick_ms = tick_ms, .tick = tick, .context = context, .awake = awake};
    made->epoll = epoll_create1(EPOLL_CLOEXEC);
    made->input = malloc(KS_REACTOR_INPUT_SIZE);
    made->sealed = malloc(KS_LOAD_LINK_READ_SIZE);
    if (made->epoll < 0 || made->input == NULL || made->sealed == NULL) {
        enum ks_result result = made->epoll < 0 ? KS_IO : KS_NO_MEMORY;
        ks_reactor_free(made);
        return result;
    }
    *reactor = made;
    return KS_OK;
}

void ks_reactor_free(struct ks_reactor *reactor)
{
    if (reactor == NULL)
        return;
    if (reactor->epoll >= 0)
        (void)close(reactor->epoll);
    free(reactor->input);
    free(reactor->sealed);
    free(reactor);
}

void ks_reactor_stop(struct ks_reactor *reactor)
{
    reactor->stopped = true;
}

/* Each link once: whoever writes again while it is flushed has its next turn after the answers were read. */
static void flush_all(struct ks_reactor *reactor)
{
    reactor->flushing = reactor->dirty;
    reactor->dirty = NULL;
    while (reactor->flushing != NULL) {
        struct ks_load_link *link = reactor->flushing;
        reactor->flushing = link->next_dirty;
        link->dirty = false;
        ks_load_link_flush(link);
    }
}

/* Milliseconds until the next tick, at least 0. */
static int time_left(uint64_t now_ns, uint64_t next_tick_ns)
{
    return next_tick_ns > now_ns ? (int)((next_tick_ns - now_ns) / 1000000 + 1) : 0;
}

enum ks_result ks_reactor_run(struct ks_reactor *reactor)
{
    struct epoll_event events[EVENTS_OF_A_TURN];
    const uint64_t tick_ns = (uint64_t)reactor->tick_ms * 1000000;
    uint64_t now = ks_clock_stopwatch_ns();
    uint64_t next_tick = now + tick_ns;
    reactor->stopped = false;
    while (!reactor->stopped) {
        flush_all(reactor);
        int timeout = reactor->awake || reactor->dirty != NULL ? 0 : time_left(now, next_tick);
        int count = epoll_wait(reactor->epoll, events, EVENTS_OF_A_TURN, timeout);
        if (count < 0 && errno != EINTR)
            return KS_IO;
        /* A link that one event closes may not be reused within its turn: its owner keeps the memory
         * (load_link.h). */
        for (int i = 0; i < count && !reactor->stopped; i++)
            ks_load_link_ready(events[i].data.ptr, events[i].events);
        now = ks_clock_stopwatch_ns();
        if (now >= next_tick) {
            next_tick = now + tick_ns;
            reactor->tick(reactor->context, now);
        }
    }
    return KS_OK;
}
