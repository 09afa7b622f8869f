/* put_list.c — kesher_files_put: many files, the small ones without waiting for answers.
 *
 * All requests of a small file go out together, 3013 (anew), 3014, 3015, and those of up to WINDOW files
 * before the first is answered: so the server takes some in while it syncs the others, together. Answers come
 * in the order of the requests, so a ring tells whose the next one is. The window bounds what the server owes
 * us to far less than a channel's input buffer, and a channel takes in while it sends: nothing can lock up.
 *
 * Where there is a file of that name already, it is asked in the same way whether it is just this: 3013,
 * 3015. What is refused for a reason that another try can mend, and what was out when the connection was
 * lost, is put again one by one, the resumable way, after the ring has run dry. The first file that is given
 * up ends the run, and every file that was taken from the list is told what became of it.
 */
#include "base/text.h"
#include "client/failure.h"
#include "client/files/put_one.h"

#include <stdlib.h>
#include <string.h>

enum { WINDOW = 64 };

enum small_phase {
    SLOT_FREE,
    SLOT_OUT,     /* answers are still to come: in the ring */
    SLOT_DURABLE, /* the list is still to be told */
    SLOT_AGAIN,   /* to be put alone */
};

/* Which answer is the next one. */
enum small_step { STEP_OPEN, STEP_PIECE, STEP_END };

struct small_put {
    enum small_phase phase;
    enum small_step step;
    uint64_t number; /* ascends as the files came */
    bool was_lost;   /* with the connection: it may be there */
    bool asks;       /* only whether it is kept already: no piece is sent */
    bool is_kept;    /* the server says so of a file of that size */
    uint8_t put_id[KS_PUT_ID_SIZE];
    struct kesher_put put;
    struct kesher_put_result result;
};

struct put_list_run {
    struct kesher_files *files;
    const struct kesher_put_list *list;
    struct ks_files_request request; /* of the file whose answer is next */
    struct small_put slots[WINDOW];
    unsigned ring[WINDOW]; /* indices of the slots that are out */
    unsigned ring_front;
    unsigned ring_size;
    uint64_t taken; /* files that have had a slot */
    bool list_ended;
    bool again_due; /* some slot is in SLOT_AGAIN: drain, then put those */
    bool has_held;
    struct kesher_put held;     /* taken from the list, and has to wait until nothing is out */
    enum kesher_status refused; /* the first file of the ring, with `error`; KESHER_OK: it was not yet */
    uint16_t reason;
    enum kesher_status status; /* of the last failure */
    bool given_up;
    char given_up_name[KS_FILES_SHOWN_SIZE]; /* of the file that ended the run */
    struct kesher_error error;               /* of the file in hand */
    struct kesher_error last_error;          /* of the last failure that was told to the list */
};

/* ---- the end of a file ---- */

static void finish(struct put_list_run *run, const struct kesher_put *put, struct kesher_put_result *result,
                   enum kesher_status status)
{
    result->status = status;
    if (status != KESHER_OK && !run->given_up) { /* what follows is only a consequence */
        run->status = status;
        run->last_error = run->error;
        ks_files_show(put->name, run->given_up_name);
        run->given_up = !ks_files_others_go_on(status);
    }
    if (status == KESHER_OK)
        ks_put_one_progress(&run->files->session, put, result->size, result->size);
    run->list->done(run->list->context, put, result, status == KESHER_OK ? NULL : &run->error);
}

static void finish_slot(struct put_list_run *run, struct small_put *slot, enum kesher_status status)
{
    slot->phase = SLOT_FREE;
    finish(run, &slot->put, &slot->result, status);
}

static void put_again_later(struct put_list_run *run, struct small_put *slot)
{
    slot->phase = SLOT_AGAIN;
    slot->result = (struct kesher_put_result){.status = KESHER_OK};
    run->again_due = true;
}

/* ---- the ring ---- */

static void enqueue(struct put_list_run *run, struct small_put *slot)
{
    slot->phase = SLOT_OUT;
    slot->step = STEP_OPEN;
    run->ring[(run->ring_front + run->ring_size++) % WINDOW] = (unsigned)(slot - run->slots);
}

static struct small_put *front(struct put_list_run *run)
{
    return &run->slots[run->ring[run->ring_front]];
}

static void dequeue(struct put_list_run *run)
{
    run->ring_front = (run->ring_front + 1) % WINDOW;
    run->ring_size--;
    run->refused = KESHER_OK;
}

/* The connection is gone: nothing that is out will be answered. */
static void lose_all(struct put_list_run *run)
{
    for (; run->ring_size > 0; dequeue(run)) {
        front(run)->was_lost = true;
        put_again_later(run, front(run));
    }
    ks_client_session_disconnect(&run->files->session);
}

/* Of those in a phase, the one that came first; NULL when there is none. */
static struct small_put *first_in(struct put_list_run *run, enum small_phase phase)
{
    struct small_put *next = NULL;
    for (size_t i = 0; i < WINDOW; i++) {
        struct small_put *slot = &run->slots[i];
        if (slot->phase == phase && (next == NULL || slot->number < next->number))
            next = slot;
    }
    return next;
}

/* Makes sure that the next file of the list is in `held`. False when there is none. */
static bool hold_next(struct put_list_run *run)
{
    if (!run->has_held && !run->list_ended) {
        run->has_held = run->list->next(run->list->context, &run->held);
        run->list_ended = !run->has_held;
    }
    return run->has_held;
}

/* The held file cannot be put. */
static void finish_held(struct put_list_run *run, enum kesher_status status)
{
    struct kesher_put_result result = {.status = status};
    run->has_held = false;
    finish(run, &run->held, &result, status);
}

/* There is no connection any more, or no answer: the file whose turn it would be is the one that fails. */
static void fail_next(struct put_list_run *run, enum kesher_status status)
{
    char shown[KS_FILES_SHOWN_SIZE];
    struct small_put *slot = first_in(run, SLOT_AGAIN);
    const struct kesher_error cause = run->error;
    if (slot == NULL && !hold_next(run)) {
        run->given_up = true;
        return;
    }
    ks_files_show(slot != NULL ? slot->put.name : run->held.name, shown);
    (void)ks_failure(&run->error, status, "cannot put '%s': %.500s", shown, cause.sentence);
    if (slot != NULL)
        finish_slot(run, slot, status);
    else
        finish_held(run, status);
    run->given_up = true;
}

/* The connection is of no use any more. Silence and nonsense are not repeated. */
static void lose(struct put_list_run *run, enum kesher_status status)
{
    lose_all(run);
    if (status == KESHER_CONNECTION)
        ks_client_session_notice(&run->files->session, run->error.sentence);
    else
        fail_next(run, status);
}

/* ---- out ---- */

/* The requests of a small file into the buffer. KESHER_OK with *size; KESHER_FILE, KESHER_CRYPTO. */
static enum kesher_status fill_buffer(struct put_list_run *run, struct small_put *slot,
                                      const struct ks_put_source *source, size_t *size)
{
    uint8_t *bytes = run->files->put_buffer->bytes;
    struct ks_cksum sum = ks_cksum_start();
    enum kesher_status status =
        ks_put_frames_open(source, true, bytes, KS_PUT_FRAMES_OPEN_LIMIT, size, &run->error);
    if (status == KESHER_OK && source->size > 0) {
        ks_put_frames_piece((uint32_t)source->size, bytes + *size);
        *size += KS_REQUEST_HEADER_SIZE;
        status = ks_put_source_read(source, &sum, bytes + *size, (size_t)source->size, &run->error);
        *size += (size_t)source->size;
    }
    if (status == KESHER_OK)
        status = ks_put_source_check(source, &run->error);
    if (status != KESHER_OK)
        return status;
    slot->result.size = source->size;
    slot->result.cksum = ks_cksum_value(&sum);
    ks_put_frames_end(slot->result.cksum, bytes + *size);
    *size += KS_PUT_FRAMES_END_SIZE;
    return KESHER_OK;
}

/* What the buffer has. */
static void send_slot(struct put_list_run *run, struct small_put *slot, size_t size)
{
    struct ks_channel *channel = run->files->session.channel;
    enqueue(run, slot);
    enum kesher_status status = ks_channel_send(channel, run->files->put_buffer->bytes, size, &run->error);
    if (status != KESHER_OK)
        lose(run, status);
}

static void send_small(struct put_list_run *run, struct small_put *slot, const struct ks_put_source *source)
{
    size_t size = 0;
    memcpy(slot->put_id, source->put_id, sizeof slot->put_id);
    enum kesher_status status = fill_buffer(run, slot, source, &size);
    if (status == KESHER_OK)
        send_slot(run, slot, size);
    else
        finish_slot(run, slot, status);
}

/* Two puts of one name must not be out together: they may be one put. */
static bool name_is_out(const struct put_list_run *run, const char *name)
{
    for (size_t i = 0; i < WINDOW; i++)
        if (run->slots[i].phase != SLOT_FREE && strcmp(run->slots[i].put.name, name) == 0)
            return true;
    return false;
}

static struct small_put *find_free(struct put_list_run *run)
{
    for (size_t i = 0; i < WINDOW; i++)
        if (run->slots[i].phase == SLOT_FREE)
            return &run->slots[i];
    return NULL;
}

/* Sends what may be sent ahead. */
static void fill(struct put_list_run *run)
{
    struct small_put *slot = NULL;
    while (!run->again_due && !run->given_up && (slot = find_free(run)) != NULL && hold_next(run)) {
        struct ks_put_source source;
        enum kesher_status status = ks_put_source_open(&source, &run->held, &run->error);
        if (status != KESHER_OK) {
            finish_held(run, status);
            continue;
        }
        bool is_alone = run->held.digest || source.size > KS_PUT_ONE_SMALL;
        if (is_alone || name_is_out(run, run->held.name))
            return;
        *slot = (struct small_put){.put = run->held, .number = run->taken++};
        source.put = &slot->put;
        run->has_held = false;
        send_small(run, slot, &source);
    }
}

/* ---- in ---- */

/* What a put has that begins, or one that may be kept already. */
static bool is_open_right(struct small_put *slot, const uint8_t *payload)
{
    struct ks_put_open open;
    if (ks_put_open_parse(payload, KS_PUT_OPEN_SIZE, &open) != KS_OK || (open.flags & ~KS_PUT_IS_KEPT) != 0)
        return false;
    slot->is_kept = open.flags == KS_PUT_IS_KEPT;
    if (!slot->asks)
        return !slot->is_kept && open.offset == 0;
    return slot->is_kept ? open.offset == slot->result.size : open.offset <= slot->result.size;
}

static bool is_end_right(struct small_put *slot, uint8_t flags)
{
    slot->result.replaced = (flags & KS_PUT_REPLACED) != 0;
    slot->result.unchanged = slot->is_kept;
    slot->result.resumed_at = slot->is_kept ? slot->result.size : 0;
    return (flags & ~(KS_PUT_REPLACED | (slot->is_kept ? KS_PUT_WAS_KEPT : 0))) == 0;
}

/* Whether an answer to the slot's step makes sense: none does behind a refusal. */
static bool is_step_right(const struct put_list_run *run, struct small_put *slot, const uint8_t *payload)
{
    if (run->refused != KESHER_OK)
        return false;
    if (slot->step == STEP_OPEN)
        return is_open_right(slot, payload);
    if (slot->step == STEP_PIECE)
        return ks_load_u64(payload) == slot->result.size;
    return is_end_right(slot, payload[0]);
}

static enum kesher_status take_step(struct put_list_run *run, struct small_put *slot)
{
    struct ks_client_session *session = &run->files->session;
    struct kesher_error said;
    uint8_t payload[KS_PUT_OPEN_SIZE];
    static const struct {
        uint16_t code;
        size_t size;
    } answers[] = {
        [STEP_OPEN] = {KS_RESPONSE_PUT_OPEN, KS_PUT_OPEN_SIZE},
        [STEP_PIECE] = {KS_RESPONSE_PUT_PIECE, 8},
        [STEP_END] = {KS_RESPONSE_PUT_END, 1},
    };
    enum kesher_status status = ks_files_take_answer(session, &run->request, answers[slot->step].code,
                                                     payload, answers[slot->step].size, &said);
    if (status != KESHER_OK && (run->refused == KESHER_OK || run->request.reason == 0))
        run->error = said; /* of refusals the first one says why */
    if (status != KESHER_OK || is_step_right(run, slot, payload))
        return status;
    return ks_files_fail_answer(session, &run->error, "an answer to a put that makes no sense");
}

/* Another try may find what is kept already, or that another put has ended. */
static bool is_for_another_try(const struct put_list_run *run, const struct kesher_put *put)
{
    switch (run->reason) {
    case KS_REFUSAL_FILE_EXISTS:
        return !put->replace;
    case KS_REFUSAL_PUT_IN_USE:
    case KS_REFUSAL_CKSUM:
    case KS_REFUSAL_NO_PUT:
    case KS_REFUSAL_QUOTA: /* may be one of what is open at a time */
        return true;
    default:
        return false;
    }
}

/* There is a file of that name: the very same may be kept already, as when a directory is put once more. An
 * end of the right cksum without a piece is answered only then. */
static void ask_for_kept(struct put_list_run *run, struct small_put *slot)
{
    uint8_t *bytes = run->files->put_buffer->bytes;
    struct ks_put_source source = {.put = &slot->put, .size = slot->result.size};
    size_t size = 0;
    memcpy(source.put_id, slot->put_id, sizeof source.put_id);
    slot->asks = true;
    enum kesher_status status =
        ks_put_frames_open(&source, false, bytes, KS_PUT_FRAMES_OPEN_LIMIT, &size, &run->error);
    if (status != KESHER_OK) {
        finish_slot(run, slot, status);
        return;
    }
    ks_put_frames_end(slot->result.cksum, bytes + size);
    send_slot(run, slot, size + KS_PUT_FRAMES_END_SIZE);
}

/* All answers of the first file of the ring have come. */
static void settle(struct put_list_run *run, struct small_put *slot)
{
    enum kesher_status refused = run->refused;
    dequeue(run);
    if (refused == KESHER_OK)
        slot->phase = SLOT_DURABLE;
    else if (run->reason == KS_REFUSAL_FILE_EXISTS && !slot->put.replace && !slot->asks)
        ask_for_kept(run, slot);
    else if (is_for_another_try(run, &slot->put))
        put_again_later(run, slot);
    else
        finish_slot(run, slot, refused);
}

static void take_answer(struct put_list_run *run)
{
    struct small_put *slot = front(run);
    if (run->refused == KESHER_OK)
        run->request = ks_files_request("put", slot->put.name);
    enum kesher_status status = take_step(run, slot);
    if (status != KESHER_OK && run->request.reason == 0) {
        lose(run, status);
        return;
    }
    if (status != KESHER_OK && run->refused == KESHER_OK) {
        run->refused = status;
        run->reason = run->request.reason;
    }
    if (slot->step == STEP_END)
        settle(run, slot);
    else
        slot->step = slot->step == STEP_OPEN && slot->result.size > 0 && !slot->asks ? STEP_PIECE : STEP_END;
}

/* Waits for an answer, and takes those that have come with it. New files go out before the list is told of
 * those that are done, which may last. */
static void take_answers(struct put_list_run *run)
{
    struct ks_response_header header;
    struct small_put *slot = NULL;
    do
        take_answer(run);
    while (run->ring_size > 0 && ks_channel_peek(run->files->session.channel, 0, &header));
    fill(run);
    while ((slot = first_in(run, SLOT_DURABLE)) != NULL)
        finish_slot(run, slot, KESHER_OK);
}

/* ---- one by one ---- */

static enum kesher_status fail_untried(struct put_list_run *run, const struct kesher_put *put, bool was_lost)
{
    char shown[KS_FILES_SHOWN_SIZE];
    return ks_failure(&run->error, KESHER_NOT_SENT, "'%s' was not put%s, because '%s' failed",
                      ks_files_show(put->name, shown),
                      was_lost ? ", as far as is known, and not tried again" : "", run->given_up_name);
}

static void put_alone(struct put_list_run *run, const struct kesher_put *put, bool was_lost)
{
    struct kesher_put_result result = {.status = KESHER_OK};
    enum kesher_status status = run->given_up ? fail_untried(run, put, was_lost)
                                              : ks_put_one(run->files, put, was_lost, &result, &run->error);
    finish(run, put, &result, status);
}

static void put_waiting(struct put_list_run *run)
{
    struct small_put *slot = NULL;
    while ((slot = first_in(run, SLOT_AGAIN)) != NULL) {
        put_alone(run, &slot->put, slot->was_lost);
        slot->phase = SLOT_FREE;
    }
    run->again_due = false;
    if (run->has_held) {
        run->has_held = false;
        put_alone(run, &run->held, false);
    }
}

/* ---- all of it ---- */

static enum kesher_status nothing_more(struct ks_client_session *session, void *context,
                                       struct kesher_error *error)
{
    (void)session;
    (void)context;
    (void)error;
    return KESHER_OK;
}

/* Makes sure that there is a connection, on which nothing is out. */
static void make_connection(struct put_list_run *run)
{
    struct ks_files_request request = ks_files_request("put files", NULL);
    enum kesher_status status = ks_files_run(run->files, &request, nothing_more, NULL, &run->error);
    if (status != KESHER_OK)
        fail_next(run, status);
}

static void put_all(struct put_list_run *run)
{
    for (;;) {
        bool is_idle = run->ring_size == 0 && !run->given_up;
        if (is_idle && !run->again_due && !hold_next(run))
            return; /* a connection that is lost now is not missed */
        if (is_idle)
            make_connection(run);
        fill(run);
        if (run->ring_size > 0)
            take_answers(run);
        else if (run->again_due || run->has_held)
            put_waiting(run);
        else if (run->given_up)
            return;
    }
}

enum kesher_status kesher_files_put(struct kesher_files *files, const struct kesher_put_list *list,
                                    struct kesher_error *error)
{
    if (files->put_buffer == NULL)
        files->put_buffer = malloc(sizeof *files->put_buffer);
    struct put_list_run *run = calloc(1, sizeof *run);
    if (files->put_buffer == NULL || run == NULL) {
        free(run);
        return ks_failure_no_memory(error);
    }
    run->files = files;
    run->list = list;
    put_all(run);
    enum kesher_status status = run->status;
    if (status != KESHER_OK && error != NULL)
        *error = run->last_error;
    free(run);
    return status;
}
