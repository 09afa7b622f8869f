/* mode_send.c — durable messages: how many a second, each acknowledged, and all of them found again. */
#include "bench/dialects/send_dialects.h"
#include "bench/modes/modes.h"

#include <string.h>

static const struct ks_send_dialect *find_dialect(const char *protocol)
{
    static const struct ks_send_dialect *const dialects[] = {&ks_send_kesher, &ks_send_redis, &ks_send_mqtt};
    for (size_t i = 0; i < sizeof dialects / sizeof dialects[0]; i++)
        if (strcmp(dialects[i]->protocol, protocol) == 0)
            return dialects[i];
    return NULL;
}

static void report(struct ks_senders *senders, bool is_verified)
{
    struct ks_run *run = senders->run;
    const struct ks_senders_plan *plan = &senders->plan;
    double seconds = ks_run_seconds(run);
    ks_findings_number(&run->findings, "connections", plan->senders);
    ks_findings_number(&run->findings, "receivers", plan->receivers);
    ks_findings_number(&run->findings, "depth", plan->depth);
    ks_findings_number(&run->findings, "message_bytes", plan->size);
    ks_run_add_findings(run, "messages");
    ks_findings_number(&run->findings, "mebibytes_per_second",
                       seconds > 0 ? (double)run->operations * plan->size / seconds / (1 << 20) : 0);
    ks_findings_number(&run->findings, "acknowledged_in_all", (double)senders->acknowledged);
    ks_findings_text(&run->findings, "verified",
                     is_verified ? plan->dialect->verified : "each message acknowledged");
}

bool ks_mode_send(struct ks_run *run)
{
    const struct ks_settings *settings = run->settings;
    struct ks_senders senders;
    const struct ks_senders_plan plan = {
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
    bool is_done = ks_senders_run(&senders, run, &plan) && (!is_verified || plan.dialect->verify(&senders));
    if (is_done)
        report(&senders, is_verified);
    ks_senders_end(&senders);
    return is_done;
}
