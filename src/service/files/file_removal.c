/* file_removal.c — see file_removal.h. Others begin meanwhile, so that many share a commit. */
#include "service/files/file_removal.h"

#include "service/core/report.h"
#include "service/files/file_refusals.h"

#include <stdlib.h>
#include <string.h>

struct file_removal {
    struct ks_exchange *exchange;
    struct ks_store_remove_file question;
};

static void removed(struct ks_store_request *request)
{
    struct file_removal *removal = KS_CONTAINER_OF(request, struct file_removal, question.request);
    struct ks_exchange *exchange = removal->exchange;
    enum ks_result result = request->result;
    char shown[KS_TEXT_FIELD_SIZE];
    ks_file_shown(removal->question.name, shown);
    free(removal);
    if (result == KS_OK) {
        ks_report_event(exchange, "removed \"%s\"", shown);
        ks_exchange_answer(exchange, KS_RESPONSE_FILE_REMOVED, NULL, 0);
        return;
    }
    if (ks_file_is_a_warning(result))
        ks_report(exchange, KS_LOG_WARNING, "cannot remove \"%s\": %s", shown, ks_result_text(result));
    ks_refuse(exchange, ks_file_reason(result));
}

void ks_file_removal_begin(struct ks_exchange *exchange, const uint8_t *payload)
{
    char name[KS_TEXT_FIELD_SIZE] = "";
    if (ks_file_take_name(exchange, payload, name) != KS_OK)
        return;
    struct file_removal *removal = calloc(1, sizeof *removal);
    if (removal == NULL) {
        ks_refuse(exchange, KS_REFUSAL_TROUBLE);
        return;
    }
    struct ks_store_remove_file *question = &removal->question;
    removal->exchange = exchange;
    question->request.reply_to = &exchange->loop->executor;
    question->request.done = removed;
    question->id = exchange->header.client_id;
    memcpy(question->name, name, sizeof question->name);
    ks_store_touch(exchange->environment->store, &question->id);
    ks_store_remove_file(exchange->environment->store, question);
}
