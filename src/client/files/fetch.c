/* fetch.c — see fetch.h. */
#include "client/files/fetch.h"

#include "base/bytes.h"
#include "client/failure.h"
#include "client/files/descriptor.h"

#include <string.h>

enum { TOLD_STEP = 64 * 1024, CKSUM_SIZE = 4 };

static struct ks_cksum *cksum_of(struct ks_fetch *fetch)
{
    return fetch->get.to_descriptor ? &fetch->output : &fetch->landing.partial.cksum;
}

uint64_t ks_fetch_size(const struct ks_fetch *fetch)
{
    return fetch->get.to_descriptor ? fetch->output.length : fetch->landing.partial.cksum.length;
}

/* ---- begin and end ---- */

static enum kesher_status open_partial(struct ks_fetch *fetch, struct kesher_error *error)
{
    fetch->is_inquiry = false;
    return ks_partial_file_open(&fetch->landing.partial, &fetch->landing.destination, error);
}

enum kesher_status ks_fetch_begin(struct ks_fetch *fetch, const struct kesher_get *get,
                                  struct kesher_error *error)
{
    struct ks_destination_present present;
    memset(fetch, 0, sizeof *fetch);
    fetch->get = *get;
    fetch->request = ks_files_request("get", get->name);
    fetch->output = ks_cksum_start();
    fetch->landing.partial = (struct ks_partial_file){.fd = -1, .cksum = ks_cksum_start()};
    fetch->landing.destination.directory = -1;
    enum kesher_status status = kesher_file_name_check(get->name, error);
    if (status != KESHER_OK || get->to_descriptor)
        return status;
    status = ks_destination_open(&fetch->landing.destination, get, error);
    if (status == KESHER_OK)
        status = ks_destination_look(&fetch->landing.destination, &present, error);
    if (status != KESHER_OK)
        return status;
    fetch->is_inquiry = present.is_file;
    return present.is_file ? KESHER_OK : open_partial(fetch, error);
}

void ks_fetch_end(struct ks_fetch *fetch, bool forget)
{
    ks_partial_file_close(&fetch->landing.partial, &fetch->landing.destination, forget);
    ks_destination_close(&fetch->landing.destination);
}

/* ---- asking ---- */

enum kesher_status ks_fetch_ask(struct ks_client_session *session, const struct ks_fetch *fetch,
                                struct kesher_error *error)
{
    uint8_t payload[KS_GET_FILE_FIXED_SIZE + KS_FILE_NAME_LIMIT];
    const struct ks_cksum *has = fetch->get.to_descriptor ? &fetch->output : &fetch->landing.partial.cksum;
    const struct ks_get_file get = {
        .offset = has->length,
        .cksum = ks_cksum_value(has),
        .length = fetch->is_inquiry ? 0 : UINT64_MAX,
        .name = {.bytes = fetch->get.name, .size = (uint16_t)strnlen(fetch->get.name, KS_FILE_NAME_LIMIT)}};
    size_t size = 0;
    enum ks_result result = ks_get_file_encode(&get, payload, sizeof payload, &size);
    if (result != KS_OK)
        return ks_failure_from_result(error, result, "the file's name does not fit");
    return ks_request_send(session, KS_REQUEST_GET_FILE, payload, (uint32_t)size, error);
}

/* ---- what comes ---- */

static void tell_progress(const struct ks_client_session *session, struct ks_fetch *fetch, uint64_t came)
{
    const struct kesher_observer *observer = &session->options.observer;
    fetch->told = came;
    if (observer->file != NULL)
        observer->file(observer->context, fetch->get.tag);
    if (observer->progress != NULL)
        observer->progress(observer->context, came, fetch->result.size);
}

/* Writes what was collected. */
static enum kesher_status flush(struct ks_fetch *fetch, struct ks_fetch_buffer *buffer,
                                struct kesher_error *error)
{
    size_t size = buffer->size;
    enum kesher_status status = KESHER_OK;
    buffer->size = 0;
    if (size == 0)
        return KESHER_OK;
    if (!fetch->get.to_descriptor) {
        status = ks_partial_file_add(&fetch->landing.partial, &fetch->landing.destination, buffer->bytes,
                                     size, error);
    } else {
        char shown[KS_FILES_SHOWN_SIZE];
        status = ks_descriptor_write(fetch->get.fd, buffer->bytes, size,
                                     ks_files_show(fetch->get.name, shown), error);
        if (status == KESHER_OK)
            ks_cksum_add(&fetch->output, buffer->bytes, size);
    }
    if (ks_fetch_size(fetch) > fetch->best) {
        fetch->best = ks_fetch_size(fetch);
        fetch->request.progressed = true;
    }
    return status;
}

/* Takes the next bytes of the piece in hand. */
static enum kesher_status take_some(struct ks_client_session *session, struct ks_fetch *fetch,
                                    struct ks_fetch_buffer *buffer, struct kesher_error *error)
{
    size_t room = sizeof buffer->bytes - buffer->size;
    size_t wanted = fetch->piece_left < room ? fetch->piece_left : room;
    size_t got = 0;
    enum kesher_status status =
        ks_channel_receive_some(session->channel, buffer->bytes + buffer->size, wanted, &got, error);
    if (status != KESHER_OK)
        return status;
    buffer->size += got;
    fetch->left -= got;
    fetch->piece_left -= (uint32_t)got;
    uint64_t came = ks_fetch_size(fetch) + buffer->size;
    if (buffer->size == sizeof buffer->bytes || fetch->get.to_descriptor)
        status = flush(fetch, buffer, error);
    if (status == KESHER_OK && (came - fetch->told >= TOLD_STEP || fetch->left == 0))
        tell_progress(session, fetch, came);
    return status;
}

/* Takes the header of a piece. A refusal in its place ends the answer. */
static enum kesher_status begin_piece(struct ks_client_session *session, struct ks_fetch *fetch,
                                      struct kesher_error *error)
{
    uint32_t size = 0;
    enum kesher_status status =
        ks_files_take_header(session, &fetch->request, KS_RESPONSE_FILE_PIECE, &size, error);
    fetch->is_answered = fetch->request.reason != 0;
    if (status != KESHER_OK)
        return status;
    if (size == 0 || size > KS_FILE_PIECE_LIMIT || size > fetch->left)
        return ks_files_fail_answer(session, error, "a piece of a file that makes no sense: its size");
    fetch->piece_left = size;
    return KESHER_OK;
}

static enum kesher_status take_pieces(struct ks_client_session *session, struct ks_fetch *fetch,
                                      struct ks_fetch_buffer *buffer, struct kesher_error *error)
{
    struct kesher_error unwritten;
    enum kesher_status status = KESHER_OK;
    buffer->size = 0;
    while (status == KESHER_OK && fetch->left > 0) {
        if (fetch->piece_left == 0)
            status = begin_piece(session, fetch, error);
        if (status == KESHER_OK)
            status = take_some(session, fetch, buffer, error);
    }
    /* Also when the connection was lost: what came need not come again. */
    enum kesher_status written = flush(fetch, buffer, &unwritten);
    if (written == KESHER_OK)
        return status;
    *error = unwritten;
    return written;
}

/* ---- the answer ---- */

enum kesher_status ks_fetch_take_facts(struct ks_client_session *session, struct ks_fetch *fetch,
                                       struct ks_got_file *got, struct kesher_error *error)
{
    uint8_t bytes[KS_GOT_FILE_SIZE];
    uint64_t asked = ks_fetch_size(fetch);
    fetch->is_answered = true;
    ks_files_be_patient(session, asked);
    enum kesher_status status =
        ks_files_take_answer(session, &fetch->request, KS_RESPONSE_FILE, bytes, sizeof bytes, error);
    if (status != KESHER_OK)
        return status;
    if (ks_got_file_parse(bytes, sizeof bytes, got) != KS_OK || got->facts.size > KS_FILE_LARGEST ||
        (got->offset != 0 && got->offset != asked) || got->offset > got->facts.size ||
        got->length != (fetch->is_inquiry ? 0 : got->facts.size - got->offset))
        return ks_files_fail_answer(session, error, "a file that makes no sense: where it begins, or ends");
    fetch->result.size = got->facts.size;
    fetch->left = got->length;
    fetch->piece_left = 0;
    fetch->is_answered = false;
    return KESHER_OK;
}

static enum kesher_status take_cksum(struct ks_client_session *session, struct ks_fetch *fetch,
                                     uint32_t *cksum, struct kesher_error *error)
{
    uint8_t bytes[CKSUM_SIZE];
    enum kesher_status status =
        ks_files_take_answer(session, &fetch->request, KS_RESPONSE_FILE_END, bytes, sizeof bytes, error);
    fetch->is_answered = status == KESHER_OK || fetch->request.reason != 0;
    if (status == KESHER_OK)
        *cksum = ks_load_u32(bytes);
    return status;
}

/* Nothing of what was there before is of use. */
static enum kesher_status restart(struct ks_fetch *fetch, struct kesher_error *error)
{
    if (!fetch->get.to_descriptor)
        return ks_partial_file_restart(&fetch->landing.partial, &fetch->landing.destination, error);
    char shown[KS_FILES_SHOWN_SIZE];
    return ks_failure(error, KESHER_MISMATCH,
                      "'%s' was replaced at the server while it was fetched, and what was written of it "
                      "cannot be taken back; get it again",
                      ks_files_show(fetch->get.name, shown));
}

/* Before the first byte: where the content begins, and whether there is room for it. */
static enum kesher_status prepare(const struct ks_client_session *session, struct ks_fetch *fetch,
                                  const struct ks_got_file *got, struct kesher_error *error)
{
    enum kesher_status status = KESHER_OK;
    if (got->offset == 0 && ks_fetch_size(fetch) > 0)
        status = restart(fetch, error);
    if (!fetch->has_begun || got->offset == 0)
        fetch->result.resumed_at = got->offset;
    fetch->has_begun = true;
    fetch->is_resumed = got->offset > 0;
    if (got->offset > fetch->best)
        fetch->best = got->offset;
    if (status == KESHER_OK && !fetch->get.to_descriptor)
        status = ks_partial_file_make_room(&fetch->landing.partial, &fetch->landing.destination,
                                           got->facts.size, error);
    if (status == KESHER_OK)
        tell_progress(session, fetch, got->offset);
    return status;
}

/* ---- the end ---- */

static enum kesher_status fail_mismatch(struct ks_fetch *fetch, uint32_t told, struct kesher_error *error)
{
    char shown[KS_FILES_SHOWN_SIZE];
    return ks_failure(error, KESHER_MISMATCH,
                      "'%s' arrived changed: its cksum is %lu here and %lu at the server; try again",
                      ks_files_show(fetch->get.name, shown), (unsigned long)ks_cksum_value(cksum_of(fetch)),
                      (unsigned long)told);
}

static enum kesher_status finish(struct ks_client_session *session, struct ks_fetch *fetch,
                                 const struct ks_got_file *got, uint32_t told, enum ks_fetch_outcome *outcome,
                                 struct kesher_error *error)
{
    if (got->facts.has_cksum && got->facts.cksum != told)
        return ks_files_fail_answer(session, error, "two cksums of one file");
    fetch->result.cksum = told;
    if (told == ks_cksum_value(cksum_of(fetch))) {
        *outcome = KS_FETCH_COMPLETE;
        return KESHER_OK;
    }
    if (fetch->get.to_descriptor || !fetch->is_resumed || fetch->is_repeated)
        return fail_mismatch(fetch, told, error);
    fetch->is_repeated = true;
    *outcome = KS_FETCH_AGAIN;
    return restart(fetch, error);
}

/* The target is there, and now it is known what the server has. */
static enum kesher_status compare(struct ks_fetch *fetch, const struct ks_got_file *got,
                                  enum ks_fetch_outcome *outcome, struct kesher_error *error)
{
    const struct ks_destination *destination = &fetch->landing.destination;
    struct ks_destination_present present;
    struct ks_cksum cksum = ks_cksum_start();
    enum kesher_status status = ks_destination_look(destination, &present, error);
    bool may_be_same =
        status == KESHER_OK && got->facts.has_cksum && present.is_file && present.size == got->facts.size;
    if (may_be_same)
        status = ks_destination_read(destination, present.size, &cksum, error);
    if (status != KESHER_OK)
        return status;
    if (may_be_same && cksum.length == present.size && ks_cksum_value(&cksum) == got->facts.cksum) {
        fetch->result.cksum = got->facts.cksum;
        fetch->result.unchanged = true;
        *outcome = KS_FETCH_UNCHANGED;
        return KESHER_OK;
    }
    if (present.is_file && !destination->replace)
        return ks_destination_fail_exists(destination, error);
    *outcome = KS_FETCH_AGAIN;
    return open_partial(fetch, error);
}

enum kesher_status ks_fetch_take_content(struct ks_client_session *session, struct ks_fetch *fetch,
                                         const struct ks_got_file *got, struct ks_fetch_buffer *buffer,
                                         enum ks_fetch_outcome *outcome, struct kesher_error *error)
{
    uint32_t told = 0;
    enum kesher_status status = KESHER_OK;
    if (!fetch->is_inquiry)
        status = prepare(session, fetch, got, error);
    if (status == KESHER_OK && !fetch->is_inquiry)
        status = take_pieces(session, fetch, buffer, error);
    if (status == KESHER_OK)
        status = take_cksum(session, fetch, &told, error);
    if (status != KESHER_OK)
        return status;
    return fetch->is_inquiry ? compare(fetch, got, outcome, error)
                             : finish(session, fetch, got, told, outcome, error);
}

enum kesher_status ks_fetch_drop_rest(struct ks_client_session *session, struct ks_fetch *fetch,
                                      struct kesher_error *error)
{
    enum kesher_status status = KESHER_OK;
    uint32_t cksum = 0;
    if (fetch->is_answered)
        return KESHER_OK;
    if (fetch->left > KS_SKIP_LIMIT || ks_channel_is_broken(session->channel)) {
        ks_client_session_disconnect(session);
        return KESHER_OK;
    }
    while (status == KESHER_OK && fetch->left > 0) {
        if (fetch->piece_left == 0)
            status = begin_piece(session, fetch, error);
        if (status != KESHER_OK)
            break;
        status = ks_channel_skip(session->channel, fetch->piece_left, error);
        fetch->left -= fetch->piece_left;
        fetch->piece_left = 0;
    }
    if (status == KESHER_OK)
        status = take_cksum(session, fetch, &cksum, error);
    return fetch->is_answered ? KESHER_OK : status;
}
