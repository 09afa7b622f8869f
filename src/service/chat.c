/* chat.c — see chat.h: what one peer says, and what it is told.
 *
 * Input has no frames. In chunk mode one read is one input (a newline inside separates two); from the first
 * read on that ends in CR or LF the session is in line mode, and lines are the inputs. `part` holds what is
 * not an input yet: an unfinished line, or, in chunk mode, an unfinished character.
 *
 * What a member says in one read is collected in `lines`, and goes to the group in one piece.
 *
 * Passwords: what a session keeps of its input is wiped before it is freed, whatever it is; the connection
 * does the same with what it reads and keeps (`input_is_secret`).
 */
#include "service/chat.h"

#include "base/buffer.h"
#include "base/text.h"
#include "crypto/secret.h"
#include "service/groups.h"
#include "service/turnstile.h"
#include "wire/chat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PART_LIMIT = KS_CHAT_MESSAGE_LIMIT, /* a longer line is taken in pieces; of an answer no more counts */
    LOOKED_AT = PART_LIMIT + 2, /* at once for the end of a line, or it would be looked for again and again */
    LINES_SMALLEST = 256,
    LINES_LARGEST = 64 * 1024,
    TEXT_SIZE = 256, /* of what we say ourselves */
};

enum state {
    STATE_MENU,
    STATE_NAME_TO_JOIN,
    STATE_NAME_TO_CREATE,
    STATE_GROUP,
    STATE_PASSWORD,
    STATE_NEW_PASSWORD,
    STATE_JUDGING, /* a password waits for its turn */
    STATE_MEMBER,
    STATE_ENDING,
};

struct chat_session {
    struct ks_member member;
    const struct ks_chat_environment *environment;
    uint8_t *part; /* PART_LIMIT bytes while there are any */
    size_t part_size;
    struct ks_shared *lines; /* said in this read */
    uint8_t *password;       /* while judging */
    size_t password_size;
    struct ks_turn turn; /* likewise */
    uint64_t serial;     /* of the group whose password is asked for */
    unsigned number;
    unsigned wrong_passwords;
    uint8_t state;
    bool after_cr;  /* an LF would belong to the CR before it */
    bool continued; /* the beginning of this line was taken already */
    bool dropping;  /* and the rest of it counts for nothing */
    char name[KS_CHAT_NAME_LIMIT + 1];
};

/* ---- telling ---- */

/* To a peer in line mode as a line, else in sends of their own, none longer than the peer reads at once. */
static void tell(struct chat_session *session, const char *text)
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

static void end_session(struct chat_session *session)
{
    session->state = STATE_ENDING;
    ks_connection_finish(session->member.connection);
}

/* Out of memory: what the peer said is lost, and it must know. */
static void give_up(struct chat_session *session)
{
    session->state = STATE_ENDING;
    ks_connection_abort(session->member.connection);
}

static void log_event(const struct chat_session *session, const char *what, unsigned number)
{
    char peer[KS_PEER_TEXT_SIZE];
    char name[4 * sizeof session->name];
    ks_connection_describe_peer(session->member.connection, peer, sizeof peer);
    ks_text_escape(session->name, strlen(session->name), name, sizeof name);
    ks_log_info(session->environment->log, "%s: chat: \"%s\" %s group %u", peer, name, what, number);
}

/* ---- members ---- */

static void became_member(struct chat_session *session)
{
    session->state = STATE_MEMBER;
    ks_connection_set_deadline(session->member.connection, 0);
}

static struct ks_shared *make_farewell(const struct chat_session *session)
{
    struct ks_shared *farewell = ks_shared_new(TEXT_SIZE);
    if (farewell != NULL)
        farewell->size =
            (size_t)snprintf((char *)farewell->bytes, TEXT_SIZE, KS_CHAT_HAS_LEFT, session->name);
    return farewell;
}

static void leave_group(struct chat_session *session)
{
    bool deleted = false;
    if (session->member.group == NULL)
        return;
    unsigned number = ks_groups_number(&session->member);
    ks_groups_leave(&session->member, make_farewell(session), &deleted);
    log_event(session, "has left", number);
    if (deleted)
        ks_log_info(session->environment->log, "chat: group %u is deleted", number);
}

/* Gives what was said in this read to the group. */
static void say_lines(struct chat_session *session)
{
    struct ks_shared *lines = session->lines;
    session->lines = NULL;
    if (lines != NULL && ks_groups_say(&session->member, lines, false) != KS_OK)
        give_up(session);
}

/* Makes room for `size` bytes more. False when out of memory, and the session ends. */
static bool have_lines(struct chat_session *session, size_t size)
{
    bool full = session->lines != NULL && session->lines->capacity - session->lines->size < size;
    size_t capacity = LINES_SMALLEST;
    if (full) { /* it is a long read */
        capacity = LINES_LARGEST;
        say_lines(session);
    }
    if (session->lines == NULL)
        session->lines = ks_shared_new(capacity < size ? size : capacity);
    if (session->lines != NULL && session->state == STATE_MEMBER)
        return true;
    give_up(session);
    return false;
}

/* There is room. */
static void append_to_lines(struct chat_session *session, const void *bytes, size_t size)
{
    struct ks_shared *lines = session->lines;
    memcpy(lines->bytes + lines->size, bytes, size);
    lines->size += size;
}

/* One message, clean and not too long. */
static void add_line(struct chat_session *session, const uint8_t *text, size_t size)
{
    size_t name_size = strlen(session->name);
    if (!have_lines(session, name_size + 2 + size + 1))
        return;
    append_to_lines(session, session->name, name_size);
    append_to_lines(session, ": ", 2);
    append_to_lines(session, text, size);
    append_to_lines(session, "\n", 1);
}

static void add_message(struct chat_session *session, const uint8_t *text, size_t size)
{
    uint8_t clean[KS_CHAT_CLEAN_FACTOR * KS_CHAT_MESSAGE_LIMIT];
    while (size > 0 && session->state == STATE_MEMBER) {
        size_t taken = ks_text_cut(text, size, KS_CHAT_MESSAGE_LIMIT);
        size_t clean_size = ks_chat_clean(text, taken, clean);
        const uint8_t *next = clean;
        while (clean_size > 0 && session->state == STATE_MEMBER) {
            size_t part = ks_text_cut(next, clean_size, KS_CHAT_MESSAGE_LIMIT);
            add_line(session, next, part);
            next += part;
            clean_size -= part;
        }
        text += taken;
        size -= taken;
    }
}

static void take_words_of_member(struct chat_session *session, const uint8_t *input, size_t size)
{
    bool leaves =
        !session->continued && size == strlen(KS_CHAT_LEAVE) && memcmp(input, KS_CHAT_LEAVE, size) == 0;
    if (!leaves) {
        add_message(session, input, size);
        return;
    }
    say_lines(session);
    leave_group(session);
    tell(session, KS_CHAT_LEFT);
    end_session(session);
}

/* ---- the menu and the prompts ---- */

static void take_choice(struct chat_session *session, const uint8_t *input, size_t size)
{
    size_t start = 0;
    size_t length = ks_chat_trim(input, size, &start);
    uint8_t choice = length == 1 ? input[start] : 0;
    switch (choice) {
    case '1':
    case '2':
        session->state = choice == '1' ? STATE_NAME_TO_JOIN : STATE_NAME_TO_CREATE;
        tell(session, KS_CHAT_ASK_NAME);
        return;
    case '3':
        tell(session, KS_CHAT_EXIT);
        end_session(session);
        return;
    default:
        tell(session, KS_CHAT_INVALID_OPTION);
        tell(session, KS_CHAT_MENU);
    }
}

static void take_name(struct chat_session *session, const uint8_t *input, size_t size)
{
    uint8_t clean[KS_CHAT_CLEAN_FACTOR * PART_LIMIT];
    size_t clean_size = ks_chat_clean(input, size, clean);
    size_t name_size = ks_text_cut(clean, clean_size, KS_CHAT_NAME_LIMIT);
    if (name_size == 0)
        return;
    memcpy(session->name, clean, name_size);
    session->name[name_size] = '\0';
    bool creates = session->state == STATE_NAME_TO_CREATE;
    session->state = creates ? STATE_NEW_PASSWORD : STATE_GROUP;
    tell(session, creates ? KS_CHAT_ASK_NEW_PASSWORD : KS_CHAT_ASK_GROUP);
}

static void refuse_group(struct chat_session *session)
{
    session->state = STATE_GROUP;
    tell(session, KS_CHAT_NO_GROUP);
    tell(session, KS_CHAT_ASK_GROUP);
}

static void take_group(struct chat_session *session, const uint8_t *input, size_t size)
{
    if (!ks_chat_group_number(input, size, &session->number) ||
        !ks_groups_find(session->environment->groups, session->number, &session->serial)) {
        refuse_group(session);
        return;
    }
    session->state = STATE_PASSWORD;
    tell(session, KS_CHAT_ASK_PASSWORD);
}

static void tell_full(struct chat_session *session)
{
    tell(session, KS_CHAT_FULL);
    end_session(session);
}

static void tell_joined(struct chat_session *session)
{
    char text[TEXT_SIZE];
    became_member(session);
    snprintf(text, sizeof text, KS_CHAT_JOINED, session->number);
    tell(session, text);
    log_event(session, "has joined", session->number);
}

static void refuse_password(struct chat_session *session)
{
    const struct ks_chat_environment *environment = session->environment;
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    ks_connection_peer_address(session->member.connection, address);
    ks_turnstile_wrong(environment->turnstile, address, ks_clock_monotonic_ms(environment->clock));
    session->wrong_passwords++;
    log_event(session, "gave a wrong password for", session->number);
    tell(session, KS_CHAT_WRONG_PASSWORD);
    if (session->wrong_passwords >= environment->wrong_passwords) {
        end_session(session);
        return;
    }
    session->state = STATE_PASSWORD;
    tell(session, KS_CHAT_ASK_PASSWORD);
}

static void judge_password(struct chat_session *session, const uint8_t *password, size_t size)
{
    switch (ks_groups_join(session->environment->groups, session->number, session->serial, password, size,
                           &session->member)) {
    case KS_OK:
        tell_joined(session);
        return;
    case KS_NOT_FOUND: /* deleted meanwhile */
        refuse_group(session);
        return;
    case KS_REFUSED:
        refuse_password(session);
        return;
    default:
        tell_full(session);
    }
}

/* The session ends, and the guess that waits is never looked at. */
static void give_turn_back(const struct chat_session *session)
{
    const struct ks_chat_environment *environment = session->environment;
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    if (session->state != STATE_JUDGING)
        return;
    ks_connection_peer_address(session->member.connection, address);
    ks_turnstile_give_back(environment->turnstile, address, session->turn,
                           ks_clock_monotonic_ms(environment->clock));
}

/* Judged now, or when it is this address's turn. Until then what more comes waits; but input is read until
 * something does come, or nobody would see that the peer goes. */
static void take_password(struct chat_session *session, const uint8_t *input, size_t size)
{
    const struct ks_chat_environment *environment = session->environment;
    struct ks_connection *connection = session->member.connection;
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    ks_connection_peer_address(connection, address);
    session->turn =
        ks_turnstile_take(environment->turnstile, address, ks_clock_monotonic_ms(environment->clock));
    if (session->turn.wait_ms == 0) {
        judge_password(session, input, size);
        return;
    }
    session->state = STATE_JUDGING;
    session->password = malloc(size);
    if (session->password == NULL) {
        give_turn_back(session);
        tell_full(session);
        return;
    }
    memcpy(session->password, input, size);
    session->password_size = size;
    ks_connection_set_deadline(connection, session->turn.wait_ms);
}

static void forget_password(struct chat_session *session)
{
    if (session->password == NULL)
        return;
    ks_secret_wipe(session->password, session->password_size);
    free(session->password);
    session->password = NULL;
}

static void take_new_password(struct chat_session *session, const uint8_t *input, size_t size)
{
    char text[TEXT_SIZE];
    if (ks_groups_create(session->environment->groups, input, size, &session->member, &session->number) !=
        KS_OK) {
        tell_full(session);
        return;
    }
    became_member(session);
    snprintf(text, sizeof text, KS_CHAT_CREATED, session->number, session->number);
    tell(session, text);
    log_event(session, "has created", session->number);
}

/* ---- input ---- */

static void free_part(uint8_t *part)
{
    if (part != NULL)
        ks_secret_wipe(part, PART_LIMIT);
    free(part);
}

static void forget_part(struct chat_session *session)
{
    free_part(session->part);
    session->part = NULL;
    session->part_size = 0;
}

static void take_input(struct chat_session *session, const uint8_t *input, size_t size)
{
    if (size == 0)
        return;
    if (size > PART_LIMIT && session->state != STATE_MEMBER) /* as of a line */
        size = PART_LIMIT - ks_chat_unfinished(input, PART_LIMIT);
    switch ((enum state)session->state) {
    case STATE_MENU:
        take_choice(session, input, size);
        return;
    case STATE_NAME_TO_JOIN:
    case STATE_NAME_TO_CREATE:
        take_name(session, input, size);
        return;
    case STATE_GROUP:
        take_group(session, input, size);
        return;
    case STATE_PASSWORD:
        take_password(session, input, size);
        return;
    case STATE_NEW_PASSWORD:
        take_new_password(session, input, size);
        return;
    case STATE_MEMBER:
        take_words_of_member(session, input, size);
        return;
    case STATE_JUDGING:
    case STATE_ENDING:
        return;
    }
}

/* `part` is full: a member's line is taken in pieces, of a prompt's only the beginning counts. */
static void take_piece_of_line(struct chat_session *session)
{
    size_t piece = session->part_size - ks_chat_unfinished(session->part, session->part_size);
    bool of_member = session->state == STATE_MEMBER;
    if (!session->dropping)
        take_input(session, session->part, piece);
    session->continued = true;
    session->dropping = session->dropping || !of_member;
    session->part_size -= piece;
    memmove(session->part, session->part + piece, session->part_size);
}

/* Keeps bytes that are no input yet; returns how many it took: all, unless `part` became full. */
static size_t keep_part(struct chat_session *session, const uint8_t *bytes, size_t size)
{
    if (session->part == NULL && (session->part = malloc(PART_LIMIT)) == NULL) {
        give_up(session);
        return size;
    }
    size_t room = PART_LIMIT - session->part_size;
    size_t taken = size < room ? size : room;
    memcpy(session->part + session->part_size, bytes, taken);
    session->part_size += taken;
    if (session->part_size == PART_LIMIT)
        take_piece_of_line(session);
    return taken;
}

/* `part` is an input, whole, or the rest of one. */
static void take_part(struct chat_session *session)
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
static void take_chunk(struct chat_session *session, const uint8_t *bytes, size_t size)
{
    struct ks_buffer joined = ks_buffer_empty(0);
    if (session->part_size > 0) { /* the beginning of one came before */
        if (ks_buffer_reserve(&joined, session->part_size + size) != KS_OK || /* at once: it never moves */
            ks_buffer_append(&joined, session->part, session->part_size) != KS_OK ||
            ks_buffer_append(&joined, bytes, size) != KS_OK) {
            ks_buffer_wipe(&joined);
            give_up(session);
            return;
        }
        forget_part(session);
        bytes = joined.bytes;
        size = joined.size;
    }
    size_t unfinished = ks_chat_unfinished(bytes, size);
    take_input(session, bytes, size - unfinished);
    if (unfinished > 0 && session->state != STATE_ENDING)
        keep_part(session, bytes + size - unfinished, unfinished);
    ks_buffer_wipe(&joined);
}

/* One step over the input; returns how much of it was taken, at least one byte. */
static size_t take_step(struct chat_session *session, const uint8_t *bytes, size_t size)
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
    if (!is_whole && line_size > PART_LIMIT - session->part_size)
        return keep_part(session, bytes, line_size); /* not yet all of it */
    if (is_whole && line_size <= PART_LIMIT) {
        take_input(session, bytes, line_size);
    } else if (is_whole) {
        return keep_part(session, bytes, line_size);
    } else {
        if (line_size > 0)
            keep_part(session, bytes, line_size);
        if (session->state != STATE_ENDING)
            take_part(session);
    }
    return taken;
}

/* False while a password waits for its turn, while the group's loops are behind what the member says, and
 * while the answers of menu and prompts are not taken. */
static bool takes_input(struct chat_session *session)
{
    if (session->state == STATE_JUDGING || session->state == STATE_ENDING)
        return false;
    if (session->state == STATE_MEMBER)
        return ks_groups_has_credit(&session->member);
    return !ks_connection_output_is_full(session->member.connection);
}

static void keep_time(struct chat_session *session)
{
    struct ks_connection *connection = session->member.connection;
    if (session->state < STATE_JUDGING) /* people sit at the menu for hours; only prompts end */
        ks_connection_set_deadline(
            connection, session->state == STATE_MENU ? 0 : session->environment->prompt_timeout_ms);
    ks_connection_set_idle(connection, session->state != STATE_JUDGING); /* since just now */
}

static size_t chat_received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct chat_session *session = connection->session;
    size_t used = session->after_cr && bytes[0] == '\n' ? 1 : 0;
    session->after_cr = false;
    if (bytes[size - 1] == '\r' || bytes[size - 1] == '\n')
        session->member.line_mode = true;
    while (used < size && takes_input(session))
        used += take_step(session, bytes + used, size - used);
    if (session->state == STATE_MEMBER)
        say_lines(session);
    if (session->state == STATE_ENDING)
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

static void end_with_input(struct chat_session *session)
{
    if (session->state == STATE_MEMBER)
        say_lines(session);
    leave_group(session);
    if (session->state != STATE_ENDING)
        end_session(session);
}

/* A guess that waits for its turn then is of nobody who could still become a member. */
static void chat_input_ended(struct ks_connection *connection)
{
    struct chat_session *session = connection->session;
    if (session->part_size > 0)
        take_part(session);
    give_turn_back(session);
    end_with_input(session);
}

static void chat_drained(struct ks_connection *connection)
{
    struct chat_session *session = connection->session;
    if (session->member.group != NULL)
        ks_groups_look_at_queue(&session->member);
    else if (session->state != STATE_JUDGING)
        ks_connection_resume(connection);
}

/* The turn of a password has come. */
static void judge_now(struct chat_session *session)
{
    judge_password(session, session->password, session->password_size);
    forget_password(session);
    ks_connection_resume(session->member.connection);
    keep_time(session);
}

static void chat_deadline(struct ks_connection *connection)
{
    struct chat_session *session = connection->session;
    char peer[KS_PEER_TEXT_SIZE];
    if (session->state == STATE_JUDGING) {
        judge_now(session);
        return;
    }
    if (session->state == STATE_MEMBER) {
        ks_groups_look_at_queue(&session->member);
        return;
    }
    ks_connection_describe_peer(connection, peer, sizeof peer);
    ks_log_info(session->environment->log, "%s: chat: closed: no input in time", peer);
    end_session(session);
}

static void chat_closed(struct ks_connection *connection)
{
    struct chat_session *session = connection->session;
    if (session->member.cut_off)
        log_event(session, "does not read what is said, and is cut off from",
                  ks_groups_number(&session->member));
    leave_group(session);
    give_turn_back(session);
    ks_shared_release(session->lines);
    forget_password(session);
    forget_part(session);
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

static bool silent_opened(struct ks_connection *connection, void *service)
{
    const struct ks_chat_environment *environment = service;
    char peer[KS_PEER_TEXT_SIZE];
    connection->session = service;
    ks_connection_describe_peer(connection, peer, sizeof peer);
    ks_log_info(environment->log, "%s: chat: connected", peer);
    ks_connection_write_apart(connection, KS_CHAT_MENU, sizeof KS_CHAT_MENU - 1);
    return true;
}

static size_t silent_received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct chat_session *session = calloc(1, sizeof *session);
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

const struct ks_connection_events ks_chat_events = {
    .opened = silent_opened,
    .received = silent_received,
    .input_ended = silent_input_ended,
    .deadline = silent_deadline,
    .closed = silent_closed,
    .input_is_secret = true,
};
