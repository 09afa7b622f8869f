/* wakes.c — see wakes.h. */
#include "base/wakes.h"

#include <stddef.h>

enum {
    HELD_LIMIT = 16,  /* different ones that wait: more are woken at once */
    POSTS_LIMIT = 32, /* by then there is enough to do for who is woken */
};

struct held_wake {
    void (*wake)(void *who);
    void *who;
};

static _Thread_local struct {
    bool is_holding;
    unsigned posts;
    size_t count;
    struct held_wake held[HELD_LIMIT];
} wakes;

void ks_wakes_flush(void)
{
    for (size_t i = 0; i < wakes.count; i++)
        wakes.held[i].wake(wakes.held[i].who);
    wakes.count = 0;
    wakes.posts = 0;
}

void ks_wakes_hold(void)
{
    wakes.is_holding = true;
}

void ks_wakes_release(void)
{
    ks_wakes_flush();
    wakes.is_holding = false;
}

void ks_wakes_ask(void (*wake)(void *who), void *who)
{
    for (size_t i = 0; i < wakes.count; i++)
        if (wakes.held[i].who == who)
            return;
    if (wakes.is_holding && wakes.count < HELD_LIMIT)
        wakes.held[wakes.count++] = (struct held_wake){.wake = wake, .who = who};
    else
        wake(who);
}

bool ks_wakes_forget(const void *who)
{
    for (size_t i = 0; i < wakes.count; i++)
        if (wakes.held[i].who == who) {
            wakes.held[i] = wakes.held[--wakes.count];
            return true;
        }
    return false;
}

void ks_wakes_count(void)
{
    if (wakes.count > 0 && ++wakes.posts >= POSTS_LIMIT)
        ks_wakes_flush();
}
