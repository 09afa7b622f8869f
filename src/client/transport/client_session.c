/* client_session.c — see client_session.h. */
#include "client/transport/client_session.h"

#include "base/text.h"
#include "client/failure.h"
#include "crypto/secret.h"

#include <string.h>

enum { LONGEST_LIMIT_MS = 24 * 60 * 60 * 1000 }; /* fits the int of poll(2) */

static uint32_t limit_or_default(uint32_t value, uint32_t default_value)
{
    if (value == 0)
        return default_value;
    return value < LONGEST_LIMIT_MS ? value : LONGEST_LIMIT_MS;
}

struct kesher_options ks_client_session_limits(const struct kesher_options *options)
{
    struct kesher_options result = {0};
    if (options != NULL)
        result = *options;
    result.connect_ms = limit_or_default(result.connect_ms, KESHER_DEFAULT_CONNECT_MS);
    result.answer_ms = limit_or_default(result.answer_ms, KESHER_DEFAULT_ANSWER_MS);
    result.progress_ms = limit_or_default(result.progress_ms, KESHER_DEFAULT_PROGRESS_MS);
    result.backoff_ms = limit_or_default(result.backoff_ms, KESHER_DEFAULT_BACKOFF_MS);
    result.reconnects = limit_or_default(result.reconnects, KESHER_DEFAULT_RECONNECTS);
    result.retry_ms = limit_or_default(result.retry_ms, KESHER_DEFAULT_RETRY_MS);
    return result;
}

enum kesher_status ks_client_session_init(struct ks_client_session *session, const struct kesher_home *home,
                                          const char *address, const struct kesher_options *options,
                                          struct kesher_error *error)
{
    memset(session, 0, sizeof *session);
    session->home = home;
    session->options = ks_client_session_limits(options);
    size_t size = strlen(address);
    if (size >= sizeof session->address)
        return ks_failure(error, KESHER_INVALID, "the server's address is too long; give it as address:port");
    memcpy(session->address, address, size + 1);
    ks_text_escape(address, size, session->shown, sizeof session->shown);
    if (!ks_link_is_meant(address, size))
        return KESHER_OK;
    enum kesher_status status = ks_access_new(home, address, &session->access, error);
    if (status == KESHER_OK)
        memcpy(session->shown, session->access->shown, sizeof session->shown);
    return status;
}

enum kesher_status ks_client_session_init_classic(struct ks_client_session *session,
                                                  const struct kesher_home *home, const char *address,
                                                  const struct kesher_options *options, const char *what,
                                                  struct kesher_error *error)
{
    enum kesher_status status = ks_client_session_init(session, home, address, options, error);
    if (status != KESHER_OK)
        return status;
    status = ks_client_session_is_classic(session, what, error);
    if (status != KESHER_OK)
        ks_client_session_destroy(session);
    return status;
}

enum kesher_status ks_client_session_load(struct ks_client_session *session, struct kesher_error *error)
{
    if (session->access != NULL) /* which server it may tell is judged when it answers */
        return ks_access_load(session->access, &session->options, error);
    enum kesher_status status = kesher_identity_load(session->home, &session->identity, error);
    if (status != KESHER_OK)
        return status;
    return ks_home_server_check(session->home, session->address, session->options.moved, &session->server,
                                error);
}

void ks_client_session_is_known(struct ks_client_session *session)
{
    struct kesher_error error;
    if (!session->server.is_unknown)
        return;
    session->server.is_unknown = false;
    /* What was asked for is done, whether this can be written or not. */
    if (ks_home_server_record(session->home, session->address, &error) == KESHER_OK)
        session->server.is_own = true;
    else
        ks_client_session_notice(session, error.sentence);
}

void ks_client_session_destroy(struct ks_client_session *session)
{
    ks_channel_close(session->channel);
    kesher_identity_free(session->identity);
    ks_access_free(session->access);
    ks_secret_wipe(session, sizeof *session);
}

enum kesher_status ks_client_session_hand_over(struct ks_client_session *session, enum kesher_status status,
                                               struct kesher_identity **identity)
{
    if (status == KESHER_OK) {
        *identity = session->identity;
        session->identity = NULL;
    }
    ks_client_session_destroy(session);
    return status;
}

static enum kesher_status open_channel(struct ks_client_session *session, struct kesher_error *error)
{
    enum kesher_status status =
        session->access != NULL
            ? ks_access_sign_in(session->access, &session->options, &session->channel, error)
            : ks_channel_open(session->address, session->options.connect_ms, session->options.progress_ms,
                              &session->channel, error);
    if (status == KESHER_OK) {
        session->is_alive |= session->access != NULL && !session->access->registers; /* it has answered */
        session->connections++;
        session->down_since_ms = 0;
    }
    if (status != KESHER_NOT_FOUND)
        return status;
    /* The server's name does not resolve. In a session NOT_FOUND is a user whom the server does not list. */
    if (error != NULL)
        error->status = KESHER_CONNECTION;
    return KESHER_CONNECTION;
}

/* Looks at what the server did since its last answer. */
static void look(struct ks_client_session *session)
{
    struct ks_response_header unasked;
    if (ks_channel_peek(session->channel, 0, &unasked)) {
        /* What comes before anything was asked will be taken for an answer, and be none. */
        if (!session->thanks_may_come && session->answers > 0)
            ks_client_session_disconnect(session);
        return;
    }
    if (!ks_channel_has_ended(session->channel))
        return;
    session->closes |= session->answers > 0 && session->access == NULL; /* no secure server has this habit */
    ks_client_session_hang_up(session);
}

enum kesher_status ks_client_session_connect(struct ks_client_session *session, struct kesher_error *error)
{
    if (session->channel != NULL)
        look(session);
    if (session->channel != NULL && session->closes && session->answers > 0)
        ks_client_session_hang_up(session);
    if (session->channel != NULL && ks_channel_is_broken(session->channel))
        ks_client_session_disconnect(session);
    return session->channel != NULL ? KESHER_OK : open_channel(session, error);
}

void ks_client_session_hang_up(struct ks_client_session *session)
{
    ks_channel_close(session->channel);
    session->channel = NULL;
    session->answers = 0;
    session->thanks_may_come = false;
    session->key_moved = session->has_key;
}

void ks_client_session_disconnect(struct ks_client_session *session)
{
    ks_client_session_hang_up(session);
    session->has_key = false;
    session->key_moved = false;
    ks_secret_wipe(session->key, sizeof session->key);
}

void ks_client_session_notice(const struct ks_client_session *session, const char *line)
{
    if (session->options.observer.notice != NULL)
        session->options.observer.notice(session->options.observer.context, line);
}

const char *ks_client_session_name(const struct ks_client_session *session)
{
    return session->access != NULL ? session->access->account.name : session->identity->name;
}

enum kesher_status ks_client_session_is_classic(const struct ks_client_session *session, const char *what,
                                                struct kesher_error *error)
{
    if (session->access == NULL)
        return KESHER_OK;
    if (what == NULL)
        return ks_failure(error, KESHER_INVALID,
                          "a classic identity belongs to a classic server, and %s is a secure one",
                          session->shown);
    return ks_failure(
        error, KESHER_INVALID,
        "%s over the secure port come with the next release, and the server of this home, %s, is "
        "a secure one; nothing was sent",
        what, session->shown);
}

struct ks_request_header ks_client_session_header(const struct ks_client_session *session,
                                                  enum ks_request_code code, uint32_t payload_size)
{
    if (session->access != NULL)
        return (struct ks_request_header){
            .version = KS_VERSION_SECURE, .code = (uint16_t)code, .payload_size = payload_size};
    return (struct ks_request_header){
        .client_id = session->identity->id,
        .version = code < KS_REQUEST_REGISTER_DROP ? KS_VERSION_MESSAGES : KS_VERSION_DROP,
        .code = (uint16_t)code,
        .payload_size = payload_size,
    };
}
