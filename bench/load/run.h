/* run.h — what all modes share: the loop, the phases of a run (prepare, warm up, measure, verify), progress,
 * the failure that ends it, and what the server used meanwhile. Main thread.
 *
 * A mode is a function of modes.h. It opens fleets on run->reactor, calls ks_run_measure when all are ready,
 * counts into run->operations and run->latency while run->measuring, and ends by itself or when `finish` is
 * called. Whatever goes wrong is told once with ks_run_fail, which stops the loop.
 */
#ifndef KS_BENCH_LOAD_RUN_H
#define KS_BENCH_LOAD_RUN_H

#include "bench/load/findings.h"
#include "bench/load/fleet.h"
#include "bench/load/percentiles.h"
#include "bench/load/process.h"
#include "bench/load/reactor.h"
#include "bench/load/settings.h"

enum { KS_RUN_REASON_SIZE = 256 };

struct ks_run {
    const struct ks_settings *settings;
    struct ks_reactor *reactor;
    struct ks_tls_context *tls; /* with --secure: of its links; else NULL */
    struct ks_findings findings;
    struct ks_percentiles latency; /* ns; of operations that ended while measuring */
    uint64_t operations;           /* that ended while measuring */
    bool measuring;
    bool failed;
    char reason[KS_RUN_REASON_SIZE];

    /* Set by the mode, or NULL: the measured time is over. It is called once; the mode ends what is on its
     * way and calls ks_reactor_stop. Without it the loop stops. */
    void (*finish)(void *context);
    void *context;

    /* Private. */
    const char *phase;
    uint64_t done, total;
    uint64_t measured_from_ns, measured_ns;
    uint64_t due_ns;      /* when the warm-up or the measurement ends */
    uint64_t moved_at_ns; /* when something was last done, */
    uint64_t moved_to;    /* and how much had been done then */
    uint64_t shown_at_ns; /* when progress was last shown */
    struct ks_process before, after;
    bool warming, until_done, finishing, has_process, shows_progress;
};

/* Prepares a run; frees with ks_run_end. KS_OK, or the reason is in run->reason. */
enum ks_result ks_run_begin(struct ks_run *run, const struct ks_settings *settings);
void ks_run_end(struct ks_run *run);

/* Runs the loop until it is stopped. False when the run has failed. */
bool ks_run_loop(struct ks_run *run);

/* What is being done, for the line of progress on a terminal: "registering", 17 of 100. `total` 0: unknown.
 */
void ks_run_phase(struct ks_run *run, const char *phase, uint64_t done, uint64_t total);

/* All is ready: the warm-up begins, and after it the measurement, which lasts for settings->duration_ms. With
 * `until_done` there is no warm-up and no time limit: the mode calls ks_run_measured when its work is done.
 */
void ks_run_measure(struct ks_run *run, bool until_done);

/* The measurement ends now. */
void ks_run_measured(struct ks_run *run);

/* Something that must not be: one line for people, what and where. Only the first is kept. Stops the loop. */
void ks_run_fail(struct ks_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A connection could not be opened, or is over where more was to come: fails, naming what was being done
 * ("registering") and what `error`, of a link's `ended`, means; where that is 0 and the protocol one of
 * kesherd, also where to look. */
void ks_run_lost(struct ks_run *run, const char *doing, int error);

/* What `error` of a link's `ended`, not 0, means: in `text`, or elsewhere until the next such end. */
const char *ks_run_why(const struct ks_run *run, int error, char *text, size_t capacity);

/* How long the measurement lasted, once it is over. */
double ks_run_seconds(const struct ks_run *run);

/* Rows that the findings of every mode have: seconds, `what`, `what`_per_second, latency, and with --pid the
 * server's CPU in microseconds per operation (server_cpu_us_per_`what without s`), its share of one core, and
 * resident bytes. `operations` names them in the plural: "requests". */
void ks_run_add_findings(struct ks_run *run, const char *operations);

#endif
