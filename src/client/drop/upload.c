/* upload.c — see upload.h. */
#include "client/drop/upload.h"

#include "base/text.h"
#include "client/failure.h"
#include "client/transport/login.h"
#include "client/transport/request.h"
#include "crypto/secret.h"

#include <stdio.h>
#include <string.h>

enum {
    FIXED_SIZE = KS_REQUEST_HEADER_SIZE + KS_SEND_FILE_FIXED_SIZE,
    MISMATCH_LIMIT = 4,
    THANKS_WAIT_MS = 200, /* for the 2104 to a 1030, which not every server sends */
    GIVE_UP_WAIT_MS = 2000,
    LOST_CONFIRMATIONS_LIMIT = 2,
    SHOWN_NAME_SIZE = 200,
};

static const char *shown_name(const struct kesher_upload *upload, char shown[SHOWN_NAME_SIZE])
{
    return ks_text_escape(upload->name, strlen(upload->name), shown, SHOWN_NAME_SIZE);
}

static enum kesher_status fail_source(const struct kesher_upload *upload, enum ks_result result,
                                      int error_number, struct kesher_error *error)
{
    char shown[SHOWN_NAME_SIZE];
    shown_name(upload, shown);
    switch (result) {
    case KS_MORE:
        return ks_failure(error, KESHER_FILE,
                          "'%s' became shorter while it was being sent; try again when nobody writes to it",
                          shown);
    case KS_IO:
        return ks_failure_system(error, KESHER_FILE, error_number, "cannot read '%s'", shown);
    default:
        return ks_failure_from_result(error, result, "cannot encrypt the file");
    }
}

enum kesher_status ks_upload_check(const struct kesher_upload *upload, struct kesher_error *error)
{
    char shown[SHOWN_NAME_SIZE];
    size_t name_size = strlen(upload->name);
    if (name_size < 1 || name_size >= KS_TEXT_FIELD_SIZE)
        return ks_failure(error, KESHER_INVALID, "the name '%s' has %zu bytes; the server takes 1 to 254",
                          shown_name(upload, shown), name_size);
    const char *kept = NULL;
    enum kesher_status status = kesher_kept_name(upload->name, &kept, error);
    if (status != KESHER_OK)
        return status;
    if (upload->size > KS_FILE_SIZE_LIMIT)
        return ks_failure(error, KESHER_FILE,
                          "'%s' has %llu bytes, and the protocol carries at most %llu; split it",
                          shown_name(upload, shown), (unsigned long long)upload->size,
                          (unsigned long long)KS_FILE_SIZE_LIMIT);
    return KESHER_OK;
}

bool ks_upload_is_small(const struct kesher_upload *upload)
{
    return ks_content_size_of_file(upload->size) <= KS_DROP_SMALL_CONTENT;
}

/* Header and fixed fields of a 1028. The checks of ks_upload_check have been made, so everything fits. */
static enum kesher_status fill_fixed(const struct ks_client_session *session,
                                     const struct kesher_upload *upload, uint8_t *bytes,
                                     struct kesher_error *error)
{
    uint32_t content_size = (uint32_t)ks_content_size_of_file(upload->size);
    struct ks_request_header header =
        ks_client_session_header(session, KS_REQUEST_SEND_FILE, KS_SEND_FILE_FIXED_SIZE + content_size);
    ks_request_header_encode(&header, bytes);
    ks_secret_wipe(&header, sizeof header);
    enum ks_result result = ks_send_file_payload_encode(content_size, upload->name, strlen(upload->name),
                                                        bytes + KS_REQUEST_HEADER_SIZE);
    return result == KS_OK ? KESHER_OK
                           : ks_failure_from_result(error, result, "the file's name does not fit");
}

enum kesher_status ks_upload_send_small(struct kesher_drop *drop, const struct kesher_upload *upload,
                                        uint32_t *cksum, struct kesher_error *error)
{
    uint8_t *content = drop->small + FIXED_SIZE;
    struct ks_content_source source = {0};
    size_t size = 0;
    enum kesher_status status = fill_fixed(&drop->session, upload, drop->small, error);
    if (status != KESHER_OK)
        return status;
    enum ks_result result = ks_content_source_open(&source, upload->fd, upload->size, drop->session.key);
    if (result == KS_OK)
        result = ks_content_source_read(&source, content, KS_DROP_SMALL_CONTENT, &size);
    ks_content_source_close(&source);
    if (result != KS_OK)
        return fail_source(upload, result, source.error_number, error);
    *cksum = ks_cksum_value(&source.cksum);
    size += (size_t)(content - drop->small);
    drop->session.contents++;
    return ks_channel_send_end(drop->session.channel, drop->small, size, size, error);
}

/* True when an answer has come although the request is not complete. */
static bool answered_early(struct ks_client_session *session)
{
    struct ks_response_header header;
    struct ks_answer dropped;
    while (ks_channel_peek(session->channel, 0, &header)) {
        if (header.code != KS_RESPONSE_CONFIRMED || !session->thanks_may_come)
            return true;
        session->thanks_may_come = false;
        if (ks_request_take_answer(session, &dropped, NULL) != KESHER_OK)
            return false;
    }
    return false;
}

static void report_progress(const struct ks_client_session *session, const struct kesher_upload *upload,
                            uint64_t content_sent)
{
    if (session->options.observer.progress != NULL)
        session->options.observer.progress(session->options.observer.context,
                                           content_sent < upload->size ? content_sent : upload->size,
                                           upload->size);
}

/* Sends a piece; the first one in one go with the fixed fields, which are in drop->small already: there are
 * servers that read only once. */
static enum kesher_status send_piece(struct kesher_drop *drop, const uint8_t *bytes, size_t size,
                                     bool is_first, struct kesher_error *error)
{
    if (!is_first)
        return ks_channel_send(drop->session.channel, bytes, size, error);
    memcpy(drop->small + FIXED_SIZE, bytes, size);
    return ks_channel_send(drop->session.channel, drop->small, FIXED_SIZE + size, error);
}

/* Sends what the pipeline gives. *result is how reading went, the status how sending went. */
static enum kesher_status send_pieces(struct kesher_drop *drop, const struct kesher_upload *upload,
                                      enum ks_result *result, bool *early, struct kesher_error *error)
{
    uint64_t sent = 0;
    for (;;) {
        const uint8_t *bytes = NULL;
        size_t size = 0;
        *result = ks_pipeline_next(drop->pipeline, &bytes, &size);
        if (*result != KS_OK)
            return KESHER_OK;
        if (size == 0)
            return ks_channel_send_end(drop->session.channel, NULL, 0, FIXED_SIZE + sent, error);
        *early = answered_early(&drop->session);
        if (*early)
            return KESHER_OK;
        enum kesher_status status = send_piece(drop, bytes, size, sent == 0, error);
        if (status != KESHER_OK)
            return status;
        sent += size;
        report_progress(&drop->session, upload, sent);
        ks_pipeline_release(drop->pipeline);
    }
}

/* Sends a 1028 through the pipeline. *early says that an answer came before the end of the content, which
 * then was not sent to its end. */
static enum kesher_status send_large(struct kesher_drop *drop, const struct kesher_upload *upload,
                                     uint32_t *cksum, bool *early, struct kesher_error *error)
{
    struct ks_content_source source = {0};
    enum kesher_status status = fill_fixed(&drop->session, upload, drop->small, error);
    if (status != KESHER_OK)
        return status;
    enum ks_result result = drop->pipeline == NULL ? ks_pipeline_new(&drop->pipeline) : KS_OK;
    if (result == KS_OK)
        result = ks_content_source_open(&source, upload->fd, upload->size, drop->session.key);
    if (result != KS_OK)
        return fail_source(upload, result, 0, error);
    drop->session.contents++;
    ks_pipeline_start(drop->pipeline, &source);
    status = send_pieces(drop, upload, &result, early, error);
    ks_pipeline_stop(drop->pipeline);
    if (result != KS_OK) { /* the frame cannot be completed any more */
        ks_client_session_disconnect(&drop->session);
        status = fail_source(upload, result, source.error_number, error);
    }
    *cksum = ks_cksum_value(&source.cksum);
    ks_content_source_close(&source);
    return status;
}

/* An answer before the end of the content, or just before the connection broke: whatever it says, the server
 * does not have the file. */
static enum kesher_status take_early_answer(struct ks_client_session *session, struct ks_answer *answer,
                                            struct kesher_error *error)
{
    enum kesher_status status = ks_request_take_answer(session, answer, error);
    if (status == KESHER_OK && answer->code == KS_RESPONSE_FILE_RECEIVED)
        answer->code = KS_RESPONSE_DROP_ERROR;
    return status;
}

/* Sends the 1028 and takes its answer. */
static enum kesher_status send_and_take_answer(struct kesher_drop *drop, const struct kesher_upload *upload,
                                               uint32_t *cksum, struct ks_answer *answer,
                                               struct kesher_error *error)
{
    struct ks_client_session *session = &drop->session;
    bool early = false;
    enum kesher_status status = ks_upload_is_small(upload) ? ks_upload_send_small(drop, upload, cksum, error)
                                                           : send_large(drop, upload, cksum, &early, error);
    if (status == KESHER_CONNECTION || status == KESHER_TIMEOUT)
        early = answered_early(session);
    if (early)
        return take_early_answer(session, answer, error);
    if (status == KESHER_OK)
        status = ks_request_take_answer(session, answer, error);
    if (status == KESHER_OK && answer->code == KS_RESPONSE_CONFIRMED && session->thanks_may_come)
        status = ks_request_take_answer(session, answer, error);
    if (status == KESHER_OK)
        session->thanks_may_come = false;
    return status;
}

/* One file on its way. */
struct upload_attempt {
    struct kesher_drop *drop;
    const struct kesher_upload *upload;
    struct ks_upload_counts *counts;
    uint32_t cksum;
    uint16_t answer_code;
    bool spent;
    bool key_was_used; /* when it was refused: the server may have dropped the key */
};

/* ---- 1029, 1030 and 1031 ---- */

/* Their payload. */
static enum kesher_status fill_name(const struct kesher_upload *upload, uint8_t payload[KS_NAME_PAYLOAD_SIZE],
                                    struct kesher_error *error)
{
    enum ks_result result = ks_name_payload_encode(upload->name, strlen(upload->name), payload);
    return result == KS_OK ? KESHER_OK
                           : ks_failure_from_result(error, result, "the file's name does not fit");
}

static enum kesher_status send_name(struct kesher_drop *drop, enum ks_request_code code,
                                    const struct kesher_upload *upload, struct kesher_error *error)
{
    uint8_t payload[KS_NAME_PAYLOAD_SIZE];
    enum kesher_status status = fill_name(upload, payload, error);
    if (status != KESHER_OK)
        return status;
    return ks_request_send(&drop->session, code, payload, sizeof payload, error);
}

enum kesher_status ks_upload_send_confirmation(struct kesher_drop *drop, const struct kesher_upload *upload,
                                               struct kesher_error *error)
{
    return send_name(drop, KS_REQUEST_CRC_OK, upload, error);
}

static enum kesher_status refused_confirmation(const struct ks_client_session *session, uint16_t answer_code,
                                               struct kesher_error *error)
{
    (void)answer_code;
    return ks_failure(
        error, KESHER_REFUSED,
        "%s did not keep it: no room there, for this user or at all; remove something, or ask its "
        "operator",
        session->shown);
}

static enum kesher_status confirm(struct kesher_drop *drop, const struct kesher_upload *upload,
                                  struct kesher_error *error)
{
    uint8_t payload[KS_NAME_PAYLOAD_SIZE];
    char shown[SHOWN_NAME_SIZE];
    char doing[SHOWN_NAME_SIZE + 32];
    if (snprintf(doing, sizeof doing, "confirm '%s'", shown_name(upload, shown)) < 0)
        doing[0] = '\0';
    /* A second one would find nothing to confirm: when this one is lost, the file is sent again. */
    const struct ks_small_request request = {.repeat = KS_REQUEST_ONCE,
                                             .after_errors = true,
                                             .code = KS_REQUEST_CRC_OK,
                                             .payload = payload,
                                             .payload_size = sizeof payload,
                                             .doing = doing,
                                             .expected = KS_RESPONSE_CONFIRMED,
                                             .refused = refused_confirmation};
    struct ks_answer answer;
    enum kesher_status status = fill_name(upload, payload, error);
    return status == KESHER_OK ? ks_request_ask(&drop->session, &request, &answer, error) : status;
}

/* The file is sent again when the connection is lost over it, or when a server that has ended the connection
 * of the 1028 knows nothing of it any more: it may have been restarted. But not for ever: there are servers
 * that close instead of answering. */
static enum kesher_status confirm_or_count(struct upload_attempt *attempt, struct kesher_error *error)
{
    struct ks_client_session *session = &attempt->drop->session;
    unsigned connection = session->connections;
    char shown[SHOWN_NAME_SIZE];
    enum kesher_status status = confirm(attempt->drop, attempt->upload, error);
    bool is_forgotten = status == KESHER_REFUSED && session->connections != connection;
    if (status != KESHER_CONNECTION && !is_forgotten)
        return status;
    attempt->spent = ++attempt->counts->lost_confirmations >= LOST_CONFIRMATIONS_LIMIT;
    if (is_forgotten && attempt->spent)
        return status;
    if (is_forgotten) {
        ks_client_session_disconnect(session);
        return ks_failure(error, KESHER_CONNECTION, "%s closed the connection before it had confirmed '%s'",
                          session->shown, shown_name(attempt->upload, shown));
    }
    if (!attempt->spent)
        return status;
    const struct kesher_error cause = *error;
    return ks_failure(error, status, "%.500s; twice, so it may have arrived", cause.sentence);
}

/* 1031, after which the answer does not matter any more: it is taken if it comes soon. */
static enum kesher_status give_up(struct kesher_drop *drop, const struct kesher_upload *upload,
                                  uint32_t cksum, uint32_t cksum_there, struct kesher_error *error)
{
    char shown[SHOWN_NAME_SIZE];
    struct ks_answer answer;
    struct ks_response_header header;
    struct ks_client_session *session = &drop->session;
    enum kesher_status status = ks_client_session_connect(session, error);
    if (status == KESHER_OK)
        status = send_name(drop, KS_REQUEST_CRC_GIVE_UP, upload, error);
    bool came = status == KESHER_OK && ks_channel_peek(session->channel, GIVE_UP_WAIT_MS, &header) &&
                ks_request_take_answer(session, &answer, error) == KESHER_OK;
    if (!came)
        ks_client_session_disconnect(session);
    return ks_failure(
        error, KESHER_MISMATCH,
        "'%s' arrived changed at %s, %d times: its cksum is %lu here and was %lu there; check the "
        "file and the network, or the server computes another one",
        shown_name(upload, shown), drop->session.shown, MISMATCH_LIMIT, (unsigned long)cksum,
        (unsigned long)cksum_there);
}

/* 1030, and a short wait for the answer that some servers give. What else it may be is the 1028's. */
static enum kesher_status tell_mismatch(struct kesher_drop *drop, const struct kesher_upload *upload,
                                        struct kesher_error *error)
{
    struct ks_client_session *session = &drop->session;
    struct ks_response_header header;
    struct ks_answer answer;
    enum kesher_status status = send_name(drop, KS_REQUEST_CRC_WRONG, upload, error);
    if (status != KESHER_OK)
        return status;
    session->thanks_may_come = true;
    if (!ks_channel_peek(session->channel, THANKS_WAIT_MS, &header))
        return KESHER_OK;
    session->thanks_may_come = false;
    return ks_request_take_answer(session, &answer, error);
}

/* ---- the whole file ---- */

/* A server that counts wrongly has lost its place behind what it refused. */
static enum kesher_status refuse(struct upload_attempt *attempt, uint16_t answer_code,
                                 struct kesher_error *error)
{
    struct ks_client_session *session = &attempt->drop->session;
    attempt->answer_code = answer_code;
    attempt->key_was_used = session->contents > 1 || session->key_moved;
    ks_client_session_disconnect(session);
    return ks_failure(
        error, KESHER_REFUSED,
        "%s did not take it: it is larger than this server takes, or there is no room there, for "
        "this user or at all; ask its operator",
        session->shown);
}

/* One 1028 and what follows from its answer. *changed: it arrived changed, and is to be sent again. */
static enum kesher_status send_and_compare(struct upload_attempt *attempt, bool *changed,
                                           struct kesher_error *error)
{
    struct kesher_drop *drop = attempt->drop;
    struct ks_upload_counts *counts = attempt->counts;
    struct ks_answer answer = {.code = 0};
    struct ks_file_answer file;
    *changed = false;
    report_progress(&drop->session, attempt->upload, 0);
    enum kesher_status status = send_and_take_answer(drop, attempt->upload, &attempt->cksum, &answer, error);
    if (status != KESHER_OK)
        return status;
    if (answer.code != KS_RESPONSE_FILE_RECEIVED &&
        !ks_request_is_no(&drop->session, KS_REQUEST_SEND_FILE, answer.code))
        return ks_request_fail_answer(&drop->session, error);
    if (answer.code != KS_RESPONSE_FILE_RECEIVED ||
        ks_file_answer_parse(answer.payload, answer.payload_size, &file) != KS_OK)
        return refuse(attempt, answer.code, error);
    if (file.cksum == attempt->cksum)
        return KESHER_OK;
    if (++counts->mismatches >= MISMATCH_LIMIT)
        return give_up(drop, attempt->upload, attempt->cksum, file.cksum, error);
    counts->mismatch_untold = true;
    *changed = true;
    return KESHER_OK;
}

/* The key goes with a connection on which something came unasked: nothing is ever encrypted without one. A
 * server that closes behind each answer does so behind the one that brought the key. */
static enum kesher_status connect_with_key(struct ks_client_session *session, struct kesher_error *error)
{
    enum kesher_status status = ks_client_session_connect(session, error);
    if (status != KESHER_OK || session->has_key)
        return status;
    status = ks_login_ensure(session, error);
    if (status != KESHER_OK || !session->closes)
        return status;
    ks_client_session_hang_up(session); /* and the key stays */
    return ks_client_session_connect(session, error);
}

static enum kesher_status perform(struct ks_client_session *session, void *context,
                                  struct kesher_error *error)
{
    struct upload_attempt *attempt = context;
    struct ks_upload_counts *counts = attempt->counts;
    bool changed = counts->mismatch_untold;
    enum kesher_status status = KESHER_OK;
    attempt->answer_code = 0;
    /* Before each request a server may have closed the connection; and a key that came over a closed one may
     * be none to it any more. */
    do {
        if (changed && session->key_moved)
            ks_client_session_disconnect(session);
        status = connect_with_key(session, error);
        if (status == KESHER_OK && changed)
            status = tell_mismatch(attempt->drop, attempt->upload, error);
        if (status == KESHER_OK)
            counts->mismatch_untold = false;
        if (status == KESHER_OK)
            status = connect_with_key(session, error);
        if (status == KESHER_OK)
            status = send_and_compare(attempt, &changed, error);
    } while (status == KESHER_OK && changed);
    return status == KESHER_OK ? confirm_or_count(attempt, error) : status;
}

/* The sentence about a connection or a login does not say which file it stopped. */
static enum kesher_status fail_upload(const struct upload_attempt *attempt, enum kesher_status status,
                                      struct kesher_error *error)
{
    char shown[SHOWN_NAME_SIZE];
    const struct kesher_error cause = *error;
    bool is_named = status == KESHER_FILE || status == KESHER_INVALID || status == KESHER_MISMATCH ||
                    (status == KESHER_REFUSED && attempt->drop->session.options.error_repeats > 0);
    if (is_named)
        return status;
    return ks_failure(error, status, "cannot send '%s': %.500s", shown_name(attempt->upload, shown),
                      cause.sentence);
}

enum kesher_status ks_upload_put(struct kesher_drop *drop, const struct kesher_upload *upload,
                                 struct ks_upload_counts *counts, uint32_t *cksum, struct kesher_error *error)
{
    struct kesher_error local = {.status = KESHER_OK};
    struct kesher_error *why = error != NULL ? error : &local;
    struct upload_attempt attempt = {.drop = drop, .upload = upload, .counts = counts};
    char shown[SHOWN_NAME_SIZE];
    char doing[SHOWN_NAME_SIZE + 32];
    enum kesher_status status = ks_upload_check(upload, why);
    if (status != KESHER_OK)
        return status;
    if (snprintf(doing, sizeof doing, "send '%s'", shown_name(upload, shown)) < 0)
        doing[0] = '\0';
    const struct ks_request request = {.repeat = KS_REQUEST_UNTIL_ANSWERED,
                                       .after_errors = true,
                                       .doing = doing,
                                       .prepare = ks_login_ensure,
                                       .perform = perform,
                                       .context = &attempt,
                                       .spent = &attempt.spent,
                                       .answer_code = &attempt.answer_code};
    status = ks_request_run(&drop->session, &request, &counts->tries, why);
    if (status == KESHER_REFUSED && attempt.key_was_used)
        status = ks_request_run(&drop->session, &request, &counts->tries, why);
    if (status != KESHER_OK)
        return fail_upload(&attempt, status, why);
    report_progress(&drop->session, upload, upload->size);
    *cksum = attempt.cksum;
    return KESHER_OK;
}
