/* chat.c — see <kesher/chat.h>: the connection, and what goes over it; nothing here waits.
 *
 * Lines that are to go out stand in one queue, each with its LF. In line mode the queue goes out as it is; in
 * chunk mode line by line, without LF. Before one is a member, a line waits until the one before it is
 * answered, as long as it may be that the server is of the kind that takes two for one. A member's line stays
 * in the queue until its end has gone out: should the connection be lost before, all of it goes out over
 * another.
 */
#include "client/chat/chat_internal.h"

#include "base/address.h"
#include "base/clock.h"
#include "base/text.h"
#include "client/failure.h"
#include "client/transport/client_session.h"
#include "client/transport/dial.h"
#include "wire/chat_codec.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DEFAULT_PORT "5555"

enum {
    QUEUE_ROOM = 128 * 1024, /* taken at once: a queue that grows leaves copies of passwords behind */
    PAUSE_MS = 50,           /* between two messages in chunk mode, or TCP joins them */
    FIRST_PAUSE_MS = 200,    /* before the first: the oldest server sleeps 100 ms before it reads on */
    ALIVE_IDLE_S = 60,
    ALIVE_INTERVAL_S = 20,
    ALIVE_PROBES = 5,
};

static uint64_t now_ms(void)
{
    return ks_clock_monotonic_ms(ks_clock_system());
}

/* ---- opening and closing ---- */

void ks_chat_keep_alive(const struct kesher_chat *chat)
{
    int fd = ks_carrier_descriptor(chat->carrier);
    static const struct {
        int level;
        int name;
        int value;
    } settings[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, ALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, ALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, ALIVE_PROBES},
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        (void)setsockopt(fd, settings[i].level, settings[i].name, &settings[i].value, sizeof(int));
}

static enum kesher_status dial(struct kesher_chat *chat, struct kesher_error *error)
{
    int fd = -1;
    enum kesher_status status = ks_dial(chat->address, chat->options.connect_ms, &fd, error);
    if (status == KESHER_OK)
        status = ks_carrier_new(fd, &chat->carrier, error);
    if (status == KESHER_OK)
        ks_chat_keep_alive(chat);
    return status;
}

static enum kesher_status take_address(struct kesher_chat *chat, const char *address,
                                       struct kesher_error *error)
{
    struct ks_address parsed;
    size_t size = strlen(address);
    ks_text_escape(address, size, chat->shown, sizeof chat->shown);
    if (ks_address_parse_for(address, size, DEFAULT_PORT, &parsed) != KS_OK)
        return ks_failure(error, KESHER_INVALID,
                          "'%s' is no server address; give it as address:port, such as 127.0.0.1:5555",
                          chat->shown);
    ks_address_format(&parsed, chat->address, sizeof chat->address);
    ks_text_escape(chat->address, strlen(chat->address), chat->shown, sizeof chat->shown);
    return KESHER_OK;
}

struct kesher_chat *ks_chat_new(const struct kesher_options *options)
{
    struct kesher_chat *created = malloc(sizeof *created);
    if (created == NULL)
        return NULL;
    *created = (struct kesher_chat){.options = ks_client_session_limits(options)};
    created->queue = ks_buffer_empty(0);
    ks_chat_reader_init(&created->reader, false);
    if (ks_buffer_reserve(&created->queue, QUEUE_ROOM) != KS_OK) {
        kesher_chat_close(created);
        return NULL;
    }
    return created;
}

enum kesher_status kesher_chat_open(const char *address, const struct kesher_options *options,
                                    struct kesher_chat **chat, struct kesher_error *error)
{
    struct kesher_chat *opened = ks_chat_new(options);
    if (opened == NULL)
        return ks_failure_no_memory(error);
    enum kesher_status status = take_address(opened, address, error);
    if (status == KESHER_OK)
        status = dial(opened, error);
    if (status != KESHER_OK) {
        kesher_chat_close(opened);
        return status;
    }
    *chat = opened;
    return KESHER_OK;
}

const char *kesher_chat_proposed_name(const struct kesher_chat *chat)
{
    return chat->proposed_name;
}

void kesher_chat_close(struct kesher_chat *chat)
{
    if (chat == NULL)
        return;
    ks_carrier_free(chat->carrier);
    ks_buffer_wipe(&chat->queue);
    free(chat);
}

enum kesher_status ks_chat_fail_lost(const struct kesher_chat *chat, int error_number,
                                     struct kesher_error *error)
{
    return ks_carrier_failure(chat->carrier, error_number, chat->shown, error);
}

/* ---- out ---- */

/* What of the queue can go out in one send, and how much of the queue is done with by that. */
struct chat_piece {
    size_t size;
    size_t taken;
    bool ends_line;
};

size_t kesher_chat_backlog(const struct kesher_chat *chat)
{
    return chat->queue.size - chat->sent;
}

static bool waits_for_answer(const struct kesher_chat *chat)
{
    return !chat->reader.member && (chat->reader.chunk_mode || !chat->mode_is_known) && !chat->answered;
}

/* In chunk mode a line without its end, and no more than a server of this kind reads at once. */
static struct chat_piece next_chunk(const struct kesher_chat *chat, size_t line_size, bool ends_line)
{
    const uint8_t *line = chat->queue.bytes + chat->sent;
    size_t size = ends_line ? line_size - 1 : line_size;
    if (!ends_line && size <= KS_CHAT_SEND_LIMIT)
        return (struct chat_piece){.size = 0};
    if (ends_line && size > 0 && line[size - 1] == '\r')
        size--;
    if (size > KS_CHAT_SEND_LIMIT) {
        size = ks_text_cut(line, size, KS_CHAT_SEND_LIMIT);
        return (struct chat_piece){.size = size, .taken = size};
    }
    return (struct chat_piece){.size = size, .taken = line_size, .ends_line = true};
}

/* The piece that may go out now; an empty one (taken is 0) when there is none. */
static struct chat_piece next_piece(const struct kesher_chat *chat)
{
    size_t size = kesher_chat_backlog(chat);
    const struct chat_piece nothing = {.size = 0};
    if (size == 0 || chat->output_ended || waits_for_answer(chat))
        return nothing;
    if (!chat->reader.chunk_mode && chat->mode_is_known)
        return (struct chat_piece){.size = size, .taken = size};
    const uint8_t *waiting = chat->queue.bytes + chat->sent;
    const uint8_t *newline = memchr(waiting, '\n', size);
    size_t line_size = newline == NULL ? size : (size_t)(newline - waiting) + 1;
    if (chat->reader.chunk_mode)
        return next_chunk(chat, line_size, newline != NULL);
    return newline == NULL ? nothing
                           : (struct chat_piece){.size = line_size, .taken = line_size, .ends_line = true};
}

/* How long the next piece has to wait for the one before it to have gone alone. */
static uint64_t pause_left(const struct kesher_chat *chat)
{
    uint64_t now = now_ms();
    return chat->reader.chunk_mode && chat->reader.member && now < chat->due_ms ? chat->due_ms - now : 0;
}

static bool is_choice(const struct kesher_chat *chat, const struct chat_piece *piece)
{
    const uint8_t *line = chat->queue.bytes;
    return piece->ends_line && !chat->mode_is_known && piece->taken == 2 && line[0] >= '1' && line[0] <= '3';
}

/* A line went out before one was a member. */
static void note_input(struct kesher_chat *chat, const struct chat_piece *piece)
{
    if (!piece->ends_line || chat->reader.member || piece->size == 0)
        return;
    chat->choice = is_choice(chat, piece) ? (char)chat->queue.bytes[0] : '\0';
    chat->answered = false;
}

/* How much of what has gone out need not be kept: whole lines, and lines that are longer than a message,
 * which servers cut anyhow. Before one is a member, all of it: a password may be among it. */
static size_t size_done_with(const struct kesher_chat *chat)
{
    if (!chat->reader.member)
        return chat->sent;
    const uint8_t *newline = memrchr(chat->queue.bytes, '\n', chat->sent);
    size_t whole = newline == NULL ? 0 : (size_t)(newline - chat->queue.bytes) + 1;
    return chat->sent - whole > KS_CHAT_MESSAGE_LIMIT ? chat->sent : whole;
}

static void note_sent(struct kesher_chat *chat, size_t size)
{
    chat->sent += size;
    size_t done = size_done_with(chat);
    ks_buffer_drop_front(&chat->queue, done);
    chat->sent -= done;
    if (!chat->reader.member)
        explicit_bzero(chat->queue.bytes + chat->queue.size, chat->queue.capacity - chat->queue.size);
}

/* Sends one piece. False when nothing can be sent for now. */
static bool send_piece(struct kesher_chat *chat)
{
    struct chat_piece piece = next_piece(chat);
    if (piece.taken == 0 || pause_left(chat) > 0)
        return false;
    ssize_t sent = 0;
    if (piece.size > 0)
        sent = ks_carrier_send(chat->carrier, chat->queue.bytes + chat->sent, piece.size, false);
    if (sent < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            chat->output_errno = errno;
            chat->output_ended = true;
        }
        return false;
    }
    if (piece.size > 0)
        chat->due_ms = now_ms() + PAUSE_MS;
    if ((size_t)sent < piece.size) {
        note_sent(chat, (size_t)sent);
        return false;
    }
    note_input(chat, &piece);
    note_sent(chat, piece.taken);
    return true;
}

static enum kesher_status queue_line(struct kesher_chat *chat, const char *line, struct kesher_error *error)
{
    if (ks_buffer_append(&chat->queue, line, strlen(line)) != KS_OK)
        return ks_failure_no_memory(error);
    return KESHER_OK;
}

/* Once everything has gone out and is answered: a member says Exit, anybody else ends his input. */
static enum kesher_status finish_output(struct kesher_chat *chat, struct kesher_error *error)
{
    if (!chat->leaving || chat->output_ended || kesher_chat_backlog(chat) > 0 || waits_for_answer(chat))
        return KESHER_OK;
    if (!chat->reader.member) {
        chat->output_ended = true;
        ks_carrier_end(chat->carrier);
        return KESHER_OK;
    }
    chat->leaving = false;
    chat->says_exit = true;
    return queue_line(chat, KS_CHAT_LEAVE "\n", error);
}

static enum kesher_status send_waiting(struct kesher_chat *chat, struct kesher_error *error)
{
    if (chat->ended)
        return KESHER_OK;
    do {
        enum kesher_status status = finish_output(chat, error);
        if (status != KESHER_OK)
            return status;
    } while (send_piece(chat));
    return KESHER_OK;
}

enum kesher_status kesher_chat_send(struct kesher_chat *chat, const void *bytes, size_t size,
                                    struct kesher_error *error)
{
    if (size == 0)
        return KESHER_OK;
    if (ks_buffer_append(&chat->queue, bytes, size) != KS_OK)
        return ks_failure_no_memory(error);
    chat->mid_line = ((const char *)bytes)[size - 1] != '\n';
    return send_waiting(chat, error);
}

enum kesher_status kesher_chat_say(struct kesher_chat *chat, const void *text, size_t size,
                                   struct kesher_error *error)
{
    if (ks_buffer_reserve(&chat->queue, size + 1) != KS_OK)
        return ks_failure_no_memory(error);
    if (size > 0)
        memcpy(chat->queue.bytes + chat->queue.size, text, size);
    chat->queue.size += size;
    return kesher_chat_send(chat, "\n", 1, error); /* there are servers that read only once */
}

enum kesher_status kesher_chat_leave(struct kesher_chat *chat, struct kesher_error *error)
{
    enum kesher_status status = chat->mid_line ? queue_line(chat, "\n", error) : KESHER_OK;
    if (status != KESHER_OK)
        return status;
    chat->mid_line = false;
    chat->leaving = true;
    return send_waiting(chat, error);
}

size_t kesher_chat_unsent(const struct kesher_chat *chat)
{
    size_t lines = 0;
    size_t size = chat->says_exit ? 0 : chat->queue.size; /* it stands there alone */
    for (size_t i = 0; i < size; i++)
        lines += chat->queue.bytes[i] == '\n' || i + 1 == size ? 1 : 0;
    return lines;
}

enum kesher_status kesher_chat_take_over(struct kesher_chat *chat, struct kesher_chat *lost,
                                         struct kesher_error *error)
{
    if (!lost->says_exit && ks_buffer_append(&chat->queue, lost->queue.bytes, lost->queue.size) != KS_OK)
        return ks_failure_no_memory(error);
    chat->mid_line = lost->mid_line;
    chat->leaving = lost->leaving || lost->says_exit;
    return send_waiting(chat, error);
}

/* ---- in ---- */

/* The server wants its input without newlines. */
static enum kesher_status connect_anew(struct kesher_chat *chat, struct kesher_error *error)
{
    char choice[] = {chat->choice, '\n'};
    ks_carrier_free(chat->carrier);
    chat->carrier = NULL;
    if (ks_buffer_reserve(&chat->queue, sizeof choice) != KS_OK)
        return ks_failure_no_memory(error);
    memmove(chat->queue.bytes + sizeof choice, chat->queue.bytes, chat->queue.size);
    memcpy(chat->queue.bytes, choice, sizeof choice);
    chat->queue.size += sizeof choice;
    chat->choice = '\0'; /* it is answered: what is called invalid before it is said again is no reason */
    chat->mode_is_known = true;
    chat->answered = false;
    chat->skip_menu = true;
    chat->output_ended = false;
    chat->output_errno = 0;
    ks_chat_reader_init(&chat->reader, true);
    return dial(chat, error);
}

/* Draws the conclusions from what was said. *any is false when nobody else needs to hear of it. */
static enum kesher_status react(struct kesher_chat *chat, const struct ks_chat_said *said, bool *any,
                                struct kesher_error *error)
{
    if (said->kind == KS_CHAT_TEXT_INVALID_OPTION && chat->choice != '\0') {
        *any = false;
        return connect_anew(chat, error);
    }
    /* A prompt follows these two. */
    if (said->kind != KS_CHAT_TEXT_NO_GROUP && said->kind != KS_CHAT_TEXT_WRONG_PASSWORD)
        chat->answered = true;
    if (said->kind == KS_CHAT_TEXT_JOINED || said->kind == KS_CHAT_TEXT_CREATED)
        chat->due_ms = now_ms() + FIRST_PAUSE_MS;
    if (chat->choice != '\0')
        chat->mode_is_known = true;
    chat->choice = '\0';
    *any = said->kind != KS_CHAT_TEXT_MENU || !chat->skip_menu;
    chat->skip_menu = chat->skip_menu && *any;
    if (said->kind == KS_CHAT_TEXT_LEFT || said->kind == KS_CHAT_TEXT_EXIT)
        chat->ended = true; /* servers of the oldest kind forget to close */
    return KESHER_OK;
}

/* Reads once. KESHER_OK with *got false when there is nothing to read. */
static enum kesher_status take_in(struct kesher_chat *chat, bool *got, struct kesher_error *error)
{
    size_t room = 0;
    uint8_t *bytes = ks_chat_reader_room(&chat->reader, &room);
    ssize_t size = ks_carrier_receive(chat->carrier, bytes, room);
    *got = size >= 0;
    if (size < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        return ks_chat_fail_lost(chat, chat->output_errno != 0 ? chat->output_errno : errno, error);
    if (size > 0)
        ks_chat_reader_add(&chat->reader, (size_t)size);
    if (size == 0)
        ks_chat_reader_end(&chat->reader);
    return KESHER_OK;
}

enum kesher_status ks_chat_next(struct kesher_chat *chat, struct ks_chat_said *said, bool *any,
                                struct kesher_error *error)
{
    enum kesher_status status = KESHER_OK;
    bool got = true;
    *any = false;
    while (status == KESHER_OK && !*any && got && !chat->ended) {
        if (ks_chat_reader_next(&chat->reader, said)) {
            *any = true;
            status = react(chat, said, any, error);
        } else if (chat->reader.ended) {
            chat->ended = true;
        } else {
            status = send_waiting(chat, error);
            if (status == KESHER_OK)
                status = take_in(chat, &got, error);
        }
    }
    return status;
}

static enum kesher_chat_kind kind_of(enum ks_chat_text text)
{
    switch (text) {
    case KS_CHAT_TEXT_MESSAGE:
        return KESHER_CHAT_MESSAGE;
    case KS_CHAT_TEXT_HAS_LEFT:
        return KESHER_CHAT_HAS_LEFT;
    case KS_CHAT_TEXT_LEFT:
    case KS_CHAT_TEXT_EXIT:
        return KESHER_CHAT_FAREWELL;
    case KS_CHAT_TEXT_ASK_PASSWORD:
    case KS_CHAT_TEXT_ASK_NEW_PASSWORD:
        return KESHER_CHAT_ASKS_PASSWORD;
    default:
        return KESHER_CHAT_TEXT;
    }
}

enum kesher_status kesher_chat_receive(struct kesher_chat *chat, struct kesher_chat_line *line,
                                       struct kesher_error *error)
{
    struct ks_chat_said said;
    bool any = false;
    *line = (struct kesher_chat_line){.kind = chat->ended ? KESHER_CHAT_END : KESHER_CHAT_NOTHING};
    enum kesher_status status = ks_chat_next(chat, &said, &any, error);
    if (status != KESHER_OK) {
        chat->ended = true;
        return status;
    }
    if (!any && chat->ended)
        line->kind = KESHER_CHAT_END;
    if (any)
        *line = (struct kesher_chat_line){
            .kind = kind_of(said.kind),
            .name = (const char *)said.name,
            .name_size = said.name_size,
            .text = (const char *)said.text,
            .text_size = said.size,
            .unfinished = said.unfinished,
        };
    return KESHER_OK;
}

int kesher_chat_watch(const struct kesher_chat *chat, struct pollfd *watched)
{
    int fd = chat->carrier != NULL ? ks_carrier_descriptor(chat->carrier) : -1;
    *watched = (struct pollfd){.fd = fd, .events = POLLIN};
    if (chat->ended || chat->carrier == NULL || ks_carrier_has_pending(chat->carrier))
        return 0;
    watched->events = ks_carrier_events(chat->carrier, POLLIN);
    if (next_piece(chat).taken == 0)
        return -1;
    uint64_t pause = pause_left(chat);
    if (pause == 0)
        watched->events = POLLIN | POLLOUT;
    return pause == 0 ? -1 : (int)pause;
}
