/* mode_pull.c — waiting messages: sent first, without being measured, then taken by all receivers at once. */
#include "bench/dialects/send_dialects.h"
#include "bench/modes/modes.h"
#include "bench/traffic/receivers.h"

#include <stdlib.h>

/* Messages of a sender that are on their way while it prepares: as many as kesherd looks at at a time. */
enum { PREPARING_DEPTH = 256 };

static void report(const struct ks_senders *senders, const struct ks_receivers_result *result)
{
    struct ks_run *run = senders->run;
    struct ks_findings *to = &run->findings;
    double seconds = ks_run_seconds(run);
    ks_findings_number(to, "connections", senders->plan.receivers);
    ks_findings_number(to, "messages_per_receiver", (double)run->settings->messages);
    ks_findings_number(to, "message_bytes", senders->plan.size);
    ks_run_add_findings(run, "messages");
    ks_findings_number(to, "mebibytes_per_second",
                       seconds > 0 ? (double)run->operations * senders->plan.size / seconds / (1 << 20) : 0);
    ks_findings_number(to, "first_message_p50_us", (double)ks_percentiles_at(&result->first, 0.5) / 1e3);
    ks_findings_number(to, "first_message_p99_us", (double)ks_percentiles_at(&result->first, 0.99) / 1e3);
    ks_findings_number(to, "first_message_max_us", (double)result->first.greatest / 1e3);
    ks_findings_text(to, "verified", senders->plan.dialect->verified);
}

static bool pull(struct ks_senders *senders, const struct ks_senders_plan *plan, struct ks_run *run)
{
    struct ks_receivers_result *result =
        calloc(1, sizeof *result); /* its percentiles are large for a stack */
    if (result == NULL) {
        ks_run_fail(run, "no memory");
        return false;
    }
    bool is_done = ks_senders_run(senders, run, plan) && ks_receivers_take_all(senders, true, result);
    if (is_done)
        report(senders, result);
    ks_senders_end(senders);
    free(result);
    return is_done;
}

bool ks_mode_pull(struct ks_run *run)
{
    const struct ks_settings *settings = run->settings;
    struct ks_senders senders;
    const struct ks_senders_plan plan = {
        .dialect = &ks_send_kesher,
        .senders = (uint32_t)settings->connections,
        .receivers = (uint32_t)settings->connections,
        .depth = PREPARING_DEPTH,
        .size = (uint32_t)settings->size,
        .messages = settings->connections * settings->messages,
    };
    if (plan.messages == 0) {
        ks_run_fail(run, "--messages of this mode is at least 1");
        return false;
    }
    return pull(&senders, &plan, run);
}
