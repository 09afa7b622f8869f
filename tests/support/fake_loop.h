/* fake_loop.h — a loop in a test's hand: posted tasks and offloaded work run when the test says so; time is
 * set. */
#ifndef KS_TESTS_SUPPORT_FAKE_LOOP_H
#define KS_TESTS_SUPPORT_FAKE_LOOP_H

#include "base/mailbox.h"
#include "net/connection.h"

struct fake_clock {
    struct ks_clock clock;
    uint64_t monotonic_ms;
    int64_t wall_seconds;
};

struct fake_loop {
    struct ks_loop loop;
    struct ks_mailbox mailbox;
    struct ks_budget contents;
    struct ks_budget answers;
    struct ks_log log;
    struct fake_clock time;
    char *text;          /* of the log; NULL: it is kept nowhere */
    bool without_traces; /* its connections keep none */
};

/* A loop with `buffer_limit` bytes each for contents and answers, logging nowhere. */
void fake_loop_init(struct fake_loop *loop, size_t buffer_limit);

/* A log that is kept says of no machine that it went a way that there is not (base/machine.h). */
void fake_loop_destroy(struct fake_loop *loop);

/* From now on the log is kept. */
void fake_loop_keep_log(struct fake_loop *loop);

/* What the log has: whole lines; good until the next call. */
const char *fake_loop_log(struct fake_loop *loop);

/* Runs posted tasks and offloaded work until nothing is left; returns how many there were. */
unsigned fake_loop_run(struct fake_loop *loop);

#endif
