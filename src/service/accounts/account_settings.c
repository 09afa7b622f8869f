/* account_settings.c — see account_settings.h: judge the list, judge the RSA key on the pool, ask the store
 * to change, ask it to describe, answer. */
#include "service/accounts/account_settings.h"

#include "crypto/rsa.h"
#include "crypto/secret.h"
#include "service/accounts/account_summary.h"
#include "service/accounts/refusals.h"
#include "service/accounts/visitor.h"
#include "service/core/report.h"

#include <stdlib.h>
#include <string.h>

/* What a 3007 wants changed. */
struct wishes {
    bool has_classic;
    bool classic;
    const uint8_t *public_key; /* KS_PUBLIC_KEY_SIZE bytes; NULL for none */
};

struct settings_job {
    struct ks_exchange *exchange;
    struct ks_account account;
    struct ks_store_set_classic change;
    struct ks_store_describe_user question;
    struct ks_offload offload;
    enum ks_result key_result;
    bool has_classic_id; /* a new one */
    struct ks_client_id classic_id;
};

static void job_free(struct settings_job *job)
{
    ks_secret_wipe(&job->classic_id, sizeof job->classic_id);
    ks_secret_wipe(&job->change.classic_id, sizeof job->change.classic_id);
    free(job);
}

static void refuse(struct settings_job *job, enum ks_refusal_reason reason)
{
    struct ks_exchange *exchange = job->exchange;
    job_free(job);
    ks_refuse(exchange, reason);
}

static enum ks_refusal_reason reason_of(enum ks_result result)
{
    return result == KS_NOT_FOUND ? KS_REFUSAL_UNKNOWN_ACCOUNT : ks_refusal_of(result);
}

/* ---- the answer ---- */

static void described(struct ks_store_request *request)
{
    struct settings_job *job = KS_CONTAINER_OF(request, struct settings_job, question.request);
    struct ks_exchange *exchange = job->exchange;
    const struct ks_user_details *details = &job->question.details;
    enum ks_result result = request->result;
    if (result == KS_OK && memcmp(&details->user.id, &job->account.id, sizeof details->user.id) != 0)
        result = KS_NOT_FOUND;
    if (result != KS_OK) {
        refuse(job, reason_of(result));
        return;
    }
    uint8_t list[KS_ANSWER_PAYLOAD_LIMIT];
    job->account.has_classic_id = details->user.has_classic_id;
    size_t size = ks_account_summary(exchange, &job->account, list);
    size = ks_account_summary_of_use(details, job->has_classic_id ? &job->classic_id : NULL, list, size);
    job_free(job);
    ks_exchange_answer(exchange, KS_RESPONSE_MY_ACCOUNT, list, size);
    ks_secret_wipe(list, sizeof list);
}

static void ask_to_describe(struct settings_job *job)
{
    job->question.request.reply_to = &job->exchange->loop->executor;
    job->question.request.done = described;
    memcpy(job->question.name, job->account.name, sizeof job->question.name);
    ks_store_describe_user(job->exchange->environment->store, &job->question);
}

/* ---- classic ---- */

static void changed(struct ks_store_request *request)
{
    struct settings_job *job = KS_CONTAINER_OF(request, struct settings_job, change.request);
    struct ks_visitor *visitor = ks_visitor_of(job->exchange);
    if (request->result != KS_OK) {
        refuse(job, reason_of(request->result));
        return;
    }
    job->has_classic_id = job->change.on;
    job->classic_id = job->change.classic_id;
    if (visitor != NULL)
        visitor->has_classic_id = job->change.on;
    ks_report_event(job->exchange, "is %s the classic ports", job->change.on ? "on" : "no longer on");
    ask_to_describe(job);
}

static void ask_to_change(struct settings_job *job)
{
    job->change.request.reply_to = &job->exchange->loop->executor;
    job->change.request.done = changed;
    job->change.id = job->account.id;
    ks_store_set_classic(job->exchange->environment->store, &job->change);
}

static void key_work(struct ks_offload *offload)
{
    struct settings_job *job = KS_CONTAINER_OF(offload, struct settings_job, offload);
    struct ks_public_key *key = NULL;
    job->key_result = ks_public_key_parse(job->change.public_key, &key);
    if (job->key_result == KS_OK)
        ks_public_key_free(key);
}

static void key_judged(struct ks_offload *offload)
{
    struct settings_job *job = KS_CONTAINER_OF(offload, struct settings_job, offload);
    if (job->exchange->session == NULL) {
        struct ks_exchange *exchange = job->exchange;
        job_free(job);
        ks_exchange_cancel(exchange);
    } else if (job->key_result == KS_INVALID) {
        refuse(job, KS_REFUSAL_MALFORMED);
    } else if (job->key_result != KS_OK) {
        refuse(job, ks_refusal_of(job->key_result));
    } else {
        ask_to_change(job);
    }
}

/* ---- the list ---- */

static bool take_entry(struct wishes *wishes, const struct ks_list_entry *entry)
{
    uint64_t number = 0;
    switch (entry->key) {
    case KS_ACCOUNT_ENTRY_CLASSIC:
        if (entry->size != 1 || ks_list_number(entry, &number) != KS_OK || number > 1)
            return false;
        wishes->has_classic = true;
        wishes->classic = number == 1;
        return true;
    case KS_ACCOUNT_ENTRY_CLASSIC_KEY:
        wishes->public_key = entry->value;
        return entry->size == KS_PUBLIC_KEY_SIZE;
    default:
        return true; /* of a newer client */
    }
}

static bool read_wishes(const uint8_t *bytes, size_t size, struct wishes *wishes)
{
    struct ks_list_entry entry;
    size_t offset = 0;
    enum ks_result result = KS_OK;
    while ((result = ks_list_next(bytes, size, &offset, &entry)) == KS_OK)
        if (!take_entry(wishes, &entry))
            return false;
    return result == KS_NOT_FOUND && (!wishes->classic || wishes->public_key != NULL);
}

static void begin(struct settings_job *job, const struct wishes *wishes)
{
    job->change.on = wishes->classic;
    if (!wishes->has_classic) {
        ask_to_describe(job);
    } else if (!wishes->classic) {
        ask_to_change(job);
    } else {
        memcpy(job->change.public_key, wishes->public_key, sizeof job->change.public_key);
        job->offload.work = key_work;
        job->offload.done = key_judged;
        ks_loop_offload(job->exchange->loop, &job->offload);
    }
}

void ks_account_settings_begin(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct wishes wishes = {.has_classic = false};
    if (!read_wishes(fixed, exchange->header.payload_size, &wishes)) {
        ks_refuse(exchange, KS_REFUSAL_MALFORMED);
        return;
    }
    struct settings_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        ks_refuse(exchange, KS_REFUSAL_TROUBLE);
        return;
    }
    job->exchange = exchange;
    ks_visitor_account(ks_visitor_of(exchange), &job->account);
    begin(job, &wishes);
}
