/* metrics.c — see metrics.h. What takes longer than a moment is a *job*, which outlives its connection. */
#include "service/monitoring/metrics.h"

#include "base/text.h"
#include "wire/exposition.h"
#include "wire/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN "text/plain; charset=utf-8"

struct job;

struct metrics_session {
    struct ks_connection *connection;
    struct ks_metrics_environment *environment;
    struct job *job; /* that makes the answer; NULL for none */
    struct ks_http_request request;
    bool head_is_timed;
    bool ending;
    bool input_ended;
    struct ks_http_head head; /* of a request that is not whole yet */
};

/* A scrape on the pool, or a question to the store. */
struct job {
    struct metrics_session *session; /* NULL when it does not wait any more */
    struct ks_metrics_environment *environment;
    struct ks_offload offload;
    struct ks_store_probe probe;
    size_t size;
    char text[];
};

/* ---- answers ---- */

static void end_session(struct metrics_session *session)
{
    session->ending = true;
    ks_connection_finish(session->connection);
}

static void answer(struct metrics_session *session, unsigned status, const char *type, const char *content,
                   size_t size)
{
    char head[KS_HTTP_ANSWER_HEAD_SIZE];
    const struct ks_http_answer answer = {.status = status,
                                          .content_type = type,
                                          .content_size = size,
                                          .keep_alive = session->request.keep_alive,
                                          .date = ks_clock_wall_seconds(session->environment->clock)};
    ks_connection_write(session->connection, head, ks_http_answer_encode(&answer, head));
    if (session->request.method != KS_HTTP_HEAD)
        ks_connection_write(session->connection, content, size);
    if (!answer.keep_alive)
        end_session(session);
}

static void answer_status(struct metrics_session *session, unsigned status)
{
    char content[64];
    int size = snprintf(content, sizeof content, "%s\n", ks_http_status_text(status));
    answer(session, status, PLAIN, content, (size_t)size);
}

/* A head has one limit from its first byte on, silence another. */
static void keep_time(struct metrics_session *session)
{
    if (session->ending || session->job != NULL)
        return;
    if (session->head.size == 0)
        ks_connection_set_deadline(session->connection, KS_METRICS_IDLE_MS);
    else if (!session->head_is_timed)
        ks_connection_set_deadline(session->connection, KS_METRICS_HEAD_MS);
    session->head_is_timed = session->head.size > 0;
    ks_connection_set_standing(session->connection,
                               session->head_is_timed ? KS_STANDING_INCOMPLETE : KS_STANDING_STRANGER);
    ks_connection_set_idle(session->connection, true);
}

/* ---- jobs ---- */

static struct job *job_new(struct metrics_session *session, size_t text_size)
{
    struct job *job = malloc(sizeof *job + text_size);
    if (job == NULL) {
        answer_status(session, 503);
        return NULL;
    }
    memset(job, 0, sizeof *job);
    job->session = session;
    job->environment = session->environment;
    session->job = job;
    ks_connection_set_idle(session->connection, false);
    ks_connection_set_deadline(session->connection, 0);
    return job;
}

/* Frees the job; its session if that still waits for it, else NULL. */
static struct metrics_session *end_job(struct job *job)
{
    struct metrics_session *session = job->session;
    if (session != NULL)
        session->job = NULL;
    free(job);
    return session;
}

/* The answer is written. */
static void go_on(struct metrics_session *session)
{
    keep_time(session);
    if (session->ending)
        return;
    if (session->input_ended)
        end_session(session);
    else
        ks_connection_resume(session->connection);
}

static void render_work(struct ks_offload *offload)
{
    struct job *job = KS_CONTAINER_OF(offload, struct job, offload);
    job->size = job->environment->render(job->environment->context, job->text, KS_METRICS_TEXT_LIMIT);
}

static void rendered(struct ks_offload *offload)
{
    struct job *job = KS_CONTAINER_OF(offload, struct job, offload);
    struct metrics_session *session = job->session;
    if (session != NULL && job->size > 0)
        answer(session, 200, KS_EXPOSITION_TYPE, job->text, job->size);
    else if (session != NULL)
        answer_status(session, 500);
    end_job(job);
    if (session != NULL)
        go_on(session);
}

static void begin_scrape(struct metrics_session *session)
{
    struct job *job = job_new(session, KS_METRICS_TEXT_LIMIT);
    if (job == NULL)
        return;
    job->offload.work = render_work;
    job->offload.done = rendered;
    ks_loop_offload(session->connection->loop, &job->offload);
}

static void probed(struct ks_store_request *request)
{
    struct job *job = KS_CONTAINER_OF(request, struct job, probe.request);
    bool alive = request->result == KS_OK;
    struct metrics_session *session = end_job(job);
    if (session == NULL)
        return;
    if (alive)
        answer(session, 200, PLAIN, "ok\n", 3);
    else
        answer_status(session, 503);
    go_on(session);
}

static void begin_probe(struct metrics_session *session)
{
    struct job *job = job_new(session, 0);
    if (job == NULL)
        return;
    job->probe.request.reply_to = &session->connection->loop->executor;
    job->probe.request.done = probed;
    ks_connection_set_deadline(session->connection, KS_METRICS_HEALTH_MS);
    ks_store_probe(session->environment->store, &job->probe);
}

/* ---- requests ---- */

static void log_request(const struct metrics_session *session)
{
    char peer[KS_PEER_TEXT_SIZE];
    char path[2 * KS_HTTP_PATH_SIZE];
    const char *sent = session->request.path;
    ks_connection_describe_peer(session->connection, peer, sizeof peer);
    ks_log_debug(session->connection->loop->log, "%s: metrics: asks for \"%s\"", peer,
                 ks_text_escape_quoted(sent, strlen(sent), path, sizeof path));
}

static void serve(struct metrics_session *session)
{
    const struct ks_http_request *request = &session->request;
    if (ks_log_shows(session->connection->loop->log, KS_LOG_DEBUG))
        log_request(session);
    if (request->has_content)
        session->request.keep_alive = false;
    if (request->method == KS_HTTP_OTHER)
        answer_status(session, 405);
    else if (strcmp(request->path, "/metrics") == 0)
        begin_scrape(session);
    else if (strcmp(request->path, "/healthz") == 0)
        begin_probe(session);
    else
        answer_status(session, 404);
}

/* What is no request ends the connection after an answer. */
static void refuse_head(struct metrics_session *session, enum ks_result why)
{
    session->request = (struct ks_http_request){.method = KS_HTTP_GET, .keep_alive = false};
    answer_status(session, why == KS_TOO_LARGE ? 431 : 400);
}

/* Takes what belongs to one request; returns how much that was. */
static size_t take_request(struct metrics_session *session, const char *bytes, size_t size)
{
    size_t used = 0;
    enum ks_result result = ks_http_head_take(&session->head, bytes, size, &session->request, &used);
    if (result == KS_OK)
        serve(session);
    else if (result != KS_MORE)
        refuse_head(session, result);
    return used;
}

static size_t metrics_received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct metrics_session *session = connection->session;
    size_t used = 0;
    while (used < size && session->job == NULL && !session->ending &&
           !ks_connection_output_is_full(connection))
        used += take_request(session, (const char *)bytes + used, size - used);
    if (session->ending)
        return size;
    if (used < size)
        ks_connection_pause(connection);
    keep_time(session);
    return used;
}

/* ---- events ---- */

static bool metrics_opened(struct ks_connection *connection, void *service)
{
    struct ks_metrics_environment *environment = service;
    if (atomic_fetch_add(&environment->sessions, 1) >= KS_METRICS_SESSIONS_LIMIT) {
        atomic_fetch_sub(&environment->sessions, 1);
        return false;
    }
    struct metrics_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        atomic_fetch_sub(&environment->sessions, 1);
        return false;
    }
    session->connection = connection;
    session->environment = environment;
    connection->session = session;
    keep_time(session);
    return true;
}

static void metrics_input_ended(struct ks_connection *connection)
{
    struct metrics_session *session = connection->session;
    session->input_ended = true;
    if (session->job == NULL && !session->ending)
        end_session(session);
}

static void metrics_drained(struct ks_connection *connection)
{
    struct metrics_session *session = connection->session;
    if (session->job == NULL && !session->ending)
        ks_connection_resume(connection);
}

/* The store does not answer, a head does not end, or nobody needs the connection. */
static void metrics_deadline(struct ks_connection *connection)
{
    struct metrics_session *session = connection->session;
    if (session->job != NULL) {
        session->job->session = NULL;
        session->job = NULL;
        answer_status(session, 503);
        go_on(session);
    } else if (session->head.size > 0 || ks_connection_output_waiting(connection) > 0) {
        session->ending = true;
        ks_connection_abort(connection);
    } else {
        end_session(session);
    }
}

static void metrics_closed(struct ks_connection *connection)
{
    struct metrics_session *session = connection->session;
    if (session->job != NULL)
        session->job->session = NULL;
    atomic_fetch_sub(&session->environment->sessions, 1);
    free(session);
}

const struct ks_connection_events ks_metrics_events = {
    .opened = metrics_opened,
    .received = metrics_received,
    .input_ended = metrics_input_ended,
    .drained = metrics_drained,
    .deadline = metrics_deadline,
    .closed = metrics_closed,
};
