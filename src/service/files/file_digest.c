/* file_digest.c — see file_digest.h. It may take minutes: an exchange that waits for the store is timed by
 * nobody. */
#include "service/files/file_digest.h"

#include "service/core/report.h"
#include "service/files/file_refusals.h"

#include <stdlib.h>
#include <string.h>

struct file_digest {
    struct ks_exchange *exchange;
    struct ks_store_digest_file question;
};

static void computed(struct ks_store_request *request)
{
    struct file_digest *digest = KS_CONTAINER_OF(request, struct file_digest, question.request);
    struct ks_exchange *exchange = digest->exchange;
    enum ks_result result = request->result;
    uint8_t sha256[KS_FILE_SHA256_SIZE];
    char shown[KS_TEXT_FIELD_SIZE];
    memcpy(sha256, digest->question.sha256, sizeof sha256);
    ks_file_shown(digest->question.name, shown);
    free(digest);
    if (result == KS_OK) {
        ks_exchange_answer(exchange, KS_RESPONSE_FILE_DIGEST, sha256, sizeof sha256);
        return;
    }
    if (ks_file_is_a_warning(result))
        ks_report(exchange, KS_LOG_WARNING, "cannot compute the SHA-256 of \"%s\": %s", shown,
                  ks_result_text(result));
    ks_refuse(exchange, ks_file_reason(result));
}

void ks_file_digest_begin(struct ks_exchange *exchange, const uint8_t *payload)
{
    char name[KS_TEXT_FIELD_SIZE] = "";
    if (ks_file_take_name(exchange, payload, name) != KS_OK)
        return;
    struct file_digest *digest = calloc(1, sizeof *digest);
    if (digest == NULL) {
        ks_refuse(exchange, KS_REFUSAL_TROUBLE);
        return;
    }
    struct ks_store_digest_file *question = &digest->question;
    digest->exchange = exchange;
    question->request.reply_to = &exchange->loop->executor;
    question->request.done = computed;
    question->id = exchange->header.client_id;
    memcpy(question->name, name, sizeof question->name);
    ks_store_touch(exchange->environment->store, &question->id);
    ks_store_digest_file(exchange->environment->store, question);
}
