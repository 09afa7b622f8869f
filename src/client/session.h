/* session.h — one identity at one server: the channel that comes and goes, the key of that channel, the
 * repeats.
 *
 * Belongs to whoever holds it (a drop, or one call of kesher_register); one thread at a time.
 */
#ifndef KS_CLIENT_SESSION_H
#define KS_CLIENT_SESSION_H

#include "client/answer.h"
#include "client/channel.h"
#include "client/identity.h"

#include <kesher/options.h>

#include <stdbool.h>

enum { KS_SESSION_REPEATS = 3 }; /* of a request after error answers (protocol.md §1.2) */

struct ks_session {
    const struct kesher_home *home;   /* the caller's */
    struct kesher_identity *identity; /* owned; NULL until the holder sets it */
    struct kesher_options options;    /* defaults filled in */
    struct ks_channel *channel;       /* owned; NULL while there is none */
    uint8_t key[KS_CONTENT_KEY_SIZE]; /* of the contents, while has_key */
    bool has_key;                     /* taken on this channel */
    bool ever_connected;
    bool key_refused;     /* the server does not know the id, and refused the key */
    bool thanks_may_come; /* a 1030 was sent on this channel, and its 2104 has not come */
    char address[KESHER_ADDRESS_SIZE];
    char shown[KESHER_ADDRESS_SIZE]; /* the address, safe for sentences */
};

/* The options with their defaults filled in; `options` may be NULL. */
struct kesher_options ks_session_limits(const struct kesher_options *options);

/* KESHER_OK, and the session to be given to ks_session_destroy; KESHER_INVALID when the address is too long.
 * `options` may be NULL. */
enum kesher_status ks_session_init(struct ks_session *session, const struct kesher_home *home,
                                   const char *address, const struct kesher_options *options,
                                   struct kesher_error *error);
void ks_session_destroy(struct ks_session *session); /* wipes */

/* Makes sure that there is a channel that is not known to be broken. Errors as ks_channel_open. */
enum kesher_status ks_session_connect(struct ks_session *session, struct kesher_error *error);
void ks_session_disconnect(struct ks_session *session);

/* True for the statuses after which connecting again makes sense. */
bool ks_session_was_lost(enum kesher_status status);

/* After a loss: disconnects, says so in a notice, sleeps. False, and nothing done but the disconnect, when
 * *losses has reached the limit; else *losses has grown by one. */
bool ks_session_back_off(struct ks_session *session, unsigned *losses, const struct kesher_error *why);

/* Tells the observer, if it wants to know. */
void ks_session_notice(const struct ks_session *session, const char *line);

/* The header of a request from this identity, with the version of its service. */
struct ks_request_header ks_session_header(const struct ks_session *session, enum ks_request_code code,
                                           uint32_t payload_size);

struct ks_question {
    enum ks_request_code code;
    const uint8_t *payload; /* small: see ks_answer_request */
    uint32_t payload_size;
    bool (*accepts)(const struct ks_answer *answer); /* everything else is an error answer */
    const char *doing;                               /* for the sentence: "cannot <doing>" */
};

/* Sends a question and takes its answer, whatever it is. */
enum kesher_status ks_session_ask_once(struct ks_session *session, const struct ks_question *question,
                                       struct ks_answer *answer, struct kesher_error *error);

/* The same with repeats until the answer is accepted. KESHER_REFUSED after the last error answer; errors of
 * the channel at once. */
enum kesher_status ks_session_ask(struct ks_session *session, const struct ks_question *question,
                                  struct ks_answer *answer, struct kesher_error *error);

/* Notices an error answer and counts it in *errors. KESHER_OK while there is a repeat left, else
 * KESHER_REFUSED. */
enum kesher_status ks_session_count_error(struct ks_session *session, const char *doing, uint16_t answer_code,
                                          unsigned *errors, struct kesher_error *error);

#endif
