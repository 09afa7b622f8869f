/* chat_service.c — see chat_service.h: what one peer sends, taken apart, and its events.
 *
 * Input has no frames. In chunk mode one read is one input (a newline inside separates two); from the first
 * read on that ends in CR or LF the session is in line mode, and lines are the inputs. `part` holds what is
 * not an input yet: an unfinished line, or, in chunk mode, an unfinished character.
 *
 * Passwords: what a session keeps of its input is wiped before it is freed, whatever it is; the connection
 * does the same with what it reads and keeps (`input_is_secret`).
 */
#include "service/chat/chat_service.h"

#include "base/buffer.h"
#include "base/limits/log_repeats.h"
#include "crypto/secret.h"
#include "service/accounts/presence.h"
#include "service/chat/chat_session_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* At once for the end of a line, or it would be looked for again and again. */
    LOOKED_AT = KS_CHAT_PART_LIMIT + 2,
};

/* ---- input ---- */

static void free_part(uint8_t *part)
{
    if (part != NULL)
        ks_secret_wipe(part, KS_CHAT_PART_LIMIT);
    free(part);
}

static void forget_part(struct ks_chat_session *session)
{
    free_part(session->part);
    session->part = NULL;
    session->part_size = 0;
}

/* An empty line says something only at the prompt for a name, and there who has an account. */
static bool means_something(const struct ks_chat_session *session, size_t size)
{
    return size > 0 || (session->talker != NULL && (session->state == KS_CHAT_STATE_NAME_TO_JOIN ||
                                                    session->state == KS_CHAT_STATE_NAME_TO_CREATE));
}

static void take_input(struct ks_chat_session *session, const uint8_t *input, size_t size)
{
    if (!means_something(session, size))
        return;
    if (session->state == KS_CHAT_STATE_MEMBER) {
        ks_chat_session_take_words(session, input, size);
        return;
    }
    if (size > KS_CHAT_PART_LIMIT) /* as of a line */
        size = KS_CHAT_PART_LIMIT - ks_chat_unfinished(input, KS_CHAT_PART_LIMIT);
    ks_chat_session_take_answer(session, input, size);
}

/* `part` is full: a member's line is taken in pieces, of a prompt's only the beginning counts. */
static void take_piece_of_line(struct ks_chat_session *session)
{
    size_t piece = session->part_size - ks_chat_unfinished(session->part, session->part_size);
    bool of_member = session->state == KS_CHAT_STATE_MEMBER;
    if (!session->dropping)
        take_input(session, session->part, piece);
    session->continued = true;
    session->dropping = session->dropping || !of_member;
    session->part_size -= piece;
    memmove(session->part, session->part + piece, session->part_size);
}

/* Keeps bytes that are no input yet; returns how many it took: all, unless `part` became full. */
static size_t keep_part(struct ks_chat_session *session, const uint8_t *bytes, size_t size)
{
    if (session->part == NULL && (session->part = malloc(KS_CHAT_PART_LIMIT)) == NULL) {
        ks_chat_session_give_up(session);
        return size;
    }
    size_t room = KS_CHAT_PART_LIMIT - session->part_size;
    size_t taken = size < room ? size : room;
    memcpy(session->part + session->part_size, bytes, taken);
    session->part_size += taken;
    if (session->part_size == KS_CHAT_PART_LIMIT)
        take_piece_of_line(session);
    return taken;
}

/* `part` is an input, whole, or the rest of one. */
static void take_part(struct ks_chat_session *session)
{
    uint8_t *part = session->part;
    size_t size = session->part_size;
    session->part = NULL;
    session->part_size = 0;
    if (!session->dropping)
        take_input(session, part, size);
    session->continued = false;
    session->dropping = false;
    free_part(part);
}

/* One read in chunk mode, or what follows the last newline in it: an input, but for the beginning of a
 * character at its end. */
static void take_chunk(struct ks_chat_session *session, const uint8_t *bytes, size_t size)
{
    struct ks_buffer joined = ks_buffer_empty(0);
    if (session->part_size > 0) { /* the beginning of one came before */
        if (ks_buffer_reserve(&joined, session->part_size + size) != KS_OK || /* at once: it never moves */
            ks_buffer_append(&joined, session->part, session->part_size) != KS_OK ||
            ks_buffer_append(&joined, bytes, size) != KS_OK) {
            ks_buffer_wipe(&joined);
            ks_chat_session_give_up(session);
            return;
        }
        forget_part(session);
        bytes = joined.bytes;
        size = joined.size;
    }
    size_t unfinished = ks_chat_unfinished(bytes, size);
    take_input(session, bytes, size - unfinished);
    if (unfinished > 0 && session->state < KS_CHAT_STATE_LEAVING)
        keep_part(session, bytes + size - unfinished, unfinished);
    ks_buffer_wipe(&joined);
}

/* One step over the input; returns how much of it was taken, at least one byte. */
static size_t take_step(struct ks_chat_session *session, const uint8_t *bytes, size_t size)
{
    size_t line_size = 0;
    size_t taken = 0;
    if (session->member.line_mode && size > LOOKED_AT)
        size = LOOKED_AT;
    if (!ks_chat_line(bytes, size, &line_size, &taken)) {
        if (session->member.line_mode)
            return keep_part(session, bytes, size);
        take_chunk(session, bytes, size);
        return size;
    }
    bool is_whole = session->part_size == 0 && !session->continued;
    if (!is_whole && line_size > KS_CHAT_PART_LIMIT - session->part_size)
        return keep_part(session, bytes, line_size); /* not yet all of it */
    if (is_whole && line_size <= KS_CHAT_PART_LIMIT) {
        take_input(session, bytes, line_size);
    } else if (is_whole) {
        return keep_part(session, bytes, line_size);
    } else {
        if (line_size > 0)
            keep_part(session, bytes, line_size);
        if (session->state < KS_CHAT_STATE_LEAVING)
            take_part(session);
    }
    return taken;
}

/* For us: for the turn of a password, or the holder of a name. */
static bool is_waiting(const struct ks_chat_session *session)
{
    return session->state == KS_CHAT_STATE_JUDGING || session->state == KS_CHAT_STATE_NAMING;
}

/* False while it waits for us, while the group's loops are behind what the member says, and while the answers
 * of menu and prompts are not taken. */
static bool takes_input(struct ks_chat_session *session)
{
    if (is_waiting(session) || session->state >= KS_CHAT_STATE_LEAVING)
        return false;
    if (session->state == KS_CHAT_STATE_MEMBER)
        return ks_groups_has_credit(&session->member);
    return !ks_connection_output_is_full(session->member.connection);
}

static void keep_time(struct ks_chat_session *session)
{
    struct ks_connection *connection = session->member.connection;
    if (session->state < KS_CHAT_STATE_JUDGING) /* people sit at the menu for hours; only prompts end */
        ks_connection_set_deadline(
            connection, session->state == KS_CHAT_STATE_MENU ? 0 : session->environment->prompt_timeout_ms);
    bool is_known = session->state == KS_CHAT_STATE_MEMBER || session->talker != NULL;
    ks_connection_set_standing(connection, is_known ? KS_STANDING_KNOWN : KS_STANDING_STRANGER);
    ks_connection_set_idle(connection, !is_waiting(session)); /* since just now */
}

static size_t chat_received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct ks_chat_session *session = connection->session;
    size_t used = session->after_cr && bytes[0] == '\n' ? 1 : 0;
    session->after_cr = false;
    if (bytes[size - 1] == '\r' || bytes[size - 1] == '\n')
        session->member.line_mode = true;
    while (used < size && takes_input(session))
        used += take_step(session, bytes + used, size - used);
    if (session->state == KS_CHAT_STATE_MEMBER)
        ks_chat_session_say_lines(session);
    if (session->state >= KS_CHAT_STATE_LEAVING)
        return size;
    session->after_cr = used == size && bytes[size - 1] == '\r';
    if (used < size)
        ks_connection_pause(connection);
    keep_time(session);
    return used;
}

/* ---- events ---- */

static void may_go_on(struct ks_member *member)
{
    ks_connection_resume(member->connection);
}

static void end_with_input(struct ks_chat_session *session)
{
    if (session->state == KS_CHAT_STATE_MEMBER)
        ks_chat_session_leave(session);
    else if (session->state < KS_CHAT_STATE_MEMBER)
        ks_chat_session_end(session);
}

/* A guess that waits for its turn then is of nobody who could still become a member. */
static void chat_input_ended(struct ks_connection *connection)
{
    struct ks_chat_session *session = connection->session;
    if (session->part_size > 0)
        take_part(session);
    ks_chat_session_give_turn_back(session);
    end_with_input(session);
}

static void chat_drained(struct ks_connection *connection)
{
    struct ks_chat_session *session = connection->session;
    if (session->member.group != NULL)
        ks_groups_look_at_queue(&session->member);
    else if (!is_waiting(session))
        ks_connection_resume(connection);
}

/* Whose the name is that was asked for. */
static void name_is_judged(struct ks_chat_session *session, enum ks_result result)
{
    ks_chat_session_take_name(session, result);
    if (session->state >= KS_CHAT_STATE_LEAVING)
        return;
    ks_connection_resume(session->member.connection);
    keep_time(session);
}

/* The turn of a password has come. */
static void judge_now(struct ks_chat_session *session)
{
    ks_chat_session_judge(session);
    ks_connection_resume(session->member.connection);
    keep_time(session);
}

static void chat_deadline(struct ks_connection *connection)
{
    struct ks_chat_session *session = connection->session;
    if (session->state == KS_CHAT_STATE_JUDGING) {
        judge_now(session);
        return;
    }
    if (session->member.group != NULL) {
        ks_groups_look_at_queue(&session->member);
        return;
    }
    ks_chat_session_report(session, KS_LOG_INFO, "closed: no input in time (prompt-timeout)");
    ks_chat_session_end(session);
}

static void talker_free(struct ks_chat_session *session)
{
    if (session->talker == NULL)
        return;
    ks_chat_names_forget_question(session);
    ks_presence_leave(session->talker->attendance);
    free(session->talker);
}

static void chat_closed(struct ks_connection *connection)
{
    struct ks_chat_session *session = connection->session;
    if (session->member.cut_off != NULL)
        ks_chat_session_report(session, KS_LOG_WARNING,
                               "does not read what is said, and is cut off from group %u (%s)",
                               ks_groups_number(&session->member), session->member.cut_off);
    ks_chat_session_leave_group(session);
    ks_chat_session_give_turn_back(session);
    ks_shared_release(session->lines);
    ks_chat_session_forget_password(session);
    forget_part(session);
    talker_free(session);
    free(session);
}

static const struct ks_connection_events session_events = {
    .received = chat_received,
    .input_ended = chat_input_ended,
    .drained = chat_drained,
    .deadline = chat_deadline,
    .closed = chat_closed,
    .input_is_secret = true,
};

/* ---- a peer that has said nothing yet ----
 *
 * has seen the menu, and has no session: only the environment is in its place. */

static void log_connected(const struct ks_chat_service_environment *environment,
                          const struct ks_connection *connection)
{
    static const char line[] = "%s: chat: connected";
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    char peer[KS_PEER_TEXT_SIZE];
    ks_connection_describe_peer(connection, peer, sizeof peer);
    ks_connection_peer_address(connection, address);
    const struct ks_log_cause cause = ks_log_cause(line, address, NULL);
    ks_log_repeatable(environment->log, KS_LOG_INFO, &cause, KS_LOG_EVENTS, line, peer);
}

static bool silent_opened(struct ks_connection *connection, void *service)
{
    const struct ks_chat_service_environment *environment = service;
    connection->session = service;
    if (ks_log_shows(environment->log, KS_LOG_INFO))
        log_connected(environment, connection);
    ks_connection_write_apart(connection, KS_CHAT_MENU, sizeof KS_CHAT_MENU - 1);
    return true;
}

static size_t silent_received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct ks_chat_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        ks_connection_abort(connection);
        return size;
    }
    session->environment = connection->session;
    session->member.connection = connection;
    session->member.may_go_on = may_go_on;
    connection->session = session;
    connection->events = &session_events;
    return chat_received(connection, bytes, size);
}

static void silent_input_ended(struct ks_connection *connection)
{
    ks_connection_finish(connection);
}

static void silent_deadline(struct ks_connection *connection)
{
    (void)connection; /* the menu is no prompt: nobody sets one */
}

static void silent_closed(struct ks_connection *connection)
{
    connection->session = NULL;
}

const struct ks_connection_events ks_chat_service_events = {
    .opened = silent_opened,
    .received = silent_received,
    .input_ended = silent_input_ended,
    .deadline = silent_deadline,
    .closed = silent_closed,
    .input_is_secret = true,
};

/* ---- who has signed in ---- */

/* The account is no account any more, or has another key. */
static void cut_talker(void *owner)
{
    struct ks_chat_session *session = owner;
    ks_chat_session_report(session, KS_LOG_INFO, "closed: its account was removed, or has another key");
    if (session->state != KS_CHAT_STATE_ENDING)
        ks_chat_session_become(session, KS_CHAT_STATE_ENDING);
    ks_connection_abort(session->member.connection);
}

struct ks_chat_session *ks_chat_service_expect(const struct ks_chat_service_environment *environment,
                                               struct ks_connection *connection,
                                               const struct ks_account *account,
                                               struct ks_attendance *attendance)
{
    struct ks_chat_session *session = calloc(1, sizeof *session);
    struct ks_chat_talker *talker = calloc(1, sizeof *talker);
    if (session == NULL || talker == NULL) {
        free(session);
        free(talker);
        return NULL;
    }
    talker->attendance = attendance;
    talker->id = account->id;
    memcpy(talker->account_name, account->name, sizeof talker->account_name);
    session->talker = talker;
    session->name_is_judged = name_is_judged;
    session->environment = environment;
    session->member.connection = connection;
    session->member.may_go_on = may_go_on;
    session->member.line_mode = true;
    session->member.name = session->name;
    session->member.skeleton = talker->skeleton;
    if (!ks_attendance_set_owner(attendance, cut_talker, session))
        cut_talker(session);
    return session;
}

void ks_chat_service_welcome(struct ks_chat_session *session)
{
    struct ks_connection *connection = session->member.connection;
    connection->session = session;
    connection->events = &session_events;
    if (ks_log_shows(session->environment->log, KS_LOG_INFO))
        log_connected(session->environment, connection);
    ks_chat_session_tell(session, KS_CHAT_MENU);
    keep_time(session);
}

void ks_chat_service_dismiss(struct ks_chat_session *session)
{
    talker_free(session);
    free(session);
}
