/* run.c — see run.h. */
#include "bench/load/run.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    TICK_MS = 10,
    SHOW_EVERY_MS = 200,
    STALL_SECONDS = 60, /* without anything done, where something must be */
};

static const uint64_t second_ns = UINT64_C(1000000000);

void ks_run_fail(struct ks_run *run, const char *format, ...)
{
    va_list arguments;
    if (run->failed)
        return;
    run->failed = true;
    va_start(arguments, format);
    (void)vsnprintf(run->reason, sizeof run->reason, format, arguments);
    va_end(arguments);
    if (run->reactor != NULL)
        ks_reactor_stop(run->reactor);
}

/* Options are told where the server is ours, as it is with these protocols. */
static const char *why_ended(const char *protocol)
{
    if (strcmp(protocol, "kesher") == 0 || strcmp(protocol, "chat") == 0 || strcmp(protocol, "ask") == 0)
        return "the server has ended the connection; of kesherd, see its log, --connections and "
               "--unlimited-networks";
    return "the server has ended the connection";
}

void ks_run_lost(struct ks_run *run, const char *doing, int error)
{
    char text[128];
    const char *why =
        error == 0 ? why_ended(run->settings->protocol) : ks_run_why(run, error, text, sizeof text);
    ks_run_fail(run, "%s: %s", doing, why);
}

const char *ks_run_why(const struct ks_run *run, int error, char *text, size_t capacity)
{
    return error == EPROTO ? ks_load_link_why(run->reactor) : strerror_r(error, text, capacity);
}

/* ---- progress ---- */

static void clear_line(const struct ks_run *run)
{
    if (run->shows_progress)
        (void)fputs("\r\033[K", stderr);
}

static void show(struct ks_run *run, uint64_t now_ns)
{
    if (!run->shows_progress || now_ns - run->shown_at_ns < SHOW_EVERY_MS * UINT64_C(1000000))
        return;
    run->shown_at_ns = now_ns;
    clear_line(run);
    if (run->measuring && !run->until_done)
        (void)fprintf(stderr, "measuring: %.1f s to go, %" PRIu64 " done",
                      run->due_ns > now_ns ? (double)(run->due_ns - now_ns) / 1e9 : 0.0, run->operations);
    else if (run->measuring)
        (void)fprintf(stderr, "measuring: %" PRIu64 " done", run->operations);
    else if (run->phase != NULL && run->total > 0)
        (void)fprintf(stderr, "%s: %" PRIu64 " of %" PRIu64, run->phase, run->done, run->total);
    else if (run->phase != NULL)
        (void)fputs(run->phase, stderr);
    (void)fflush(stderr);
}

void ks_run_phase(struct ks_run *run, const char *phase, uint64_t done, uint64_t total)
{
    run->phase = phase;
    run->done = done;
    run->total = total;
}

/* ---- time ---- */

static void measure_process(struct ks_run *run, struct ks_process *process)
{
    if (run->settings->pid == 0)
        return;
    enum ks_result result = ks_process_measure((pid_t)run->settings->pid, process);
    if (result != KS_OK)
        ks_run_fail(run, "cannot measure process %" PRIu64 ": %s", run->settings->pid,
                    ks_result_text(result));
    else
        run->has_process = true;
}

static void begin_measuring(struct ks_run *run)
{
    run->warming = false;
    run->measuring = true;
    run->operations = 0;
    memset(&run->latency, 0, sizeof run->latency);
    measure_process(run, &run->before);
    run->measured_from_ns = ks_clock_stopwatch_ns();
    run->due_ns = run->measured_from_ns + run->settings->duration_ms * 1000000;
}

void ks_run_measure(struct ks_run *run, bool until_done)
{
    run->until_done = until_done;
    ks_run_phase(run, "warming up", 0, 0);
    if (until_done || run->settings->warm_up_ms == 0) {
        begin_measuring(run);
        return;
    }
    run->warming = true;
    run->due_ns = ks_clock_stopwatch_ns() + run->settings->warm_up_ms * 1000000;
}

void ks_run_measured(struct ks_run *run)
{
    if (!run->measuring)
        return;
    run->measuring = false;
    run->measured_ns = ks_clock_stopwatch_ns() - run->measured_from_ns;
    measure_process(run, &run->after);
}

static void end_of_time(struct ks_run *run)
{
    ks_run_measured(run);
    ks_run_phase(run, "finishing", 0, 0);
    run->finishing = true;
    if (run->finish != NULL)
        run->finish(run->context);
    else
        ks_reactor_stop(run->reactor);
}

/* Where something must go on, nothing for STALL_SECONDS is a failure, so that no run hangs. */
static void watch_for_stall(struct ks_run *run, uint64_t now_ns)
{
    bool expected = run->total > 0 || run->finishing || (run->measuring && run->until_done);
    uint64_t moved_to = run->done + run->operations;
    if (!expected || moved_to != run->moved_to || run->moved_at_ns == 0) {
        run->moved_to = moved_to;
        run->moved_at_ns = now_ns;
    } else if (now_ns - run->moved_at_ns > STALL_SECONDS * second_ns) {
        ks_run_fail(run, "%s: nothing has come from the server for %d seconds",
                    run->phase != NULL ? run->phase : "measuring", STALL_SECONDS);
    }
}

static void tick(void *context, uint64_t now_ns)
{
    struct ks_run *run = context;
    show(run, now_ns);
    watch_for_stall(run, now_ns);
    if (run->failed)
        return;
    if (run->warming && now_ns >= run->due_ns)
        begin_measuring(run);
    else if (run->measuring && !run->until_done && now_ns >= run->due_ns)
        end_of_time(run);
}

/* ---- a run ---- */

enum ks_result ks_run_begin(struct ks_run *run, const struct ks_settings *settings)
{
    *run = (struct ks_run){.settings = settings};
    run->shows_progress = !settings->quiet && isatty(STDERR_FILENO) != 0;
    enum ks_result result = ks_reactor_new(TICK_MS, tick, run, settings->awake, &run->reactor);
    if (result != KS_OK)
        ks_run_fail(run, "cannot begin: %s", ks_result_text(result));
    if (result == KS_OK && settings->secure) {
        result = ks_tls_measuring_context_new(strcmp(settings->protocol, "kesher") == 0, &run->tls);
        if (result != KS_OK)
            ks_run_fail(run, "cannot speak TLS: %s", ks_result_text(result));
    }
    /* A wrong --pid is told before anything is put on the server. */
    measure_process(run, &run->before);
    return run->failed && result == KS_OK ? KS_NOT_FOUND : result;
}

void ks_run_end(struct ks_run *run)
{
    ks_reactor_free(run->reactor);
    ks_tls_context_release(run->tls);
    run->reactor = NULL;
    run->tls = NULL;
}

bool ks_run_loop(struct ks_run *run)
{
    if (!run->failed && ks_reactor_run(run->reactor) != KS_OK)
        ks_run_fail(run, "cannot wait for events");
    clear_line(run);
    return !run->failed;
}

double ks_run_seconds(const struct ks_run *run)
{
    return (double)run->measured_ns / 1e9;
}

/* "messages_per_second" and the like: names of rows must outlive the report. */
struct row_names {
    const char *operations;
    const char *per_second;
    const char *cpu;
};

static struct row_names names_of(const char *operations)
{
    static const struct row_names known[] = {
        {"requests", "requests_per_second", "server_cpu_us_per_request"},
        {"messages", "messages_per_second", "server_cpu_us_per_message"},
        {"files", "files_per_second", "server_cpu_us_per_file"},
        {"handshakes", "handshakes_per_second", "server_cpu_us_per_handshake"},
        {"deliveries", "deliveries_per_second", "server_cpu_us_per_delivery"},
        {"users", "users_per_second", "server_cpu_us_per_user"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].operations, operations) == 0)
            return known[i];
    return (struct row_names){"operations", "operations_per_second", "server_cpu_us_per_operation"};
}

void ks_run_add_findings(struct ks_run *run, const char *operations)
{
    const struct row_names names = names_of(operations);
    double seconds = ks_run_seconds(run);
    double count = (double)run->operations;
    ks_findings_number(&run->findings, "seconds", seconds);
    ks_findings_number(&run->findings, names.operations, count);
    ks_findings_number(&run->findings, names.per_second, seconds > 0 ? count / seconds : 0);
    if (run->latency.count > 0)
        ks_findings_latency(&run->findings, &run->latency);
    if (!run->has_process)
        return;
    double cpu = (double)(run->after.cpu_ns - run->before.cpu_ns);
    ks_findings_number(&run->findings, names.cpu, count > 0 ? cpu / 1e3 / count : 0);
    ks_findings_number(&run->findings, "server_cpu_seconds", cpu / 1e9);
    ks_findings_number(&run->findings, "server_cores_used", seconds > 0 ? cpu / 1e9 / seconds : 0);
    ks_findings_number(&run->findings, "server_resident_bytes", (double)run->after.resident_bytes);
}
