/* intake.c — see intake.h. */
#include "service/intake.h"

#include "service/dismissal.h"

#include <stdio.h>

/* No analyser counts holders: they take every letting go for a free.
 * NOLINTBEGIN(clang-analyzer-unix.Malloc) */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-use-after-free"
#pragma GCC diagnostic ignored "-Wuse-after-free"
#endif

void ks_intake_hold(struct ks_intake *intake)
{
    intake->holders++;
}

static void intake_free(struct ks_intake *intake)
{
    if (intake->chunks.stage != NULL)
        ks_dismiss_stage(intake->environment->store, intake->loop, intake->chunks.stage);
    ks_chunks_clear(&intake->chunks);
    intake->kind->free(intake);
}

void ks_intake_let_go(struct ks_intake *intake)
{
    intake->holders--;
    if (intake->holders == 0 && !ks_chunks_pending(&intake->chunks))
        intake_free(intake);
}

/* ---- chunks ---- */

static void chunk_written(struct ks_chunks *chunks, enum ks_result result, bool last)
{
    struct ks_intake *intake = KS_CONTAINER_OF(chunks, struct ks_intake, chunks);
    ks_intake_hold(intake);
    intake->kind->written(intake, result, last);
    ks_intake_let_go(intake);
}

static void chunks_have_room(struct ks_chunks *chunks)
{
    struct ks_intake *intake = KS_CONTAINER_OF(chunks, struct ks_intake, chunks);
    ks_intake_hold(intake);
    ks_intake_unblock(intake);
    ks_intake_let_go(intake);
}

void ks_intake_init(struct ks_intake *intake, const struct ks_intake_kind *kind, struct ks_exchange *exchange,
                    uint32_t content_size)
{
    intake->kind = kind;
    intake->holders = content_size > 0 ? 1 : 0;
    intake->exchange = exchange;
    intake->session = content_size > 0 ? exchange->session : NULL;
    intake->loop = exchange->loop;
    intake->environment = exchange->environment;
    intake->failed = false;
    ks_chunks_init(&intake->chunks, exchange->loop, exchange->environment->store, content_size);
    intake->chunks.written = chunk_written;
    intake->chunks.has_room = chunks_have_room;
}

/* ---- the session and the exchange ---- */

void ks_intake_leave_session(struct ks_intake *intake)
{
    if (intake->session == NULL)
        return;
    intake->session = NULL;
    ks_intake_let_go(intake);
}

void ks_intake_unblock(struct ks_intake *intake)
{
    if (intake->session != NULL)
        ks_session_unblock(intake->session);
}

struct ks_exchange *ks_intake_take_exchange(struct ks_intake *intake)
{
    struct ks_exchange *exchange = intake->exchange;
    if (exchange != NULL)
        intake->kind->answering(intake);
    intake->exchange = NULL;
    return exchange;
}

static void stop_waiting(struct ks_intake *intake)
{
    ks_chunks_stop_waiting(&intake->chunks);
    if (intake->kind->stop_waiting != NULL)
        intake->kind->stop_waiting(intake);
}

void ks_intake_fail(struct ks_intake *intake)
{
    if (intake->failed)
        return;
    intake->failed = true;
    ks_intake_hold(intake);
    struct ks_session *session = intake->session;
    if (session != NULL)
        ks_session_skip_payload(session);
    stop_waiting(intake);
    ks_intake_leave_session(intake);
    struct ks_exchange *exchange = ks_intake_take_exchange(intake);
    if (exchange != NULL)
        ks_exchange_refuse(exchange);
    else if (session != NULL)
        ks_session_unblock(session);
    ks_intake_let_go(intake);
}

void ks_intake_broken(struct ks_intake *intake)
{
    intake->failed = true;
    ks_intake_hold(intake);
    stop_waiting(intake);
    ks_intake_leave_session(intake);
    struct ks_exchange *exchange = ks_intake_take_exchange(intake);
    if (exchange != NULL)
        ks_exchange_cancel(exchange);
    ks_intake_let_go(intake);
}

void ks_intake_staged(struct ks_intake *intake, enum ks_result result, struct ks_stage *stage)
{
    if (result == KS_OK) {
        intake->chunks.stage = stage;
        ks_intake_unblock(intake);
    } else {
        ks_intake_fail(intake);
    }
}

const char *ks_intake_peer(const struct ks_intake *intake, char text[static KS_PEER_TEXT_SIZE])
{
    if (intake->exchange != NULL)
        return ks_exchange_peer(intake->exchange, text);
    snprintf(text, KS_PEER_TEXT_SIZE, "gone");
    return text;
}
/* NOLINTEND(clang-analyzer-unix.Malloc) */
