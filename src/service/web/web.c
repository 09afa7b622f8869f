/* web.c — see web.h. */
#include "service/web/web.h"

#include "base/text.h"
#include "wire/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN "text/plain; charset=utf-8"
#define FIELDS                                                                                               \
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"                                \
    "X-Content-Type-Options: nosniff\r\n"                                                                    \
    "Referrer-Policy: no-referrer\r\n"

static const char home_page[] =
    "This is a kesher server.\n"
    "\n"
    "People write to each other here, and talk in groups, with the program kesher;\n"
    "there is nothing for a browser yet. Who runs this server tells the link that\n"
    "names it, or gives an invitation.\n";

static const char join_page[] =
    "This is an invitation to a kesher server.\n"
    "\n"
    "It is used with the program kesher, in a terminal:\n"
    "\n"
    "    kesher join - NAME\n"
    "\n"
    "asks for the link: all of what stands in the address line now. NAME is how you\n"
    "want to be called here.\n"
    "\n"
    "What stands behind the # is the invitation itself. Your browser has not sent it\n"
    "here. Whoever has it can use it up in your place, so keep it as you keep a\n"
    "password.\n";

struct web_session {
    struct ks_connection *connection;
    struct ks_web_environment *environment;
    bool ending;
    struct ks_http_head head;
};

static void answer(struct web_session *session, unsigned status, const char *content, bool with_content)
{
    char head[KS_HTTP_ANSWER_HEAD_SIZE];
    size_t size = strlen(content);
    const struct ks_http_answer answer = {.status = status,
                                          .content_type = PLAIN,
                                          .content_size = size,
                                          .keep_alive = false,
                                          .date = ks_clock_wall_seconds(session->environment->clock),
                                          .fields = FIELDS};
    session->ending = true;
    ks_connection_write(session->connection, head, ks_http_answer_encode(&answer, head));
    if (with_content)
        ks_connection_write(session->connection, content, size);
    ks_connection_finish(session->connection);
}

static void answer_status(struct web_session *session, unsigned status, bool with_content)
{
    char content[64];
    (void)snprintf(content, sizeof content, "%s\n", ks_http_status_text(status));
    answer(session, status, content, with_content);
}

static void log_request(const struct web_session *session, const char *sent)
{
    char peer[KS_PEER_TEXT_SIZE];
    char path[2 * KS_HTTP_PATH_SIZE];
    ks_connection_describe_peer(session->connection, peer, sizeof peer);
    ks_log_debug(session->connection->loop->log, "%s: web: asks for \"%s\"", peer,
                 ks_text_escape_quoted(sent, strlen(sent), path, sizeof path));
}

static void serve(struct web_session *session, const struct ks_http_request *request)
{
    bool with_content = request->method != KS_HTTP_HEAD;
    if (ks_log_shows(session->connection->loop->log, KS_LOG_DEBUG))
        log_request(session, request->path);
    if (request->method == KS_HTTP_OTHER)
        answer_status(session, 405, true);
    else if (strcmp(request->path, "/") == 0)
        answer(session, 200, home_page, with_content);
    else if (strcmp(request->path, "/join") == 0)
        answer(session, 200, join_page, with_content);
    else
        answer_status(session, 404, with_content);
}

/* ---- events ---- */

static bool web_opened(struct ks_connection *connection, void *service)
{
    struct ks_web_environment *environment = service;
    bool has_room = atomic_fetch_add(&environment->sessions, 1) < KS_WEB_SESSIONS_LIMIT;
    struct web_session *session = has_room ? calloc(1, sizeof *session) : NULL;
    if (session == NULL) {
        atomic_fetch_sub(&environment->sessions, 1);
        return false;
    }
    session->connection = connection;
    session->environment = environment;
    connection->session = session;
    ks_connection_set_deadline(connection, KS_WEB_MS);
    return true;
}

static size_t web_received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct web_session *session = connection->session;
    struct ks_http_request request;
    size_t used = 0;
    if (session->ending)
        return size;
    ks_connection_set_standing(connection, KS_STANDING_INCOMPLETE);
    enum ks_result result = ks_http_head_take(&session->head, (const char *)bytes, size, &request, &used);
    if (result == KS_OK)
        serve(session, &request);
    else if (result != KS_MORE)
        answer_status(session, result == KS_TOO_LARGE ? 431 : 400, true);
    return size; /* what follows a request is nothing to us */
}

static void web_input_ended(struct ks_connection *connection)
{
    struct web_session *session = connection->session;
    if (session->ending)
        return;
    session->ending = true;
    ks_connection_finish(connection);
}

/* No request came in time. */
static void web_deadline(struct ks_connection *connection)
{
    struct web_session *session = connection->session;
    session->ending = true;
    ks_connection_abort(connection);
}

static void web_closed(struct ks_connection *connection)
{
    struct web_session *session = connection->session;
    atomic_fetch_sub(&session->environment->sessions, 1);
    free(session);
}

const struct ks_connection_events ks_web_events = {
    .opened = web_opened,
    .received = web_received,
    .input_ended = web_input_ended,
    .deadline = web_deadline,
    .closed = web_closed,
};
