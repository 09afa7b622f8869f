/* files.c — see <kesher/files.h>: opening and closing, names, and how everything is asked. */
#include "client/files/files_internal.h"

#include "base/text.h"
#include "client/failure.h"
#include "client/transport/secure_request.h"
#include "crypto/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a disk is believed to read or write in a millisecond when it is slow. */
enum { SLOW_DISK_BYTES_PER_MS = 16 * 1024 };

/* ---- opening and closing ---- */

static enum kesher_status sign_in(struct kesher_files *files, struct kesher_error *error)
{
    enum kesher_status status = ks_client_session_load(&files->session, error);
    return status == KESHER_OK ? ks_client_session_connect(&files->session, error) : status;
}

enum kesher_status kesher_files_open(struct kesher_home *home, const char *link,
                                     const struct kesher_options *options, struct kesher_files **files,
                                     struct kesher_error *error)
{
    char shown[KESHER_ADDRESS_SIZE];
    if (!ks_link_is_meant(link, strlen(link)))
        return ks_failure(
            error, KESHER_INVALID,
            "'%s' is the address of a classic server, where files can only be put; a secure one "
            "has a link, such as kesher://127.0.0.1/",
            ks_text_escape(link, strlen(link), shown, sizeof shown));
    struct kesher_files *created = calloc(1, sizeof *created);
    if (created == NULL)
        return ks_failure_no_memory(error);
    enum kesher_status status = ks_client_session_init(&created->session, home, link, options, error);
    if (status != KESHER_OK) {
        free(created);
        return status;
    }
    status = sign_in(created, error);
    if (status == KESHER_OK)
        *files = created;
    else
        kesher_files_close(created);
    return status;
}

void kesher_files_close(struct kesher_files *files)
{
    if (files == NULL)
        return;
    ks_client_session_destroy(&files->session);
    free(files->put_buffer);
    free(files);
}

/* ---- names ---- */

const char *ks_files_show(const char *name, char shown[static KS_FILES_SHOWN_SIZE])
{
    return ks_text_escape(name, strlen(name), shown, KS_FILES_SHOWN_SIZE);
}

enum kesher_status kesher_file_name_check(const char *name, struct kesher_error *error)
{
    char shown[KS_FILES_SHOWN_SIZE];
    size_t size = strlen(name);
    if (ks_file_name_is_valid(name, size))
        return KESHER_OK;
    if (size == 0 || size > KS_FILE_NAME_LIMIT)
        return ks_failure(error, KESHER_INVALID,
                          "the name '%s' has %zu bytes, and a file's name at the server has 1 to %d; choose "
                          "another",
                          ks_files_show(name, shown), size, KS_FILE_NAME_LIMIT);
    return ks_failure(
        error, KESHER_INVALID,
        "no file at the server can be called '%s': a name has parts with / between them, none of "
        "which is empty, '.' or '..', no \\ and no control characters; choose another",
        ks_files_show(name, shown));
}

/* ---- how everything is asked ---- */

void ks_files_progress(const struct ks_client_session *session, void *tag, uint64_t moved, uint64_t size)
{
    const struct kesher_observer *observer = &session->options.observer;
    if (observer->file != NULL)
        observer->file(observer->context, tag);
    if (observer->progress != NULL)
        observer->progress(observer->context, moved, size);
}

struct ks_files_request ks_files_request(const char *verb, const char *name)
{
    struct ks_files_request request = {.reason = 0};
    char shown[KS_FILES_SHOWN_SIZE];
    int written = name == NULL ? snprintf(request.doing, sizeof request.doing, "%s", verb)
                               : snprintf(request.doing, sizeof request.doing, "%s '%s'", verb,
                                          ks_files_show(name, shown));
    if (written < 0)
        request.doing[0] = '\0';
    return request;
}

bool ks_files_others_go_on(enum kesher_status status)
{
    return status == KESHER_OK || status == KESHER_FILE || status == KESHER_INVALID ||
           status == KESHER_EXISTS || status == KESHER_REFUSED;
}

enum kesher_status ks_files_run(struct kesher_files *files, struct ks_files_request *request,
                                enum kesher_status (*perform)(struct ks_client_session *session,
                                                              void *context, struct kesher_error *error),
                                void *context, struct kesher_error *error)
{
    const struct ks_request run = {.repeat = KS_REQUEST_UNTIL_ANSWERED,
                                   .doing = request->doing,
                                   .perform = perform,
                                   .context = context,
                                   .progressed = &request->progressed,
                                   .later = &request->later};
    return ks_request_run(&files->session, &run, NULL, error);
}

void ks_files_be_patient(struct ks_client_session *session, uint64_t size)
{
    uint64_t limit_ms = session->options.progress_ms + size / SLOW_DISK_BYTES_PER_MS;
    ks_channel_limit(session->channel, limit_ms < INT32_MAX ? (uint32_t)limit_ms : INT32_MAX);
}

enum kesher_status ks_files_send_name(struct ks_client_session *session, enum ks_request_code code,
                                      const char *name, struct kesher_error *error)
{
    uint8_t payload[2 + KS_FILE_NAME_LIMIT];
    const struct ks_wire_text text = {.bytes = name, .size = (uint16_t)strnlen(name, KS_FILE_NAME_LIMIT + 1)};
    size_t size = 0;
    enum ks_result result = ks_wire_text_encode(&text, payload, sizeof payload, &size);
    if (result != KS_OK)
        return ks_failure_from_result(error, result, "the file's name does not fit");
    return ks_request_send(session, code, payload, (uint32_t)size, error);
}

enum kesher_status ks_files_fail_answer(struct ks_client_session *session, struct kesher_error *error,
                                        const char *what)
{
    return ks_channel_fail_protocol(session->channel, error, what);
}

enum kesher_status ks_files_take_header(struct ks_client_session *session, struct ks_files_request *request,
                                        uint16_t expected, uint32_t *payload_size, struct kesher_error *error)
{
    struct ks_response_header header;
    struct ks_secure_request asked = {.doing = request->doing, .shown = session->shown, .expected = expected};
    request->reason = 0;
    enum kesher_status status = ks_request_take_header(session, &header, error);
    if (status == KESHER_OK)
        status = ks_secure_request_begin_answer(session->channel, &asked, &header, error);
    request->reason = asked.reason;
    *payload_size = header.payload_size;
    return status;
}

enum kesher_status ks_files_take_answer(struct ks_client_session *session, struct ks_files_request *request,
                                        uint16_t expected, void *payload, size_t size,
                                        struct kesher_error *error)
{
    uint32_t payload_size = 0;
    enum kesher_status status = ks_files_take_header(session, request, expected, &payload_size, error);
    if (status != KESHER_OK)
        return status;
    if (payload_size != size)
        return ks_files_fail_answer(session, error, "an answer that makes no sense: its size");
    return ks_channel_receive(session->channel, payload, size, error);
}
