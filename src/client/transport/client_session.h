/* client_session.h — one identity at one server: the channel that comes and goes, the key that the server has
 * given for files (1027), and what has been learnt of the server. At a secure server, whose address is a
 * link, the identity is an account (access.h), and every channel has signed in. How requests go over it, and
 * which are sent again, is request.h; how it comes to be known, and to its key, is login.h.
 *
 * Belongs to whoever holds it (a drop, a messenger, or one call that registers); one thread at a time.
 */
#ifndef KS_CLIENT_TRANSPORT_CLIENT_SESSION_H
#define KS_CLIENT_TRANSPORT_CLIENT_SESSION_H

#include "client/home/home_server.h"
#include "client/home/identity.h"
#include "client/transport/access.h"
#include "client/transport/channel.h"
#include "wire/drop_codec.h"

#include <kesher/options.h>

#include <stdbool.h>

struct ks_client_session {
    const struct kesher_home *home;   /* the caller's */
    struct kesher_identity *identity; /* owned; NULL until it is loaded, or prepared by a login */
    struct kesher_options options;    /* defaults filled in */
    struct ks_access *access;         /* owned; in place of an identity; NULL at a classic server */
    struct ks_channel *channel;       /* owned; NULL while there is none */
    unsigned answers;                 /* that came on this channel */

    uint64_t down_since_ms; /* since when the server is waited for; 0 once a connection was made */

    unsigned connections; /* that were made */
    bool is_alive;        /* it has answered, or taken more than buffers on the way hold */
    bool is_aside;        /* the request in hand is asked on the side: nobody waits long for it */
    bool keeps_open;      /* the server has answered twice on one connection */
    bool closes;          /* it has ended a connection behind an answer: each request gets one of its own */
    bool unknown;         /* it does not know the id, and refused the public key under it */
    bool is_doubtful;     /* the refusal of the id was none of those that say so */
    bool replaces;        /* the home has an identity, which is kept under other names when a new one comes */
    struct ks_home_server server; /* how it stands to the home; changes when it shows that it knows us */

    uint8_t key[KS_CONTENT_KEY_SIZE]; /* of the contents of files, while has_key */
    bool has_key;
    bool key_moved;       /* it came over a connection that has ended since */
    unsigned contents;    /* that were sent under it */
    bool thanks_may_come; /* a 1030 was sent on this channel, and its 2104 has not come */

    char address[KESHER_ADDRESS_SIZE];
    char shown[KESHER_ADDRESS_SIZE]; /* the address, safe for sentences */
};

/* The options with their defaults filled in; `options` may be NULL. Any thread; also for what has no session
 * (chat, ask). */
struct kesher_options ks_client_session_limits(const struct kesher_options *options);

/* KESHER_OK, and the session to be given to ks_client_session_destroy; KESHER_INVALID when the address is too
 * long. `options` may be NULL. */
enum kesher_status ks_client_session_init(struct ks_client_session *session, const struct kesher_home *home,
                                          const char *address, const struct kesher_options *options,
                                          struct kesher_error *error);
void ks_client_session_destroy(struct ks_client_session *session); /* wipes */

/* The same for what only classic servers have: KESHER_INVALID for a link, as ks_client_session_is_classic. */
enum kesher_status ks_client_session_init_classic(struct ks_client_session *session,
                                                  const struct kesher_home *home, const char *address,
                                                  const struct kesher_options *options, const char *what,
                                                  struct kesher_error *error);

/* Destroys a session that was made for its identity; with KESHER_OK *identity is the caller's. Returns
 * `status`. */
enum kesher_status ks_client_session_hand_over(struct ks_client_session *session, enum kesher_status status,
                                               struct kesher_identity **identity);

/* Loads the home's identity or account, if the server may be told of it. Errors as kesher_identity_load,
 * ks_access_load and ks_home_server_check. */
enum kesher_status ks_client_session_load(struct ks_client_session *session, struct kesher_error *error);

/* To be called when the server has shown that it knows the identity: its address is written down where the
 * home does not have it. */
void ks_client_session_is_known(struct ks_client_session *session);

/* Makes sure that there is a channel that is not known to be broken and can take the next request: a new one
 * where the server closes each behind its answer. Errors as ks_channel_open, but KESHER_CONNECTION when the
 * server's name does not resolve. */
enum kesher_status ks_client_session_connect(struct ks_client_session *session, struct kesher_error *error);

/* Closes the channel, if there is one; the key goes with the connection, and is wiped. */
void ks_client_session_disconnect(struct ks_client_session *session);

/* The same, but the key stays: for a connection that ends in good order behind an answer. */
void ks_client_session_hang_up(struct ks_client_session *session);

/* Tells the observer, if it wants to know. */
void ks_client_session_notice(const struct ks_client_session *session, const char *line);

/* The user's name, as the home has it. */
const char *ks_client_session_name(const struct ks_client_session *session);

/* KESHER_OK at a classic server; KESHER_INVALID at a secure one, with a sentence that says of `what`, such as
 * "files", that they come there later: nothing falls back to the classic ports. `what` is NULL for an
 * identity. */
enum kesher_status ks_client_session_is_classic(const struct ks_client_session *session, const char *what,
                                                struct kesher_error *error);

/* The header of a request from this identity, with the version of its service. */
struct ks_request_header ks_client_session_header(const struct ks_client_session *session,
                                                  enum ks_request_code code, uint32_t payload_size);

#endif
