/* report.c — see report.h. A report that waits for a name is an object of its own: who asked for it goes on.
 */
#include "service/report.h"

#include "base/log_repeats.h"
#include "base/text.h"
#include "crypto/alias.h"
#include "service/rules.h"
#include "service/session_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_SIZE = 512 };

/* What a line is about. */
struct scene {
    const struct ks_service_environment *environment;
    struct ks_loop *loop;
    const struct ks_client_id *user;     /* NULL for none */
    const struct ks_client_id *receiver; /* likewise */
    const char *peer;
    const uint8_t *address;
    bool may_ask; /* the store */
};

/* Whose names are asked for: of a receiver, what the id says, and what it says as an alias. */
enum asked { ASKED_USER, ASKED_RECEIVER, ASKED_ALIAS, ASKED_COUNT };

struct report;

struct question {
    struct ks_store_look_up look_up;
    struct report *report;
};

/* All is asked for at once, while the request is served: by the time of an answer that was waited for, the
 * store may be closed. */
struct report {
    const struct ks_service_environment *environment;
    enum ks_log_level level;
    unsigned per_hour; /* 0: no limit */
    struct ks_log_cause cause;
    unsigned outstanding; /* answers, and `begin` */
    struct question questions[ASKED_COUNT];
    char peer[KS_PEER_TEXT_SIZE];
    char user[KS_TEXT_FIELD_SIZE]; /* "" for none; escaped */
    char receiver[KS_TEXT_FIELD_SIZE];
    char text[TEXT_SIZE];
};

/* ---- writing ---- */

/* `ADDRESS: "user" to "receiver": `, as far as they are known. */
static void describe_who(const struct report *report, char *who, size_t size)
{
    bool has_user = report->user[0] != '\0';
    bool has_receiver = report->receiver[0] != '\0';
    size_t used = 0;
    who[0] = '\0';
    if (report->peer[0] != '\0')
        used = (size_t)snprintf(who, size, "%s: ", report->peer);
    if (has_user)
        used += (size_t)snprintf(who + used, size - used, "\"%s\"", report->user);
    if (has_receiver)
        used +=
            (size_t)snprintf(who + used, size - used, "%sto \"%s\"", has_user ? " " : "", report->receiver);
    if (has_user || has_receiver)
        snprintf(who + used, size - used, ": ");
}

static void write_line(const struct report *report)
{
    const struct ks_log *log = report->environment->log;
    char who[KS_PEER_TEXT_SIZE + 2 * KS_TEXT_FIELD_SIZE + sizeof ": \"\" to \"\": "];
    describe_who(report, who, sizeof who);
    if (report->per_hour == 0)
        ks_log_write(log, report->level, "%s%s", who, report->text);
    else
        ks_log_repeatable(log, report->level, &report->cause, report->per_hour, "%s%s", who, report->text);
}

/* ---- names ---- */

/* Returns whether there is such a user. */
static bool take_name(const struct question *question, char name[static KS_TEXT_FIELD_SIZE])
{
    const char *found = question->look_up.user.name;
    if (question->look_up.request.result != KS_OK)
        return false;
    ks_text_escape_quoted(found, strnlen(found, KS_TEXT_FIELD_SIZE), name, KS_TEXT_FIELD_SIZE);
    return true;
}

/* Writes when nothing is outstanding any more. */
static void settle_one(struct report *report)
{
    const struct question *questions = report->questions;
    if (--report->outstanding > 0)
        return;
    if (take_name(&questions[ASKED_USER], report->user))
        memcpy(report->cause.user, questions[ASKED_USER].look_up.id.bytes, sizeof report->cause.user);
    if (!take_name(&questions[ASKED_RECEIVER], report->receiver))
        (void)take_name(&questions[ASKED_ALIAS], report->receiver);
    write_line(report);
    free(report);
}

static void answered(struct ks_store_request *request)
{
    settle_one(KS_CONTAINER_OF(request, struct question, look_up.request)->report);
}

static void ask(struct report *report, enum asked which, const struct ks_client_id *id, struct ks_loop *loop)
{
    struct ks_store_look_up *look_up = &report->questions[which].look_up;
    report->questions[which].report = report;
    look_up->id = *id;
    look_up->request.reply_to = &loop->executor;
    look_up->request.done = answered;
    report->outstanding++;
    ks_store_look_up(report->environment->store, look_up);
}

static void ask_for_names(struct report *report, const struct scene *scene)
{
    const struct ks_alias_key *alias_key = scene->environment->alias_key;
    struct ks_client_id id = {{0}};
    report->outstanding = 1;
    if (scene->user != NULL)
        ask(report, ASKED_USER, scene->user, scene->loop);
    if (scene->receiver != NULL)
        ask(report, ASKED_RECEIVER, scene->receiver, scene->loop);
    if (scene->receiver != NULL && alias_key != NULL) {
        ks_alias_to_id(alias_key, scene->receiver->bytes, id.bytes);
        ask(report, ASKED_ALIAS, &id, scene->loop);
    }
    settle_one(report);
}

_Static_assert((int)KS_LOG_USER_SIZE == (int)KS_CLIENT_ID_SIZE, "users are told apart by their ids");

static void fill(struct report *report, const struct scene *scene, enum ks_log_level level, unsigned per_hour,
                 const char *format, va_list arguments) __attribute__((format(printf, 5, 0)));

static void fill(struct report *report, const struct scene *scene, enum ks_log_level level, unsigned per_hour,
                 const char *format, va_list arguments)
{
    memset(report, 0, offsetof(struct report, text));
    report->environment = scene->environment;
    report->level = level;
    report->per_hour = per_hour;
    report->cause = ks_log_cause(format, scene->address, NULL);
    snprintf(report->peer, sizeof report->peer, "%s", scene->peer);
    for (size_t i = 0; i < ASKED_COUNT; i++)
        report->questions[i].look_up.request.result = KS_NOT_FOUND; /* until it is asked */
    vsnprintf(report->text, sizeof report->text, format, arguments);
}

/* Of a peer that is gone, and without memory. */
static void write_unnamed(const struct scene *scene, enum ks_log_level level, unsigned per_hour,
                          const char *format, va_list arguments) __attribute__((format(printf, 4, 0)));

static void write_unnamed(const struct scene *scene, enum ks_log_level level, unsigned per_hour,
                          const char *format, va_list arguments)
{
    struct report unnamed;
    fill(&unnamed, scene, level, per_hour, format, arguments);
    write_line(&unnamed);
}

static void begin(const struct scene *scene, enum ks_log_level level, unsigned per_hour, const char *format,
                  va_list arguments) __attribute__((format(printf, 4, 0)));

static void begin(const struct scene *scene, enum ks_log_level level, unsigned per_hour, const char *format,
                  va_list arguments)
{
    struct report *report = scene->may_ask ? malloc(sizeof *report) : NULL;
    if (report == NULL) {
        write_unnamed(scene, level, per_hour, format, arguments);
        return;
    }
    fill(report, scene, level, per_hour, format, arguments);
    ask_for_names(report, scene);
}

/* ---- scenes ---- */

struct place {
    char peer[KS_PEER_TEXT_SIZE];
    uint8_t address[KS_PEER_ADDRESS_SIZE];
};

static struct scene scene_of_session(const struct ks_session *session, struct place *place)
{
    ks_connection_describe_peer(session->connection, place->peer, sizeof place->peer);
    ks_connection_peer_address(session->connection, place->address);
    return (struct scene){.environment = session->environment,
                          .loop = session->connection->loop,
                          .user = session->has_user ? &session->user : NULL,
                          .peer = place->peer,
                          .address = place->address,
                          .may_ask = true};
}

static struct scene scene_of(const struct ks_exchange *exchange, struct place *place)
{
    if (exchange->session == NULL)
        return (struct scene){.environment = exchange->environment,
                              .loop = exchange->loop,
                              .peer = exchange->gone.peer,
                              .address = exchange->gone.address};
    struct scene scene = scene_of_session(exchange->session, place);
    scene.user = &exchange->header.client_id;
    return scene;
}

#define BEGIN(scene, level, per_hour, format)                                                                \
    do {                                                                                                     \
        va_list arguments;                                                                                   \
        va_start(arguments, format);                                                                         \
        begin((scene), (level), (per_hour), format, arguments);                                              \
        va_end(arguments);                                                                                   \
    } while (0)

void ks_report(const struct ks_exchange *exchange, enum ks_log_level level, const char *format, ...)
{
    struct place place;
    if (!ks_log_shows(exchange->environment->log, level))
        return;
    const struct scene scene = scene_of(exchange, &place);
    BEGIN(&scene, level, KS_LOG_REFUSALS, format);
}

void ks_report_to(const struct ks_exchange *exchange, const struct ks_client_id *receiver,
                  enum ks_log_level level, const char *format, ...)
{
    struct place place;
    if (!ks_log_shows(exchange->environment->log, level))
        return;
    struct scene scene = scene_of(exchange, &place);
    scene.receiver = receiver;
    BEGIN(&scene, level, KS_LOG_REFUSALS, format);
}

void ks_report_session(const struct ks_session *session, enum ks_log_level level, const char *format, ...)
{
    struct place place;
    if (!ks_log_shows(session->environment->log, level))
        return;
    const struct scene scene = scene_of_session(session, &place);
    BEGIN(&scene, level, KS_LOG_REFUSALS, format);
}

void ks_report_user(const struct ks_service_environment *environment, struct ks_loop *loop,
                    const struct ks_client_id *id, enum ks_log_level level, const char *format, ...)
{
    const struct scene scene = {
        .environment = environment, .loop = loop, .user = id, .peer = "", .may_ask = true};
    if (!ks_log_shows(environment->log, level))
        return;
    BEGIN(&scene, level, KS_LOG_REFUSALS, format);
}

void ks_report_event(const struct ks_exchange *exchange, const char *format, ...)
{
    struct place place;
    if (!ks_log_shows(exchange->environment->log, KS_LOG_INFO))
        return;
    const struct scene scene = scene_of(exchange, &place);
    BEGIN(&scene, KS_LOG_INFO, KS_LOG_EVENTS, format);
}

/* ---- requests and answers ---- */

static void debug(const struct ks_exchange *exchange, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void debug(const struct ks_exchange *exchange, const char *format, ...)
{
    struct place place;
    const struct scene scene = scene_of(exchange, &place);
    BEGIN(&scene, KS_LOG_DEBUG, 0, format);
}

void ks_report_write_request(const struct ks_exchange *exchange, bool fits)
{
    const struct ks_request_header *header = &exchange->header;
    debug(exchange, "request %u (%s), payload of %" PRIu32 " bytes%s", (unsigned)header->code,
          exchange->rule->name, header->payload_size, fits ? "" : ", which does not fit");
}

void ks_report_write_answer(const struct ks_exchange *exchange, uint16_t code)
{
    if (code == 0)
        debug(exchange, "no answer to request %u", (unsigned)exchange->header.code);
    else
        debug(exchange, "answer %u to request %u", (unsigned)code, (unsigned)exchange->header.code);
}

/* ---- parts of texts ---- */

const char *ks_report_limit(enum ks_store_limit limit)
{
    static const char *const notes[] = {
        [KS_STORE_LIMIT_NONE] = "",
        [KS_STORE_LIMIT_USER_FILES] = " (user-files)",
        [KS_STORE_LIMIT_USER_BYTES] = " (user-bytes)",
        [KS_STORE_LIMIT_FREE_SPACE] = " (free-space)",
        [KS_STORE_LIMIT_WAITING_MESSAGES] = " (waiting-messages)",
        [KS_STORE_LIMIT_WAITING_BYTES] = " (waiting-bytes)",
        [KS_STORE_LIMIT_SHARE_OF_MESSAGES] = ", the sender's share is full (waiting-messages)",
        [KS_STORE_LIMIT_SHARE_OF_BYTES] = ", the sender's share is full (waiting-bytes)",
    };
    return notes[limit];
}

const char *ks_report_file_name(const void *name_field, char shown[static KS_REPORT_NAME_SIZE])
{
    const char *name = name_field;
    size_t size = strnlen(name, KS_TEXT_FIELD_SIZE);
    const char *kept = NULL;
    size_t kept_size = 0;
    if (ks_kept_name(name, size, &kept, &kept_size) != KS_OK)
        kept_size = 0;
    return ks_text_escape_quoted(kept_size > 0 ? kept : "", kept_size, shown, KS_REPORT_NAME_SIZE);
}
