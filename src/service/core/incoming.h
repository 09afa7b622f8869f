/* incoming.h — a content on its way in: the one object for what an upload (1028), a message that is sent
 * (603) and an own file that is put (3013) have in common. Private to src/service; the connection's loop.
 *
 * Words along the way. What comes is a *content*; while it comes it is *incoming*, and its kind is an
 * *upload* or a *message*. Large ones go in *chunks*, pieces of memory, to a *stage*, the store's file that
 * is not yet anybody's. An upload that is complete is *staged* until it is confirmed (drop/staged.h).
 *
 * Its life is a line, and at every point of it one owner has it and hands it on:
 *
 *   preparing    its kind finds out whether it may come, and asks the store what for (keys, users, a stage);
 *   coming       the session feeds it; nothing is taken before;
 *   handed over  all of it is here: its kind gives it away and answers the request;
 *   over         it is freed, with its stage if that is still there, once no chunk of it is with the store.
 *
 * A content goes into memory, or, when it is large or a file, through chunks (chunks.h) to a stage of the
 * store; one that comes in pieces and finds no more memory on its way is sent on to a stage, too. Memory is
 * taken from the loop's budget for what has come, and at most a few times as much, never for what was
 * declared. Where others wait for memory, and no content makes slower use of it, it is refused.
 *
 * A refusal, or the end of the connection, ends it from wherever it is; the session then skips what is still
 * to come.
 *
 * A content *in pieces* comes in many payloads, each of a request of its own, to a stage that is open
 * already: it is coming from its beginning to its end, and what came of one that breaks off is parked.
 * Between two pieces it holds what is not with the store yet, and it is its peer's turn.
 */
#ifndef KS_SERVICE_CORE_INCOMING_H
#define KS_SERVICE_CORE_INCOMING_H

#include "service/core/chunks.h"
#include "service/core/session.h"

struct ks_incoming;

/* What a content is for. */
struct ks_incoming_kind {
    const char *name; /* for the log */
    /* Says what its stage is to be opened with; all of `open` is zeros. */
    void (*describe_stage)(struct ks_incoming *incoming, struct ks_store_stage_open *open);
    /* Handed over: all of it is in `bytes`, or written to the stage. Answers the exchange that
     * ks_incoming_take_exchange gives, and calls ks_incoming_end, or ks_incoming_refuse; in the call or
     * later. Takes the stage out if it gives that away. */
    void (*complete)(struct ks_incoming *incoming);
    /* The store cannot take it and the request, whose exchange is there (of a content in pieces perhaps not),
     * is about to be refused: logs that. */
    void (*cannot_take)(struct ks_incoming *incoming, enum ks_result result, enum ks_store_limit limit);
    /* The same, for others wait for memory: logs KS_INCOMING_CUT. */
    void (*was_cut)(struct ks_incoming *incoming);
    /* It is over: frees the object that it is a part of. */
    void (*free)(struct ks_incoming *incoming);
    /* Of a kind that comes in pieces, else NULL: all of a piece is in chunks. Answers its exchange
     * (ks_incoming_take_exchange). */
    void (*piece_taken)(struct ks_incoming *incoming);
    /* Likewise: no more of it comes, for the reason that the two above have told, for want of memory, or
     * (KS_CLOSED) for it was cut, or the connection broke off. Refuses the exchange of the piece that was on
     * its way; NULL when there was none. Frees nothing. */
    void (*broke_off)(struct ks_incoming *incoming, struct ks_exchange *exchange, enum ks_result why);
};

enum ks_incoming_phase {
    KS_INCOMING_PREPARING,
    KS_INCOMING_COMING,
    KS_INCOMING_HANDED_OVER,
    KS_INCOMING_OVER,
    KS_INCOMING_PHASES,
};

#define KS_INCOMING_CUT                                                                                      \
    "others wait for memory, and this content comes most slowly for what it holds (buffers)"

/* Part of the object of its kind, which reads what is public and leaves the rest alone. */
struct ks_incoming {
    /* ---- public ---- */
    struct ks_loop *loop;
    const struct ks_service_environment *environment;
    uint32_t size;          /* of the content; 0 of one in pieces */
    uint8_t *bytes;         /* of one in memory; NULL while there are none */
    struct ks_stage *stage; /* of one that goes to disk; the kind sets it to NULL when it gives it away */
    /* ---- private ---- */
    const struct ks_incoming_kind *kind;
    struct ks_exchange *exchange; /* NULL once answered */
    struct ks_session *session;   /* that feeds it; NULL once all content came, or none will */
    uint8_t phase;                /* enum ks_incoming_phase; incoming.c changes it */
    bool in_memory;
    bool failed;         /* the request was refused, or its connection is gone */
    bool wanted;         /* the session may feed more, and is to be told */
    bool is_held_up;     /* by us: the session has more than could be taken */
    bool running;        /* its loop over what is to be done runs further up the stack */
    bool is_fed;         /* the first bytes have come */
    uint32_t collected;  /* of a content in memory, */
    uint32_t capacity;   /* and how much memory it has */
    uint32_t piece_left; /* bytes of a piece that are not in chunks yet */
    struct ks_holder holder;
    struct ks_chunks chunks;
    struct ks_store_stage_open open;
};

/* Begins a content of `size` bytes for `exchange`, whose session feeds it from now on, if it has any. Within
 * the rule's `begin`. The kind's preparations end with ks_incoming_prepared or ks_incoming_refuse. */
void ks_incoming_begin(struct ks_incoming *incoming, const struct ks_incoming_kind *kind,
                       struct ks_exchange *exchange, uint32_t size, bool in_memory);

/* The content may come: into memory, or into a stage, which is opened first. The object may be gone
 * afterwards, as after the next two. */
void ks_incoming_prepared(struct ks_incoming *incoming);

/* The kind refuses it: the rule's error at once; what is still to come of the content is skipped. While it is
 * prepared, or handed over. */
void ks_incoming_refuse(struct ks_incoming *incoming);

/* The kind is done with what was handed over. */
void ks_incoming_end(struct ks_incoming *incoming);

/* Begins a content in pieces, of which `left` bytes are still to come, at `offset` of `stage`, which is open.
 * The stage is parked in the end, unless the kind takes it out. */
void ks_incoming_begin_in_pieces(struct ks_incoming *incoming, const struct ks_incoming_kind *kind,
                                 const struct ks_exchange *exchange, struct ks_stage *stage, uint64_t offset,
                                 uint64_t left);

/* The payload of `exchange`, which is not longer than what is left, is its next piece. Within the rule's
 * `begin`; the exchanges of all pieces before were answered. */
void ks_incoming_feed(struct ks_incoming *incoming, struct ks_exchange *exchange);

/* Bytes that no piece has brought yet. */
uint64_t ks_incoming_left(const struct ks_incoming *incoming);

/* No more pieces come, and none is on its way. The object may be gone afterwards. */
void ks_incoming_stop(struct ks_incoming *incoming);

/* The exchange, to be answered; NULL when it was. */
struct ks_exchange *ks_incoming_take_exchange(struct ks_incoming *incoming);

/* The session that waits for the answer; NULL when it is gone, or answered. */
struct ks_session *ks_incoming_session(const struct ks_incoming *incoming);

#endif
