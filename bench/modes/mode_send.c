/* mode_send.c — durable messages: how many a second, each acknowledged, and all of them found again. */
#include "bench/dialects/send_dialect.h"
#include "bench/modes.h"

#include <string.h>

static const struct ks_send_dialect *find_dialect(const char *protocol)
{
    static const struct ks_send_dialect *const dialects[] = {&ks_send_kesher, &ks_send_redis, &ks_send_mqtt};
    for (size_t i = 0; i < sizeof dialects / sizeof dialects[0]; i++)
        if (strcmp(dialects[i]->protocol, protocol) == 0)
            return dialects[i];
    return NULL;
}

static void report(struct ks_sending *sending, bool is_verified)
{
    struct ks_run *run = sending->run;
    const struct ks_sending_plan *plan = &sending->plan;
    double seconds = ks_run_seconds(run);
    ks_report_number(&run->report, "connections", plan->senders);
    ks_report_number(&run->report, "receivers", plan->receivers);
    ks_report_number(&run->report, "depth", plan->depth);
    ks_report_number(&run->report, "message_bytes", plan->size);
    ks_run_report(run, "messages");
    ks_report_number(&run->report, "mebibytes_per_second",
                     seconds > 0 ? (double)run->operations * plan->size / seconds / (1 << 20) : 0);
    ks_report_number(&run->report, "acknowledged_in_all", (double)sending->acknowledged);
    ks_report_text(&run->report, "verified",
                   is_verified ? plan->dialect->verified : "each message acknowledged");
}

bool ks_mode_send(struct ks_run *run)
{
    const struct ks_settings *settings = run->settings;
    struct ks_sending sending;
    const struct ks_sending_plan plan = {
        .dialect = find_dialect(settings->protocol),
        .senders = (uint32_t)settings->connections,
        .receivers = (uint32_t)(settings->receivers != 0 ? settings->receivers : settings->connections),
        .depth = (uint32_t)settings->depth,
        .size = (uint32_t)settings->size,
        .messages = settings->messages,
        .measured = true,
    };
    if (plan.dialect == NULL) {
        ks_run_fail(run, "--protocol of this mode is kesher, redis or mqtt");
        return false;
    }
    bool is_verified = !settings->keep && plan.dialect->verify != NULL;
    bool is_done = ks_sending_run(&sending, run, &plan) && (!is_verified || plan.dialect->verify(&sending));
    if (is_done)
        report(&sending, is_verified);
    ks_sending_end(&sending);
    return is_done;
}
