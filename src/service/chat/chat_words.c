/* chat_words.c — what a peer is told, and what a member says. That is collected over one read in `lines`, and
 * goes to the group in one piece.
 */
#include "base/limits/log_repeats.h"
#include "base/text.h"
#include "service/chat/chat_session_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    LINES_SMALLEST = 256,
    LINES_LARGEST = 64 * 1024,
};

/* ---- states ---- */

static const char *const state_names[KS_CHAT_STATES] = {
    [KS_CHAT_STATE_MENU] = "menu",
    [KS_CHAT_STATE_NAME_TO_JOIN] = "name to join",
    [KS_CHAT_STATE_NAME_TO_CREATE] = "name to create",
    [KS_CHAT_STATE_GROUP] = "group",
    [KS_CHAT_STATE_PASSWORD] = "password",
    [KS_CHAT_STATE_NEW_PASSWORD] = "new password",
    [KS_CHAT_STATE_JUDGING] = "judging",
    [KS_CHAT_STATE_NAMING] = "naming",
    [KS_CHAT_STATE_MEMBER] = "member",
    [KS_CHAT_STATE_LEAVING] = "leaving",
    [KS_CHAT_STATE_ENDING] = "ending",
};

/* A group may go while its password is asked for or judged; on the secure port a name may. */
static const uint16_t state_ways[KS_CHAT_STATES] = {
    [KS_CHAT_STATE_MENU] = KS_WAY_TO(KS_CHAT_STATE_NAME_TO_JOIN) | KS_WAY_TO(KS_CHAT_STATE_NAME_TO_CREATE) |
                           KS_WAY_TO(KS_CHAT_STATE_ENDING),
    [KS_CHAT_STATE_NAME_TO_JOIN] =
        KS_WAY_TO(KS_CHAT_STATE_GROUP) | KS_WAY_TO(KS_CHAT_STATE_NAMING) | KS_WAY_TO(KS_CHAT_STATE_ENDING),
    [KS_CHAT_STATE_NAME_TO_CREATE] = KS_WAY_TO(KS_CHAT_STATE_NEW_PASSWORD) | KS_WAY_TO(KS_CHAT_STATE_NAMING) |
                                     KS_WAY_TO(KS_CHAT_STATE_ENDING),
    [KS_CHAT_STATE_GROUP] = KS_WAY_TO(KS_CHAT_STATE_PASSWORD) | KS_WAY_TO(KS_CHAT_STATE_ENDING),
    [KS_CHAT_STATE_PASSWORD] = KS_WAY_TO(KS_CHAT_STATE_GROUP) | KS_WAY_TO(KS_CHAT_STATE_JUDGING) |
                               KS_WAY_TO(KS_CHAT_STATE_NAMING) | KS_WAY_TO(KS_CHAT_STATE_NAME_TO_JOIN) |
                               KS_WAY_TO(KS_CHAT_STATE_MEMBER) | KS_WAY_TO(KS_CHAT_STATE_ENDING),
    [KS_CHAT_STATE_NEW_PASSWORD] =
        KS_WAY_TO(KS_CHAT_STATE_NAMING) | KS_WAY_TO(KS_CHAT_STATE_MEMBER) | KS_WAY_TO(KS_CHAT_STATE_ENDING),
    [KS_CHAT_STATE_JUDGING] = KS_WAY_TO(KS_CHAT_STATE_GROUP) | KS_WAY_TO(KS_CHAT_STATE_PASSWORD) |
                              KS_WAY_TO(KS_CHAT_STATE_NAME_TO_JOIN) | KS_WAY_TO(KS_CHAT_STATE_MEMBER) |
                              KS_WAY_TO(KS_CHAT_STATE_ENDING),
    [KS_CHAT_STATE_NAMING] = KS_WAY_TO(KS_CHAT_STATE_NAME_TO_JOIN) | KS_WAY_TO(KS_CHAT_STATE_NAME_TO_CREATE) |
                             KS_WAY_TO(KS_CHAT_STATE_PASSWORD) | KS_WAY_TO(KS_CHAT_STATE_NEW_PASSWORD) |
                             KS_WAY_TO(KS_CHAT_STATE_ENDING),
    [KS_CHAT_STATE_MEMBER] = KS_WAY_TO(KS_CHAT_STATE_LEAVING) | KS_WAY_TO(KS_CHAT_STATE_ENDING),
    [KS_CHAT_STATE_LEAVING] = KS_WAY_TO(KS_CHAT_STATE_ENDING),
};

static const struct ks_machine machine = {.name = "chat", .states = state_names, .ways = state_ways};

void ks_chat_session_become(struct ks_chat_session *session, enum ks_chat_state state)
{
    ks_connection_step(session->member.connection, &machine, &session->state, state);
}

/* ---- telling ---- */

void ks_chat_session_tell(struct ks_chat_session *session, const char *text)
{
    struct ks_connection *connection = session->member.connection;
    size_t size = strlen(text);
    if (session->member.line_mode) {
        ks_connection_write(connection, text, size);
        if (text[size - 1] != '\n')
            ks_connection_write(connection, "\n", 1);
        return;
    }
    while (size > 0) {
        size_t part = ks_text_cut((const uint8_t *)text, size, KS_CHAT_SEND_LIMIT);
        ks_connection_write_apart(connection, text, part);
        text += part;
        size -= part;
    }
}

void ks_chat_session_end(struct ks_chat_session *session)
{
    ks_chat_session_become(session, KS_CHAT_STATE_ENDING);
    ks_connection_finish(session->member.connection);
}

void ks_chat_session_give_up(struct ks_chat_session *session)
{
    ks_chat_session_become(session, KS_CHAT_STATE_ENDING);
    ks_connection_abort(session->member.connection);
}

/* ---- the log ---- */

static void write_line(const struct ks_chat_session *session, enum ks_log_level level, unsigned per_hour,
                       const char *what, va_list arguments) __attribute__((format(printf, 4, 0)));

static void write_line(const struct ks_chat_session *session, enum ks_log_level level, unsigned per_hour,
                       const char *what, va_list arguments)
{
    struct ks_connection *connection = session->member.connection;
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    char peer[KS_PEER_TEXT_SIZE];
    char name[4 * sizeof session->name];
    char text[KS_CHAT_TEXT_SIZE];
    ks_connection_describe_peer(connection, peer, sizeof peer);
    ks_connection_peer_address(connection, address);
    const struct ks_log_cause cause = ks_log_cause(what, address, NULL);
    ks_text_escape_quoted(session->name, strlen(session->name), name, sizeof name);
    const char *quote = name[0] != '\0' ? "\"" : "";
    vsnprintf(text, sizeof text, what, arguments);
    ks_log_repeatable(session->environment->log, level, &cause, per_hour, "%s: chat: %s%s%s%s%s", peer, quote,
                      name, quote, name[0] != '\0' ? " " : "", text);
}

void ks_chat_session_log(const struct ks_chat_session *session, const char *what, ...)
{
    va_list arguments;
    if (!ks_log_shows(session->environment->log, KS_LOG_INFO))
        return;
    va_start(arguments, what);
    write_line(session, KS_LOG_INFO, KS_LOG_EVENTS, what, arguments);
    va_end(arguments);
}

void ks_chat_session_report(const struct ks_chat_session *session, enum ks_log_level level, const char *what,
                            ...)
{
    va_list arguments;
    if (!ks_log_shows(session->environment->log, level))
        return;
    va_start(arguments, what);
    write_line(session, level, KS_LOG_REFUSALS, what, arguments);
    va_end(arguments);
}

/* ---- members ---- */

void ks_chat_session_became_member(struct ks_chat_session *session)
{
    ks_chat_session_become(session, KS_CHAT_STATE_MEMBER);
    ks_connection_set_deadline(session->member.connection, 0);
}

static struct ks_shared *make_farewell(const struct ks_chat_session *session)
{
    struct ks_shared *farewell = ks_shared_new(KS_CHAT_TEXT_SIZE);
    if (farewell != NULL)
        farewell->size =
            (size_t)snprintf((char *)farewell->bytes, KS_CHAT_TEXT_SIZE, KS_CHAT_HAS_LEFT, session->name);
    return farewell;
}

static void log_deleted(const struct ks_chat_session *session, unsigned number)
{
    static const char line[] = "chat: group %u is deleted";
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    ks_connection_peer_address(session->member.connection, address);
    const struct ks_log_cause cause = ks_log_cause(line, address, NULL);
    ks_log_repeatable(session->environment->log, KS_LOG_INFO, &cause, KS_LOG_EVENTS, line, number);
}

void ks_chat_session_leave_group(struct ks_chat_session *session)
{
    bool deleted = false;
    if (session->member.group == NULL)
        return;
    unsigned number = ks_groups_number(&session->member);
    ks_groups_leave(&session->member, make_farewell(session), &deleted);
    ks_chat_session_log(session, "has left group %u", number);
    if (deleted)
        log_deleted(session, number);
}

static void log_words(const struct ks_chat_session *session, const struct ks_shared *lines)
{
    char peer[KS_PEER_TEXT_SIZE];
    ks_connection_describe_peer(session->member.connection, peer, sizeof peer);
    ks_log_debug(session->environment->log, "%s: chat: says %zu bytes in group %u", peer, lines->size,
                 ks_groups_number(&session->member));
}

/* Once for a read, however often it was asked there, and counted in the member's queue. */
static void tell_who(struct ks_chat_session *session)
{
    char names[KS_CHAT_WHO_SIZE];
    char text[KS_CHAT_WHO_SIZE + KS_CHAT_TEXT_SIZE];
    session->asked_who = false;
    unsigned left_out = ks_groups_names(&session->member, names, sizeof names - sizeof KS_CHAT_AND_MORE - 10);
    if (left_out > 0)
        snprintf(names + strlen(names), sizeof names - strlen(names), KS_CHAT_AND_MORE, left_out);
    snprintf(text, sizeof text, KS_CHAT_WHO, names);
    ks_chat_session_tell(session, text);
    ks_groups_look_at_queue(&session->member);
}

void ks_chat_session_say_joined(struct ks_chat_session *session)
{
    struct ks_shared *lines = ks_shared_new(KS_CHAT_TEXT_SIZE);
    if (lines == NULL)
        return; /* nobody hears of it */
    lines->size =
        (size_t)snprintf((char *)lines->bytes, KS_CHAT_TEXT_SIZE, KS_CHAT_HAS_JOINED, session->name);
    (void)ks_groups_say(&session->member, lines, true);
}

void ks_chat_session_say_lines(struct ks_chat_session *session)
{
    struct ks_shared *lines = session->lines;
    session->lines = NULL;
    if (session->asked_who)
        tell_who(session);
    if (lines != NULL && ks_log_shows(session->environment->log, KS_LOG_DEBUG))
        log_words(session, lines);
    if (lines != NULL && ks_groups_say(&session->member, lines, false) != KS_OK)
        ks_chat_session_give_up(session);
}

/* Makes room for `size` bytes more. False when out of memory, and the session ends. */
static bool have_lines(struct ks_chat_session *session, size_t size)
{
    bool full = session->lines != NULL && session->lines->capacity - session->lines->size < size;
    size_t capacity = LINES_SMALLEST;
    if (full) { /* it is a long read */
        capacity = LINES_LARGEST;
        ks_chat_session_say_lines(session);
    }
    if (session->lines == NULL)
        session->lines = ks_shared_new(capacity < size ? size : capacity);
    if (session->lines != NULL && session->state == KS_CHAT_STATE_MEMBER)
        return true;
    ks_chat_session_give_up(session);
    return false;
}

/* There is room. */
static void append_to_lines(struct ks_chat_session *session, const void *bytes, size_t size)
{
    struct ks_shared *lines = session->lines;
    memcpy(lines->bytes + lines->size, bytes, size);
    lines->size += size;
}

static void leave_and_end(struct ks_member *member)
{
    struct ks_chat_session *session = KS_CONTAINER_OF(member, struct ks_chat_session, member);
    if (session->state != KS_CHAT_STATE_LEAVING || member->cut_off != NULL)
        return;
    ks_chat_session_leave_group(session);
    if (session->said_exit)
        ks_chat_session_tell(session, KS_CHAT_LEFT);
    ks_chat_session_end(session);
}

void ks_chat_session_leave(struct ks_chat_session *session)
{
    ks_chat_session_say_lines(session);
    if (session->state != KS_CHAT_STATE_MEMBER)
        return;
    ks_chat_session_become(session, KS_CHAT_STATE_LEAVING);
    session->member.has_heard = leave_and_end;
    ks_groups_hear_out(&session->member);
}

/* One message, clean and not too long. */
static void add_line(struct ks_chat_session *session, const uint8_t *text, size_t size)
{
    size_t name_size = strlen(session->name);
    if (!have_lines(session, name_size + 2 + size + 1))
        return;
    append_to_lines(session, session->name, name_size);
    append_to_lines(session, ": ", 2);
    append_to_lines(session, text, size);
    append_to_lines(session, "\n", 1);
}

static void add_message(struct ks_chat_session *session, const uint8_t *text, size_t size)
{
    uint8_t clean[KS_CHAT_CLEAN_FACTOR * KS_CHAT_MESSAGE_LIMIT];
    while (size > 0 && session->state == KS_CHAT_STATE_MEMBER) {
        size_t taken = ks_text_cut(text, size, KS_CHAT_MESSAGE_LIMIT);
        size_t clean_size = ks_chat_clean(text, taken, clean);
        const uint8_t *next = clean;
        while (clean_size > 0 && session->state == KS_CHAT_STATE_MEMBER) {
            size_t part = ks_text_cut(next, clean_size, KS_CHAT_MESSAGE_LIMIT);
            add_line(session, next, part);
            next += part;
            clean_size -= part;
        }
        text += taken;
        size -= taken;
    }
}

static bool is_command(const struct ks_chat_session *session, const uint8_t *input, size_t size,
                       const char *command)
{
    return !session->continued && size == strlen(command) && memcmp(input, command, size) == 0;
}

void ks_chat_session_take_words(struct ks_chat_session *session, const uint8_t *input, size_t size)
{
    if (session->talker != NULL && is_command(session, input, size, KS_CHAT_ASK_WHO)) {
        session->asked_who = true;
        return;
    }
    if (!is_command(session, input, size, KS_CHAT_LEAVE)) {
        add_message(session, input, size);
        return;
    }
    session->said_exit = true;
    ks_chat_session_leave(session);
}
