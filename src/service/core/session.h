/* session.h — one connection to a port of frames, as the services behind it see it. Private to src/service.
 *
 * Glossary. A *session* is the state of one connection. An *exchange* is one request and its answer
 * (exchange.h). A *rule* says what a request of some code looks like and who serves it (rules.h). A *sink*
 * takes the part of a payload that is too large to be collected. A *stream* is an answer that is too large to
 * be held (stream.h). A *follower* waits until an answer that was written has arrived. A *companion* is what
 * a service keeps of a session over its requests. On a port where peers sign in (frames_port.h), a *visitor*
 * is what its access knows of the peer, and an *heir* is a service to which the connection goes over.
 *
 * Everything runs on the connection's loop, and a session lives as long as its connection.
 */
#ifndef KS_SERVICE_CORE_SESSION_H
#define KS_SERVICE_CORE_SESSION_H

#include "service/core/exchange.h"

struct ks_holder;
struct ks_session_keys;
struct ks_stream;

/* Takes payload on its way. */
struct ks_sink {
    /* Optional: where payload could be received without a copy; at most `limit` bytes. 0 for nowhere. */
    size_t (*buffer)(void *context, size_t limit, uint8_t **buffer);
    /* Takes bytes and returns how many; fewer than `size` means: no more until ks_exchange_unblock. */
    size_t (*received)(void *context, const uint8_t *bytes, size_t size);
    /* The connection ended, or the session gave up, before the payload was complete. The exchange still wants
     * its answer. */
    void (*broken)(void *context);
};

/* ---- payloads ---- */

/* Sends the rest of the newest exchange's payload, `size` bytes, to `sink`; NULL to skip it. Within the
 * rule's `begin` only. Replaces what the payload size said: a 1028 may be followed by more (the 259 variant).
 */
void ks_session_set_payload(struct ks_session *session, uint64_t size, const struct ks_sink *sink,
                            void *context);

/* What is left of the payload is skipped, and its sink is not called again. From the sink's owner, any time
 * before the payload is complete. */
void ks_session_skip_payload(struct ks_session *session);

/* After at most KS_SKIP_LIMIT bytes more of the payload that is on its way now the connection ends, behind
 * all answers that are due; not at all when the payload has no more than that. */
void ks_session_end_behind_payload(struct ks_session *session);

/* ---- what it knows ---- */

/* The AES keys that were issued on this session (session_keys.h). */
struct ks_session_keys *ks_session_keys_of(struct ks_session *session);

/* The session's number, which no other of this server has: the owner of what it has staged or leased. */
uint64_t ks_session_number(const struct ks_session *session);

/* What answers are written to, and what knows the peer. */
struct ks_connection *ks_session_connection(struct ks_session *session);

/* The port that it came to. */
const struct ks_frames_port *ks_session_port(const struct ks_session *session);

/* Whether the peer's address does not count: its network is without limits, or it has signed in, so that it
 * counts as a user. */
bool ks_session_address_is_free(const struct ks_session *session);

/* Whether the peer's address may ask for one more of what `allowance` counts. */
bool ks_session_allows(const struct ks_session *session, struct ks_allowance *allowance, unsigned per_hour);

/* ---- where peers sign in ---- */

/* What the port's access keeps of the peer; it is freed there (ks_frames_access.went). */
struct ks_visitor;
void ks_session_set_visitor(struct ks_session *session, struct ks_visitor *visitor);
struct ks_visitor *ks_session_visitor(const struct ks_session *session);

/* From now on the peer is the user `id`, whatever its requests say, and no stranger. */
void ks_session_serve(struct ks_session *session, const struct ks_client_id *id);

/* Takes a connection over, with all that comes from now on. */
struct ks_session_heir {
    /* Sets the connection's events and session. The old session is gone. */
    void (*take)(void *context, struct ks_connection *connection);
    /* The connection went before. */
    void (*drop)(void *context);
};

/* The connection goes over to an heir, with whatever the peer has sent behind this request. Within `begin` of
 * a rule with KS_OVERLAP_NONE, which then answers the exchange in the call; nothing is taken as a request any
 * more. Exactly one of the heir's functions is called. */
void ks_session_hand_over(struct ks_session *session, const struct ks_session_heir *heir, void *context);

/* ---- for what outlives a request, and goes with the session ---- */

/* Part of an object of a service's. */
struct ks_session_companion {
    /* The session goes: its connection is gone, or its heir's. Frees the companion. */
    void (*went)(struct ks_session_companion *companion);
};

/* Gives the session, which has none, its companion. One for each session. */
void ks_session_accompany(struct ks_session *session, struct ks_session_companion *companion);

/* NULL before there is one. */
struct ks_session_companion *ks_session_companion_of(struct ks_session *session);

/* ---- for memory from a budget (base/limits/budget.h) ---- */

/* Claims for the user `id` and for the network of the session's peer, unless that is free. KS_OK,
 * KS_NO_MEMORY. */
enum ks_result ks_session_claim(const struct ks_session *session, struct ks_holder *holder,
                                const struct ks_client_id *id);

/* The session waits for `holder`'s memory; NULL: no longer. While it does, no time limit of the peer's runs,
 * and the holder presses. */
void ks_session_wait_for(struct ks_session *session, struct ks_holder *holder);

/* ---- for answers that are streams (stream.h) ---- */

/* Makes `stream` the one that writes the answer to the oldest exchange; NULL when it is over. */
void ks_session_set_stream(struct ks_session *session, struct ks_stream *stream);

/* Has ks_stream_turn_has_come called after `after_ms` milliseconds, at least 1. The peer is not hurried
 * meanwhile. */
void ks_session_wait_for_turn(struct ks_session *session, uint64_t after_ms);

/* Writes bytes of a stream's answer. */
void ks_session_write(struct ks_session *session, const void *bytes, size_t size);

/* The same of the first `size` bytes of `shared`, without a copy. */
void ks_session_write_shared(struct ks_session *session, struct ks_shared *shared, size_t size);

/* How much waits for the peer to take it. */
size_t ks_session_output_waiting(const struct ks_session *session);

/* Ends the connection at once. */
void ks_session_abort(struct ks_session *session);

/* ---- for what becomes of an answer that was written ---- */

struct ks_session_follower;

struct ks_session_follower_events {
    /* Something came from the peer, or the output went on: what has the peer acknowledged? Only while the
     * follower awaits delivery. */
    void (*look)(struct ks_session_follower *follower, struct ks_connection *connection);
    /* The peer's input has ended. */
    void (*input_ended)(struct ks_session_follower *follower, struct ks_connection *connection);
    /* The connection's reminder, which belongs to the follower, has come. */
    void (*reminded)(struct ks_session_follower *follower, struct ks_connection *connection);
    /* The connection is gone: the last event. Frees the follower. */
    void (*closed)(struct ks_session_follower *follower);
};

/* Part of an object of whoever follows. */
struct ks_session_follower {
    const struct ks_session_follower_events *events;
    bool awaits_delivery; /* the peer has not acknowledged all: it must at some pace, and is not idle */
    bool awaits_end;      /* at the peer's end of input the connection stays, for it may still be reset */
};

/* From now on `follower`, which the session did not have before, is told what happens. One for each session.
 */
void ks_session_follow(struct ks_session *session, struct ks_session_follower *follower);

/* The session's follower; NULL before there is one. */
struct ks_session_follower *ks_session_follower_of(struct ks_session *session);

#endif
