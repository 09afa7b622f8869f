/* confirmation.c — see confirmation.h. */
#include "service/drop/confirmation.h"

#include "service/core/report.h"
#include "service/core/session.h"
#include "service/core/tally.h"
#include "service/drop/places.h"
#include "service/drop/staged.h"

#include <stdlib.h>
#include <string.h>

enum { SIZE_PER_EXTRA_SECOND = 64 * 1024 * 1024 };

/* The staged upload that a request with a file name means. KS_OK; KS_INVALID when the name is none;
 * KS_NOT_FOUND when nothing is staged. */
static enum ks_result take_named(struct ks_exchange *exchange, const uint8_t *fixed,
                                 struct ks_staged_upload *upload)
{
    struct ks_name_payload payload;
    const char *kept = NULL;
    size_t kept_size = 0;
    enum ks_result result = ks_name_payload_parse(fixed, KS_NAME_PAYLOAD_SIZE, &payload);
    if (result == KS_OK)
        result = ks_kept_name(payload.name, payload.name_size, &kept, &kept_size);
    if (result != KS_OK)
        return KS_INVALID;
    ks_store_touch(exchange->environment->store, &exchange->header.client_id);
    uint64_t owner = exchange->session == NULL ? 0 : ks_session_number(exchange->session);
    bool found = ks_staged_take(exchange->environment->staged, &exchange->header.client_id, kept, kept_size,
                                owner, upload);
    return found ? KS_OK : KS_NOT_FOUND;
}

static void answer_confirmed(struct ks_exchange *exchange)
{
    struct ks_client_id id = exchange->shown;
    ks_exchange_answer(exchange, KS_RESPONSE_CONFIRMED, &id, sizeof id);
}

/* ---- 1029 ---- */

struct confirmation {
    struct ks_exchange *exchange;
    uint8_t name_field[KS_TEXT_FIELD_SIZE]; /* as sent, for the log */
    struct ks_store_confirm request;
};

static void confirmed(struct ks_store_request *request)
{
    struct confirmation *confirmation = KS_CONTAINER_OF(request, struct confirmation, request.request);
    struct ks_exchange *exchange = confirmation->exchange;
    enum ks_result result = request->result;
    enum ks_tally_limit limit = ks_tally_limit_of(confirmation->request.limit);
    const char *note = ks_report_limit(confirmation->request.limit);
    char name[KS_REPORT_NAME_SIZE];
    ks_report_file_name(confirmation->name_field, name);
    free(confirmation);
    if (result == KS_OK) {
        ks_staged_confirmed(exchange->environment->staged, &exchange->header.client_id);
        ks_report_event(exchange, "kept \"%s\"", name);
        answer_confirmed(exchange);
        return;
    }
    if (result != KS_NOT_FOUND)
        ks_report(exchange, KS_LOG_WARNING, "cannot keep \"%s\": %s%s", name, ks_result_text(result), note);
    else
        ks_report(exchange, KS_LOG_INFO, "cannot keep \"%s\": it was discarded meanwhile (stage-lifetime)",
                  name);
    ks_tally_refused(ks_tally_shard_of(exchange->environment->tally, exchange->loop), limit);
    ks_exchange_refuse(exchange);
}

static void report_nothing_staged(const struct ks_exchange *exchange, const uint8_t *name_field)
{
    char name[KS_REPORT_NAME_SIZE];
    ks_report(exchange, KS_LOG_INFO, "cannot keep \"%s\": no upload of this name waits for its confirmation",
              ks_report_file_name(name_field, name));
}

void ks_confirmation_right(struct ks_exchange *exchange, const uint8_t *fixed)
{
    const struct ks_service_environment *environment = exchange->environment;
    struct ks_staged_upload upload;
    enum ks_result result = take_named(exchange, fixed, &upload);
    if (result == KS_NOT_FOUND)
        report_nothing_staged(exchange, fixed);
    if (result != KS_OK) {
        ks_exchange_refuse(exchange);
        return;
    }
    struct confirmation *confirmation = calloc(1, sizeof *confirmation);
    if (confirmation == NULL) {
        ks_places_discard(environment, &upload);
        ks_exchange_refuse(exchange);
        return;
    }
    /* Now, not when the file is kept: a pipelined 1028 behind this request must find the count as after it.
     */
    if (upload.rightly_padded)
        ks_content_key_confirmed(upload.key);
    ks_content_key_release(upload.key);
    confirmation->exchange = exchange;
    memcpy(confirmation->name_field, fixed, KS_TEXT_FIELD_SIZE);
    confirmation->request.stage = upload.stage;
    confirmation->request.has_cksum = true;
    confirmation->request.cksum = upload.cksum;
    confirmation->request.request.reply_to = &exchange->loop->executor;
    confirmation->request.request.done = confirmed;
    ks_store_confirm(environment->store, &confirmation->request);
}

/* ---- 1030 and 1031 ---- */

/* Both need to know whether there is such a user: for others nothing is staged either, but that is no reason
 * for a friendly answer. */
struct rejection {
    struct ks_exchange *exchange;
    struct ks_store_look_up look_up;
    uint8_t name_field[KS_TEXT_FIELD_SIZE];
    void (*act)(struct ks_exchange *exchange, const struct ks_staged_upload *upload);
};

/* In so many words, for lines of one literal are alike (report.h). */
static void report_rejection(const struct rejection *rejection)
{
    char name[KS_REPORT_NAME_SIZE];
    ks_report_file_name(rejection->name_field, name);
    if (rejection->exchange->header.code == KS_REQUEST_CRC_WRONG)
        ks_report(rejection->exchange, KS_LOG_INFO,
                  "\"%s\" has another cksum at the client; it will be sent again (1030)", name);
    else
        ks_report(rejection->exchange, KS_LOG_WARNING,
                  "\"%s\" is given up: its cksum at the client was never ours (1031)", name);
}

static void rejection_user_found(struct ks_store_request *request)
{
    struct rejection *rejection = KS_CONTAINER_OF(request, struct rejection, look_up.request);
    struct ks_exchange *exchange = rejection->exchange;
    struct ks_staged_upload upload;
    enum ks_result result = request->result;
    if (result == KS_OK)
        result = take_named(exchange, rejection->name_field, &upload);
    bool understood = request->result == KS_OK && result != KS_INVALID;
    void (*act)(struct ks_exchange *, const struct ks_staged_upload *) = rejection->act;
    if (understood)
        report_rejection(rejection);
    free(rejection);
    if (result == KS_OK)
        ks_places_discard(exchange->environment, &upload);
    if (understood)
        act(exchange, result == KS_OK ? &upload : NULL);
    else
        ks_exchange_refuse(exchange);
}

static void reject(struct ks_exchange *exchange, const uint8_t *fixed,
                   void (*act)(struct ks_exchange *exchange, const struct ks_staged_upload *upload))
{
    struct rejection *rejection = calloc(1, sizeof *rejection);
    if (rejection == NULL) {
        ks_exchange_refuse(exchange);
        return;
    }
    rejection->exchange = exchange;
    rejection->act = act;
    memcpy(rejection->name_field, fixed, KS_TEXT_FIELD_SIZE);
    rejection->look_up.id = exchange->header.client_id;
    rejection->look_up.request.reply_to = &exchange->loop->executor;
    rejection->look_up.request.done = rejection_user_found;
    ks_store_look_up(exchange->environment->store, &rejection->look_up);
}

/* Some public clients wait for an answer to a 1030 and some lose step if one comes: so it comes only when the
 * peer has nothing more to say. */
static void answer_when_silent(struct ks_exchange *exchange, const struct ks_staged_upload *upload)
{
    uint64_t delay_ms = exchange->environment->settings.crc_wrong_delay_ms;
    if (upload != NULL)
        delay_ms += upload->content_size / SIZE_PER_EXTRA_SECOND * UINT64_C(1000);
    if (exchange->session == NULL)
        ks_exchange_cancel(exchange);
    else
        ks_exchange_defer(exchange, delay_ms, answer_confirmed);
}

static void answer_gave_up(struct ks_exchange *exchange, const struct ks_staged_upload *upload)
{
    (void)upload;
    answer_confirmed(exchange);
}

void ks_confirmation_wrong(struct ks_exchange *exchange, const uint8_t *fixed)
{
    reject(exchange, fixed, answer_when_silent);
}

void ks_confirmation_give_up(struct ks_exchange *exchange, const uint8_t *fixed)
{
    reject(exchange, fixed, answer_gave_up);
}
