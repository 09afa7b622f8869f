/* put_one.c — see put_one.h. */
#include "client/files/put_one.h"

#include "client/failure.h"

/* How often a file is begun again because what the server has is not what was sent, or is there no more. */
enum { BEGINNINGS_LIMIT = 4 };

struct one_put {
    struct kesher_files *files;
    const struct kesher_put *put;
    struct kesher_put_result *result;
    struct ks_files_request request;
    struct ks_put_source source;
    struct ks_cksum sums[KS_PUT_ONE_WINDOW]; /* up to the end of each piece without an answer, a ring */
    size_t sums_front;
    size_t sums_size;
    struct ks_cksum known; /* of the first bytes of the file: as many as the server is known to have had */
    uint64_t furthest;     /* the most that it ever had */
    unsigned beginnings;
    bool resumes;     /* result->resumed_at tells where it went on */
    bool anew;        /* the next 3013 says so */
    bool is_kept;     /* the last 4013 said so */
    bool end_is_due;  /* an answer to a 3015 is still to come */
    bool end_was_out; /* all of it was sent at some time: what is kept may be just that */
    bool again;       /* it begins again on the same connection */
};

void ks_put_one_progress(const struct ks_client_session *session, const struct kesher_put *put, uint64_t sent,
                         uint64_t size)
{
    ks_files_progress(session, put->tag, sent, size);
}

/* The server has so much: lost connections count from here on. */
static void note_position(struct one_put *run, uint64_t position)
{
    if (position <= run->furthest)
        return;
    run->furthest = position;
    run->request.progressed = true;
}

/* Begins again, with the next 3013. False when that was done too often. */
static bool begin_again(struct one_put *run, bool anew)
{
    if (++run->beginnings >= BEGINNINGS_LIMIT)
        return false;
    run->anew = anew;
    run->again = true;
    return true;
}

/* ---- 3013: what the server has ---- */

static enum kesher_status check_open(const struct one_put *run, struct ks_client_session *session,
                                     const struct ks_put_open *open, bool was_anew,
                                     struct kesher_error *error)
{
    bool is_kept = (open->flags & KS_PUT_IS_KEPT) != 0;
    if ((open->flags & ~KS_PUT_IS_KEPT) != 0)
        return ks_files_fail_answer(session, error, "flags that nobody knows for a put");
    if (open->offset > run->source.size || (is_kept && open->offset != run->source.size))
        return ks_files_fail_answer(session, error, "an offset beyond the file for a put");
    if (was_anew && (is_kept || open->offset != 0))
        return ks_files_fail_answer(session, error, "an offset for a put that begins");
    return KESHER_OK;
}

static enum kesher_status open_put(struct one_put *run, struct ks_client_session *session,
                                   struct ks_put_open *open, struct kesher_error *error)
{
    uint8_t bytes[KS_PUT_FRAMES_OPEN_LIMIT];
    uint8_t payload[KS_PUT_OPEN_SIZE];
    size_t size = 0;
    bool anew = run->anew;
    enum kesher_status status = ks_put_frames_open(&run->source, anew, bytes, sizeof bytes, &size, error);
    if (status == KESHER_OK)
        status = ks_channel_send(session->channel, bytes, size, error);
    if (status != KESHER_OK)
        return status;
    ks_files_be_patient(session, run->source.size);
    status =
        ks_files_take_answer(session, &run->request, KS_RESPONSE_PUT_OPEN, payload, sizeof payload, error);
    /* An earlier connection of ours may have it open, which the server has not missed yet. */
    run->request.later = run->request.reason == KS_REFUSAL_PUT_IN_USE;
    if (status != KESHER_OK)
        return status;
    if (ks_put_open_parse(payload, sizeof payload, open) != KS_OK)
        return ks_files_fail_answer(session, error, "an answer to a put that makes no sense");
    run->anew = false;
    run->is_kept = (open->flags & KS_PUT_IS_KEPT) != 0;
    return check_open(run, session, open, anew, error);
}

static enum kesher_status fail_other(const struct one_put *run, bool is_kept, struct kesher_error *error)
{
    char shown[KS_FILES_SHOWN_SIZE];
    const char *server = run->files->session.shown;
    ks_files_show(run->put->name, shown);
    if (is_kept)
        return ks_failure(
            error, KESHER_EXISTS,
            "there is another file '%s' at %s; replace it with --replace, or choose another name", shown,
            server);
    return ks_failure(error, KESHER_MISMATCH,
                      "what %s has of '%s' is not what was sent, %d times; check the file and the network",
                      server, shown, BEGINNINGS_LIMIT);
}

/* Sums as many of the file's first bytes as the server has, from where they were summed already. */
static enum kesher_status sum_up_to(struct one_put *run, uint64_t offset, struct ks_cksum *sum,
                                    struct kesher_error *error)
{
    enum kesher_status status = KESHER_OK;
    *sum = run->known.length <= offset ? run->known : ks_cksum_start();
    while (status == KESHER_OK && sum->length < offset) {
        uint64_t left = offset - sum->length;
        size_t step = left < KS_PUT_ONE_STEP ? (size_t)left : KS_PUT_ONE_STEP;
        status = ks_put_source_read(&run->source, sum, run->files->put_buffer->bytes, step, error);
    }
    return status;
}

/* Whether what the server has is what the file begins with: *sum is of that then. If not, it begins again. */
static enum kesher_status compare(struct one_put *run, const struct ks_put_open *open, struct ks_cksum *sum,
                                  struct kesher_error *error)
{
    enum kesher_status status = sum_up_to(run, open->offset, sum, error);
    if (status != KESHER_OK)
        return status;
    bool is_empty = open->offset == 0 && !run->is_kept;
    if (!is_empty && ks_cksum_value(sum) != open->cksum) {
        bool may_replace = !run->is_kept || run->put->replace;
        return may_replace && begin_again(run, true) ? KESHER_OK : fail_other(run, run->is_kept, error);
    }
    run->known = *sum;
    note_position(run, open->offset);
    if (!run->resumes || open->offset < run->result->resumed_at)
        run->result->resumed_at = open->offset;
    run->resumes = true;
    return KESHER_OK;
}

/* ---- 3014: what it has not ---- */

static enum kesher_status take_piece_answer(struct one_put *run, struct ks_client_session *session,
                                            struct kesher_error *error)
{
    uint8_t payload[8];
    const struct ks_cksum sum = run->sums[run->sums_front];
    run->sums_front = (run->sums_front + 1) % KS_PUT_ONE_WINDOW;
    run->sums_size--;
    enum kesher_status status =
        ks_files_take_answer(session, &run->request, KS_RESPONSE_PUT_PIECE, payload, sizeof payload, error);
    if (status != KESHER_OK)
        return status;
    if (ks_load_u64(payload) != sum.length)
        return ks_files_fail_answer(session, error, "a position that is not that of the put");
    run->known = sum;
    note_position(run, sum.length);
    return KESHER_OK;
}

/* Behind a refusal of a piece all that is out is refused, too. What was said first counts. False when the
 * connection can be of no more use. */
static bool take_further_refusals(struct one_put *run, struct ks_client_session *session)
{
    const uint16_t reason = run->request.reason;
    uint8_t flags = 0;
    while (run->sums_size > 0 && run->request.reason != 0)
        (void)take_piece_answer(run, session, NULL);
    if (run->end_is_due && run->request.reason != 0)
        (void)ks_files_take_answer(session, &run->request, KS_RESPONSE_PUT_END, &flags, 1, NULL);
    bool is_of_use = run->request.reason != 0;
    if (!is_of_use)
        ks_client_session_disconnect(session);
    run->request.reason = reason;
    return is_of_use;
}

/* Takes the answers that have come; one of them in any case when the window is full. */
static enum kesher_status take_piece_answers(struct one_put *run, struct ks_client_session *session,
                                             struct kesher_error *error)
{
    struct ks_response_header header;
    enum kesher_status status = KESHER_OK;
    while (status == KESHER_OK && run->sums_size > 0 &&
           (run->sums_size == KS_PUT_ONE_WINDOW || ks_channel_peek(session->channel, 0, &header)))
        status = take_piece_answer(run, session, error);
    return status;
}

/* The next piece: read and sent in steps, so that what is read is encrypted while it is in cache. */
static enum kesher_status send_piece(struct one_put *run, struct ks_client_session *session,
                                     struct ks_cksum *sum, struct kesher_error *error)
{
    uint8_t *bytes = run->files->put_buffer->bytes;
    uint64_t missing = run->source.size - sum->length;
    size_t left = missing < KS_FILE_PIECE_LIMIT ? (size_t)missing : KS_FILE_PIECE_LIMIT;
    size_t before = KS_REQUEST_HEADER_SIZE;
    enum kesher_status status = KESHER_OK;
    ks_put_frames_piece((uint32_t)left, bytes);
    while (status == KESHER_OK && left > 0) {
        size_t step = left < KS_PUT_ONE_STEP ? left : KS_PUT_ONE_STEP;
        status = ks_put_source_read(&run->source, sum, bytes + before, step, error);
        if (status == KESHER_OK)
            status = ks_channel_send(session->channel, bytes, before + step, error);
        before = 0;
        left -= step;
    }
    if (status == KESHER_OK)
        run->sums[(run->sums_front + run->sums_size++) % KS_PUT_ONE_WINDOW] = *sum;
    return status;
}

/* After a lost connection: what had arrived before. A refusal is the reason then. */
static enum kesher_status take_last_answers(struct one_put *run, struct ks_client_session *session,
                                            enum kesher_status status, struct kesher_error *error)
{
    struct ks_response_header header;
    struct kesher_error said;
    while (run->sums_size > 0 && ks_channel_peek(session->channel, 0, &header)) {
        enum kesher_status late = take_piece_answer(run, session, &said);
        if (late == KESHER_OK)
            continue;
        if (run->request.reason == 0)
            break;
        *error = said;
        return late;
    }
    return status;
}

static enum kesher_status send_pieces(struct one_put *run, struct ks_client_session *session,
                                      struct ks_cksum *sum, struct kesher_error *error)
{
    ks_put_one_progress(session, run->source.put, sum->length, run->source.size);
    while (sum->length < run->source.size) {
        enum kesher_status status = take_piece_answers(run, session, error);
        if (status == KESHER_OK)
            status = send_piece(run, session, sum, error);
        if (status == KESHER_CONNECTION || status == KESHER_TIMEOUT)
            return take_last_answers(run, session, status, error);
        if (status != KESHER_OK)
            return status;
        ks_put_one_progress(session, run->source.put, sum->length, run->source.size);
    }
    return KESHER_OK;
}

/* ---- 3015: that was all ---- */

/* What was sent is one content only if the file is still what it was. */
static enum kesher_status send_end(struct one_put *run, struct ks_client_session *session,
                                   const struct ks_cksum *sum, struct kesher_error *error)
{
    uint8_t bytes[KS_PUT_FRAMES_END_SIZE];
    enum kesher_status status = ks_put_source_check(&run->source, error);
    if (status != KESHER_OK)
        return status;
    run->result->cksum = ks_cksum_value(sum);
    ks_put_frames_end(run->result->cksum, bytes);
    run->end_is_due = true;
    run->end_was_out |= !run->is_kept;
    status = ks_channel_send(session->channel, bytes, sizeof bytes, error);
    if (status == KESHER_CONNECTION || status == KESHER_TIMEOUT)
        status = take_last_answers(run, session, status, error);
    return status;
}

static enum kesher_status take_end(struct one_put *run, struct ks_client_session *session,
                                   struct kesher_error *error)
{
    uint8_t flags = 0;
    enum kesher_status status = KESHER_OK;
    while (status == KESHER_OK && run->sums_size > 0)
        status = take_piece_answer(run, session, error);
    if (status != KESHER_OK)
        return status;
    run->end_is_due = false;
    ks_files_be_patient(session, run->source.size);
    status = ks_files_take_answer(session, &run->request, KS_RESPONSE_PUT_END, &flags, 1, error);
    if (status != KESHER_OK)
        return status;
    if ((flags & ~(KS_PUT_REPLACED | KS_PUT_WAS_KEPT)) != 0)
        return ks_files_fail_answer(session, error, "flags that nobody knows for a file");
    run->result->replaced = (flags & KS_PUT_REPLACED) != 0;
    run->result->unchanged = run->is_kept && !run->end_was_out;
    return KESHER_OK;
}

/* Whether a refusal is none of the content, but of the state that the put is in. */
static bool is_begun_again(struct one_put *run)
{
    switch (run->request.reason) {
    case KS_REFUSAL_NO_PUT:
        return begin_again(run, false);
    case KS_REFUSAL_CKSUM:
        return begin_again(run, true);
    case KS_REFUSAL_FILE_EXISTS: /* of what was kept, and is not any more */
        return run->is_kept && begin_again(run, false);
    default:
        return false;
    }
}

/* ---- all of it ---- */

static enum kesher_status send_all(struct one_put *run, struct ks_client_session *session,
                                   struct ks_cksum *sum, struct kesher_error *error)
{
    enum kesher_status status = send_pieces(run, session, sum, error);
    if (status == KESHER_OK)
        status = send_end(run, session, sum, error);
    if (status == KESHER_OK)
        status = take_end(run, session, error);
    if (status == KESHER_FILE) /* in the middle of a piece, or with answers on their way */
        ks_client_session_disconnect(session);
    bool is_refused = run->request.reason != 0;
    if (is_refused && take_further_refusals(run, session) && is_begun_again(run))
        return KESHER_OK;
    return status;
}

static enum kesher_status try_once(struct one_put *run, struct ks_client_session *session,
                                   struct kesher_error *error)
{
    struct ks_put_open open;
    struct ks_cksum sum;
    run->again = false;
    run->sums_size = 0;
    run->end_is_due = false;
    enum kesher_status status = ks_put_source_check(&run->source, error);
    if (status == KESHER_OK)
        status = open_put(run, session, &open, error);
    if (status == KESHER_OK)
        status = compare(run, &open, &sum, error);
    return status == KESHER_OK && !run->again ? send_all(run, session, &sum, error) : status;
}

static enum kesher_status perform(struct ks_client_session *session, void *context,
                                  struct kesher_error *error)
{
    struct one_put *run = context;
    enum kesher_status status = KESHER_OK;
    do
        status = try_once(run, session, error);
    while (status == KESHER_OK && run->again);
    return status;
}

/* The sentence about a connection or a sign-in does not say which file it stopped. */
static enum kesher_status fail_put(const struct one_put *run, enum kesher_status status,
                                   struct kesher_error *error)
{
    char shown[KS_FILES_SHOWN_SIZE];
    const struct kesher_error cause = *error;
    bool is_named = run->request.reason != 0 || status == KESHER_FILE || status == KESHER_EXISTS ||
                    status == KESHER_MISMATCH;
    if (is_named)
        return status;
    return ks_failure(error, status, "cannot put '%s': %.500s", ks_files_show(run->put->name, shown),
                      cause.sentence);
}

enum kesher_status ks_put_one(struct kesher_files *files, const struct kesher_put *put, bool may_be_there,
                              struct kesher_put_result *result, struct kesher_error *error)
{
    struct one_put run = {.files = files,
                          .put = put,
                          .result = result,
                          .request = ks_files_request("put", put->name),
                          .known = ks_cksum_start(),
                          .end_was_out = may_be_there};
    enum kesher_status status = ks_put_source_open(&run.source, put, error);
    if (status != KESHER_OK)
        return status;
    result->size = run.source.size;
    status = ks_files_run(files, &run.request, perform, &run, error);
    if (status != KESHER_OK)
        return fail_put(&run, status, error);
    return put->digest ? ks_put_one_digest(files, put, result, error) : KESHER_OK;
}

/* ---- 3016 ---- */

struct digest_run {
    struct ks_files_request request;
    const struct kesher_put *put;
    struct kesher_put_result *result;
};

static enum kesher_status perform_digest(struct ks_client_session *session, void *context,
                                         struct kesher_error *error)
{
    struct digest_run *run = context;
    enum kesher_status status = ks_files_send_name(session, KS_REQUEST_FILE_DIGEST, run->put->name, error);
    if (status != KESHER_OK)
        return status;
    /* It is computed when the server has nothing else to do, and costs more than reading. */
    const uint64_t size = run->result->size;
    ks_files_be_patient(session, size < KS_FILE_LARGEST / 8 ? 8 * size : KS_FILE_LARGEST);
    return ks_files_take_answer(session, &run->request, KS_RESPONSE_FILE_DIGEST, run->result->sha256,
                                sizeof run->result->sha256, error);
}

enum kesher_status ks_put_one_digest(struct kesher_files *files, const struct kesher_put *put,
                                     struct kesher_put_result *result, struct kesher_error *error)
{
    struct digest_run run = {
        .request = ks_files_request("compute the SHA-256 of", put->name), .put = put, .result = result};
    return ks_files_run(files, &run.request, perform_digest, &run, error);
}
