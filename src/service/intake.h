/* intake.h — a content on its way in: what an upload (1028) and a message that is sent (603) have in common.
 * The session feeds it, chunks (chunks.h) take it to a stage of the store, and in the end an exchange is
 * answered.
 *
 * An intake lives on its connection's loop. It is freed when the last of its holders lets go: the session
 * that feeds it, the requests that are with the store, the chunks. Its owner has it as a member.
 */
#ifndef KS_SERVICE_INTAKE_H
#define KS_SERVICE_INTAKE_H

#include "service/chunks.h"
#include "service/session.h"

struct ks_intake;

/* What owners differ in. */
struct ks_intake_kind {
    /* Nobody holds it any more: frees the owner. Its stage is dismissed, its chunks are clear. */
    void (*free)(struct ks_intake *intake);
    /* The exchange is about to be answered, or cancelled, and is still there. */
    void (*answering)(struct ks_intake *intake);
    /* Optional: no memory is waited for any more. */
    void (*stop_waiting)(struct ks_intake *intake);
    /* A chunk was written, or could not be: as `written` of chunks.h. */
    void (*written)(struct ks_intake *intake, enum ks_result result, bool last);
};

struct ks_intake {
    const struct ks_intake_kind *kind;
    unsigned holders;
    struct ks_exchange *exchange; /* NULL once answered */
    struct ks_session *session;   /* NULL once all content came, or none will */
    struct ks_loop *loop;
    const struct ks_service_environment *environment;
    struct ks_chunks chunks; /* with the stage */
    bool failed;
};

/* Fed by the exchange's session, if there is any content, and held once for that. */
void ks_intake_init(struct ks_intake *intake, const struct ks_intake_kind *kind, struct ks_exchange *exchange,
                    uint32_t content_size);

void ks_intake_hold(struct ks_intake *intake);
void ks_intake_let_go(struct ks_intake *intake);

/* The session feeds it no more. */
void ks_intake_leave_session(struct ks_intake *intake);

/* The session may feed more. */
void ks_intake_unblock(struct ks_intake *intake);

/* The exchange, to be answered; NULL when it was. */
struct ks_exchange *ks_intake_take_exchange(struct ks_intake *intake);

/* The rule's error at once; what is still to come of the content is skipped. Once; later calls do nothing. */
void ks_intake_fail(struct ks_intake *intake);

/* The sink is broken: nobody waits for an answer, and a stage is dismissed at the end. */
void ks_intake_broken(struct ks_intake *intake);

/* The answer of the store to a request for a stage: has it, and goes on, or fails. */
void ks_intake_staged(struct ks_intake *intake, enum ks_result result, struct ks_stage *stage);

/* The peer for log lines; "gone" once it is. */
const char *ks_intake_peer(const struct ks_intake *intake, char text[static KS_PEER_TEXT_SIZE]);

#endif
