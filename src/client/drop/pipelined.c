/* pipelined.c — many small files without waiting for each: 1028s ahead, 1029s as the 2103s come.
 *
 * The 1029s for all 2103s that have come go out together, then as many new 1028s: so the server puts those
 * files on its disk together while it takes in the next ones. What was confirmed is told to the list only
 * then, for that may last, too.
 *
 * Answers come in the order of the requests, so a queue of slots tells which file the next one is about; each
 * slot has at most one request out. The window bounds what the server owes us to far less than a channel's
 * input buffer, and a channel takes in while it sends: nothing can lock up. Whatever goes wrong with a file
 * here, it is sent again one by one, after the queue has run dry, with what went wrong counted in. The first
 * one that is given up ends the run, and every file that was taken from the list is told what became of it.
 */
#include "base/text.h"
#include "client/drop/upload.h"
#include "client/failure.h"
#include "client/transport/login.h"
#include "client/transport/request.h"

#include <string.h>

enum {
    WINDOW = 64,
    /* Uploads out for which no 1029 was sent yet. A server drops a key after 16 contents without a 1029
     * (protocol.md §1.1), and a 1029 takes its place behind what is out already. */
    UNCONFIRMED_LIMIT = 14,
    SHOWN_NAME_SIZE = 200,
};

enum slot_phase { SLOT_FREE, SLOT_SENT, SLOT_ARRIVED, SLOT_CONFIRMING, SLOT_CONFIRMED, SLOT_AGAIN };

struct pipelined_slot {
    enum slot_phase phase;
    uint64_t number; /* ascends as the files came */
    struct kesher_upload upload;
    uint32_t cksum;
    struct ks_upload_counts counts;
};

struct pipelined_run {
    struct kesher_drop *drop;
    const struct kesher_upload_list *list;
    struct pipelined_slot slots[WINDOW];
    unsigned queue[WINDOW]; /* indices of the slots with a request out, a ring */
    unsigned queue_front;
    unsigned queue_size;
    uint64_t taken; /* files that have had a slot */
    bool list_ended;
    bool refused;   /* since the connection was made */
    bool again_due; /* some slot is in SLOT_AGAIN: drain, then send those one by one */
    bool has_held;
    struct kesher_upload held; /* taken from the list, and has to wait until nothing is out */
    enum kesher_status status; /* of the last failure */
    bool given_up;
    char given_up_name[SHOWN_NAME_SIZE]; /* of the file that ended the run; safe for sentences */
    struct kesher_error error;           /* of the file in hand */
    struct kesher_error last_error;      /* of the last failure that was told to the list */
};

static void finish(struct pipelined_run *run, const struct kesher_upload *upload, enum kesher_status status,
                   uint32_t cksum)
{
    const struct kesher_upload_result result = {.status = status, .cksum = cksum};
    if (status != KESHER_OK) {
        if (!run->given_up) { /* what follows is only a consequence */
            run->status = status;
            run->last_error = run->error;
            ks_text_escape(upload->name, strlen(upload->name), run->given_up_name, SHOWN_NAME_SIZE);
        }
        run->given_up |= status != KESHER_FILE && status != KESHER_INVALID;
    }
    run->list->done(run->list->context, upload, &result, status == KESHER_OK ? NULL : &run->error);
}

static void finish_slot(struct pipelined_run *run, struct pipelined_slot *slot, enum kesher_status status)
{
    slot->phase = SLOT_FREE;
    finish(run, &slot->upload, status, slot->cksum);
}

static void enqueue(struct pipelined_run *run, struct pipelined_slot *slot, enum slot_phase phase)
{
    slot->phase = phase;
    run->queue[(run->queue_front + run->queue_size) % WINDOW] = (unsigned)(slot - run->slots);
    run->queue_size++;
}

static struct pipelined_slot *dequeue(struct pipelined_run *run)
{
    struct pipelined_slot *slot = &run->slots[run->queue[run->queue_front]];
    run->queue_front = (run->queue_front + 1) % WINDOW;
    run->queue_size--;
    return slot;
}

static void send_again_later(struct pipelined_run *run, struct pipelined_slot *slot)
{
    slot->phase = SLOT_AGAIN;
    run->again_due = true;
}

/* An error answer: the connection is no more to be trusted once what is out on it is answered. */
static void refuse_later(struct pipelined_run *run, struct pipelined_slot *slot)
{
    run->refused = true;
    slot->counts.refused = true;
    send_again_later(run, slot);
}

/* The connection is gone: nothing that is out will be answered. */
static void lose_all(struct pipelined_run *run)
{
    for (size_t i = 0; i < WINDOW; i++) {
        struct pipelined_slot *slot = &run->slots[i];
        if (slot->phase != SLOT_SENT && slot->phase != SLOT_ARRIVED && slot->phase != SLOT_CONFIRMING)
            continue;
        slot->counts.tries.losses++;
        send_again_later(run, slot);
    }
    run->queue_size = 0;
    ks_client_session_disconnect(&run->drop->session);
}

static bool is_kept_as(const char *name, const char *kept)
{
    const char *other = NULL;
    return kesher_kept_name(name, &other, NULL) == KESHER_OK && strcmp(other, kept) == 0;
}

/* Two files of one name must not be out together: the first one's 1029 would confirm the second. */
static bool name_is_out(const struct pipelined_run *run, const char *name)
{
    const char *kept = NULL;
    if (kesher_kept_name(name, &kept, NULL) != KESHER_OK)
        return false; /* it does not go out at all */
    for (size_t i = 0; i < WINDOW; i++)
        if (run->slots[i].phase != SLOT_FREE && is_kept_as(run->slots[i].upload.name, kept))
            return true;
    return false;
}

/* NULL when all slots are taken, or so many uploads are unconfirmed that the key would be used up. */
static struct pipelined_slot *free_slot(struct pipelined_run *run)
{
    struct pipelined_slot *free_slot = NULL;
    unsigned unconfirmed = 0;
    for (size_t i = 0; i < WINDOW; i++) {
        if (run->slots[i].phase == SLOT_FREE)
            free_slot = &run->slots[i];
        else if (run->slots[i].phase == SLOT_SENT || run->slots[i].phase == SLOT_ARRIVED)
            unconfirmed++;
    }
    return unconfirmed < UNCONFIRMED_LIMIT ? free_slot : NULL;
}

static void send_first(struct pipelined_run *run, struct pipelined_slot *slot)
{
    slot->counts = (struct ks_upload_counts){0};
    slot->cksum = 0;
    enum kesher_status status = ks_upload_check(&slot->upload, &run->error);
    if (status == KESHER_OK)
        status = ks_upload_send_small(run->drop, &slot->upload, &slot->cksum, &run->error);
    if (status == KESHER_OK) {
        enqueue(run, slot, SLOT_SENT);
    } else if (ks_channel_is_broken(run->drop->session.channel)) {
        send_again_later(run, slot);
        lose_all(run);
    } else {
        finish_slot(run, slot, status);
    }
}

/* Makes sure that the next file of the list is in `held`. False when there is none. */
static bool hold_next(struct pipelined_run *run)
{
    if (!run->has_held && !run->list_ended) {
        run->has_held = run->list->next(run->list->context, &run->held);
        run->list_ended = !run->has_held;
    }
    return run->has_held;
}

/* Sends what may be sent ahead. */
static void fill(struct pipelined_run *run)
{
    while (!run->again_due && !run->given_up) {
        struct pipelined_slot *slot = free_slot(run);
        if (slot == NULL || !hold_next(run))
            return;
        if (!ks_upload_is_small(&run->held) || name_is_out(run, run->held.name))
            return;
        slot->upload = run->held;
        slot->number = run->taken++;
        run->has_held = false;
        send_first(run, slot);
    }
}

static void take_file_answer(struct pipelined_run *run, struct pipelined_slot *slot,
                             const struct ks_answer *answer)
{
    struct ks_file_answer file;
    if (answer->code != KS_RESPONSE_FILE_RECEIVED ||
        ks_file_answer_parse(answer->payload, answer->payload_size, &file) != KS_OK) {
        refuse_later(run, slot);
    } else if (file.cksum != slot->cksum) {
        slot->counts.mismatches++;
        slot->counts.mismatch_untold = true;
        send_again_later(run, slot);
    } else {
        slot->phase = SLOT_ARRIVED;
    }
}

/* Of those in a phase, the one that came first; NULL when there is none. */
static struct pipelined_slot *first_in(struct pipelined_run *run, enum slot_phase phase)
{
    struct pipelined_slot *next = NULL;
    for (size_t i = 0; i < WINDOW; i++) {
        struct pipelined_slot *slot = &run->slots[i];
        if (slot->phase == phase && (next == NULL || slot->number < next->number))
            next = slot;
    }
    return next;
}

/* There is no connection any more, or no key, or no answer: the file whose turn it would be is the one that
 * fails. */
static void fail_next(struct pipelined_run *run, enum kesher_status status)
{
    char shown[SHOWN_NAME_SIZE];
    const struct kesher_error cause = run->error;
    struct pipelined_slot *slot = first_in(run, SLOT_AGAIN);
    if (slot == NULL && !hold_next(run)) {
        run->given_up = true; /* of what is out */
        return;
    }
    const struct kesher_upload *upload = slot != NULL ? &slot->upload : &run->held;
    ks_text_escape(upload->name, strlen(upload->name), shown, sizeof shown);
    (void)ks_failure(&run->error, status, "cannot send '%s': %.500s", shown, cause.sentence);
    if (slot != NULL) {
        finish_slot(run, slot, status);
    } else {
        run->has_held = false;
        finish(run, upload, status, 0);
    }
    run->given_up = true;
}

static void take_answer(struct pipelined_run *run)
{
    struct ks_answer answer;
    enum kesher_status status = ks_request_take_answer(&run->drop->session, &answer, &run->error);
    if (status != KESHER_OK) {
        lose_all(run);
        if (status == KESHER_TIMEOUT) /* silence is not repeated */
            fail_next(run, status);
        else
            ks_client_session_notice(&run->drop->session, run->error.sentence);
        return;
    }
    struct pipelined_slot *slot = dequeue(run);
    if (slot->phase == SLOT_SENT) {
        take_file_answer(run, slot, &answer);
    } else if (answer.code == KS_RESPONSE_CONFIRMED) {
        slot->phase = SLOT_CONFIRMED;
    } else {
        refuse_later(run, slot);
    }
}

/* Sends the 1029s of all that has arrived. */
static void confirm_arrived(struct pipelined_run *run)
{
    struct pipelined_slot *slot = NULL;
    while ((slot = first_in(run, SLOT_ARRIVED)) != NULL) {
        if (ks_upload_send_confirmation(run->drop, &slot->upload, &run->error) != KESHER_OK) {
            lose_all(run);
            return;
        }
        enqueue(run, slot, SLOT_CONFIRMING);
    }
}

/* Waits for an answer, and takes those that have come with it. */
static void take_answers(struct pipelined_run *run)
{
    struct ks_response_header header;
    do
        take_answer(run);
    while (run->queue_size > 0 && ks_channel_peek(run->drop->session.channel, 0, &header));
    confirm_arrived(run);
    fill(run);
    struct pipelined_slot *slot = NULL;
    while ((slot = first_in(run, SLOT_CONFIRMED)) != NULL)
        finish_slot(run, slot, KESHER_OK);
}

/* What becomes of a file that has no turn any more: what went wrong with it, if anything did. */
static enum kesher_status fail_untried(struct pipelined_run *run, const struct kesher_upload *upload,
                                       const struct ks_upload_counts *counts)
{
    char shown[SHOWN_NAME_SIZE];
    ks_text_escape(upload->name, strlen(upload->name), shown, sizeof shown);
    if (counts->mismatches > 0)
        return ks_failure(&run->error, KESHER_MISMATCH,
                          "'%s' arrived changed, and was not sent again, because '%s' failed", shown,
                          run->given_up_name);
    if (counts->refused)
        return ks_failure(&run->error, KESHER_REFUSED,
                          "the server refused '%s' once, and it was not sent again, because '%s' failed",
                          shown, run->given_up_name);
    if (counts->tries.losses > 0)
        return ks_failure(
            &run->error, KESHER_CONNECTION,
            "the connection was lost before '%s' was confirmed, and it was not sent again, because "
            "'%s' failed",
            shown, run->given_up_name);
    return ks_failure(&run->error, KESHER_NOT_SENT, "'%s' was not sent, because '%s' failed", shown,
                      run->given_up_name);
}

/* One file with nothing else out. */
static enum kesher_status put_alone(struct pipelined_run *run, const struct kesher_upload *upload,
                                    struct ks_upload_counts *counts, uint32_t *cksum)
{
    if (run->given_up)
        return fail_untried(run, upload, counts);
    return ks_upload_put(run->drop, upload, counts, cksum, &run->error);
}

static void put_waiting(struct pipelined_run *run)
{
    if (run->refused)
        ks_client_session_disconnect(&run->drop->session);
    run->refused = false;
    struct pipelined_slot *slot = NULL;
    while ((slot = first_in(run, SLOT_AGAIN)) != NULL)
        finish_slot(run, slot, put_alone(run, &slot->upload, &slot->counts, &slot->cksum));
    run->again_due = false;
    if (run->has_held) {
        struct ks_upload_counts counts = {0};
        uint32_t cksum = 0;
        run->has_held = false;
        enum kesher_status status = put_alone(run, &run->held, &counts, &cksum);
        finish(run, &run->held, status, cksum);
    }
}

enum kesher_status kesher_drop_put_pipelined(struct kesher_drop *drop, const struct kesher_upload_list *list,
                                             struct kesher_error *error)
{
    struct pipelined_run run = {.drop = drop, .list = list, .status = KESHER_OK};
    for (;;) {
        bool is_idle = run.queue_size == 0 && !run.given_up;
        if (is_idle && !run.again_due && !hold_next(&run))
            break; /* a connection that is lost now is not missed */
        enum kesher_status status = is_idle ? ks_login_ensure(&drop->session, &run.error) : KESHER_OK;
        if (status != KESHER_OK)
            fail_next(&run, status);
        fill(&run);
        if (run.queue_size > 0)
            take_answers(&run);
        else if (run.again_due || run.has_held)
            put_waiting(&run);
        else if (run.given_up)
            break;
    }
    if (run.status != KESHER_OK && error != NULL)
        *error = run.last_error;
    return run.status;
}
