/* report.c — see report.h. */
#include "service/core/report.h"

#include "base/limits/log_repeats.h"
#include "base/text.h"
#include "crypto/alias.h"
#include "service/core/session_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_SIZE = 512 };

/* What a line is about. */
struct scene {
    const struct ks_service_environment *environment;
    const struct ks_client_id *user;     /* NULL for none */
    const struct ks_client_id *receiver; /* likewise; an id or an alias */
    const char *peer;
    const uint8_t *address;
    bool store_is_open;
};

/* ---- names ---- */

/* Escaped; "" where nobody of the id is known. Returns whether there is such a user. */
static bool find_name(const struct scene *scene, const struct ks_client_id *id,
                      char name[static KS_TEXT_FIELD_SIZE])
{
    char found[KS_TEXT_FIELD_SIZE];
    name[0] = '\0';
    if (id == NULL || !scene->store_is_open ||
        ks_store_name_at_hand(scene->environment->store, id, found) != KS_OK)
        return false;
    ks_text_escape_quoted(found, strlen(found), name, KS_TEXT_FIELD_SIZE);
    return true;
}

static void find_receiver(const struct scene *scene, char name[static KS_TEXT_FIELD_SIZE])
{
    const struct ks_alias_key *alias_key = scene->environment->alias_key;
    struct ks_client_id id;
    if (find_name(scene, scene->receiver, name) || scene->receiver == NULL || alias_key == NULL)
        return;
    ks_alias_to_id(alias_key, scene->receiver->bytes, id.bytes);
    find_name(scene, &id, name);
}

/* ---- writing ---- */

enum { WHO_SIZE = KS_PEER_TEXT_SIZE + 2 * KS_TEXT_FIELD_SIZE + sizeof ": \"\" to \"\": " };

/* `ADDRESS: "user" to "receiver": `, as far as they are known. */
static void describe_who(const char *peer, const char *user, const char *receiver, char who[static WHO_SIZE])
{
    bool has_user = user[0] != '\0';
    bool has_receiver = receiver[0] != '\0';
    size_t used = 0;
    who[0] = '\0';
    if (peer[0] != '\0')
        used = (size_t)snprintf(who, WHO_SIZE, "%s: ", peer);
    if (has_user)
        used += (size_t)snprintf(who + used, WHO_SIZE - used, "\"%s\"", user);
    if (has_receiver)
        used += (size_t)snprintf(who + used, WHO_SIZE - used, "%sto \"%s\"", has_user ? " " : "", receiver);
    if (has_user || has_receiver)
        snprintf(who + used, WHO_SIZE - used, ": ");
}

_Static_assert((int)KS_LOG_USER_SIZE == (int)KS_CLIENT_ID_SIZE, "users are told apart by their ids");

/* `per_hour` lines that are alike; 0: no limit. */
static void tell(const struct scene *scene, enum ks_log_level level, unsigned per_hour, const char *format,
                 va_list arguments) __attribute__((format(printf, 4, 0)));

static void tell(const struct scene *scene, enum ks_log_level level, unsigned per_hour, const char *format,
                 va_list arguments)
{
    const struct ks_log *log = scene->environment->log;
    char user[KS_TEXT_FIELD_SIZE];
    char receiver[KS_TEXT_FIELD_SIZE];
    char who[WHO_SIZE];
    char text[TEXT_SIZE];
    bool is_user = find_name(scene, scene->user, user);
    find_receiver(scene, receiver);
    describe_who(scene->peer, user, receiver, who);
    vsnprintf(text, sizeof text, format, arguments);
    const struct ks_log_cause cause =
        ks_log_cause(format, scene->address, is_user ? scene->user->bytes : NULL);
    if (per_hour == 0)
        ks_log_write(log, level, "%s%s", who, text);
    else
        ks_log_repeatable(log, level, &cause, per_hour, "%s%s", who, text);
}

/* ---- scenes ---- */

struct report_origin {
    char peer[KS_PEER_TEXT_SIZE];
    uint8_t address[KS_PEER_ADDRESS_SIZE];
};

static struct scene scene_of_session(const struct ks_session *session, struct report_origin *origin)
{
    ks_connection_describe_peer(session->connection, origin->peer, sizeof origin->peer);
    ks_connection_peer_address(session->connection, origin->address);
    return (struct scene){.environment = session->environment,
                          .user = session->has_user ? &session->user : NULL,
                          .peer = origin->peer,
                          .address = origin->address,
                          .store_is_open = true};
}

static struct scene scene_of(const struct ks_exchange *exchange, struct report_origin *origin)
{
    if (exchange->session == NULL)
        return (struct scene){.environment = exchange->environment,
                              .peer = exchange->gone.peer,
                              .address = exchange->gone.address};
    struct scene scene = scene_of_session(exchange->session, origin);
    scene.user = &exchange->header.client_id;
    return scene;
}

#define TELL(scene, level, per_hour, format)                                                                 \
    do {                                                                                                     \
        va_list arguments;                                                                                   \
        va_start(arguments, format);                                                                         \
        tell((scene), (level), (per_hour), format, arguments);                                               \
        va_end(arguments);                                                                                   \
    } while (0)

void ks_report(const struct ks_exchange *exchange, enum ks_log_level level, const char *format, ...)
{
    struct report_origin origin;
    if (!ks_log_shows(exchange->environment->log, level))
        return;
    const struct scene scene = scene_of(exchange, &origin);
    TELL(&scene, level, KS_LOG_REFUSALS, format);
}

void ks_report_to(const struct ks_exchange *exchange, const struct ks_client_id *receiver,
                  enum ks_log_level level, const char *format, ...)
{
    struct report_origin origin;
    if (!ks_log_shows(exchange->environment->log, level))
        return;
    struct scene scene = scene_of(exchange, &origin);
    scene.receiver = receiver;
    TELL(&scene, level, KS_LOG_REFUSALS, format);
}

void ks_report_session(const struct ks_session *session, enum ks_log_level level, const char *format, ...)
{
    struct report_origin origin;
    if (!ks_log_shows(session->environment->log, level))
        return;
    const struct scene scene = scene_of_session(session, &origin);
    TELL(&scene, level, KS_LOG_REFUSALS, format);
}

void ks_report_silence(const struct ks_service_environment *environment,
                       const struct ks_connection *connection, const char *what)
{
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    char peer[KS_PEER_TEXT_SIZE];
    if (!ks_log_shows(environment->log, KS_LOG_INFO))
        return;
    ks_connection_describe_peer(connection, peer, sizeof peer);
    ks_connection_peer_address(connection, address);
    const struct ks_log_cause cause = ks_log_cause(what, address, NULL);
    ks_log_repeatable(environment->log, KS_LOG_INFO, &cause, KS_LOG_REFUSALS, "%s: %s", peer, what);
}

void ks_report_user(const struct ks_service_environment *environment, const struct ks_client_id *id,
                    enum ks_log_level level, const char *format, ...)
{
    const struct scene scene = {.environment = environment, .user = id, .peer = "", .store_is_open = true};
    if (!ks_log_shows(environment->log, level))
        return;
    TELL(&scene, level, KS_LOG_REFUSALS, format);
}

void ks_report_event(const struct ks_exchange *exchange, const char *format, ...)
{
    struct report_origin origin;
    if (!ks_log_shows(exchange->environment->log, KS_LOG_INFO))
        return;
    const struct scene scene = scene_of(exchange, &origin);
    TELL(&scene, KS_LOG_INFO, KS_LOG_EVENTS, format);
}

/* ---- requests and answers ---- */

static void debug(const struct ks_exchange *exchange, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void debug(const struct ks_exchange *exchange, const char *format, ...)
{
    struct report_origin origin;
    const struct scene scene = scene_of(exchange, &origin);
    TELL(&scene, KS_LOG_DEBUG, 0, format);
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
        [KS_STORE_LIMIT_USER_PUTS] = " (uploads-per-user)",
        [KS_STORE_LIMIT_PUTS] = " (uploads)",
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
