/* chat_talk.c — see chat_talk.h: one loop over the server, the input and the signals, and over the times at
 * which something is due. */
#include "cli/chat/chat_talk.h"

#include "base/clock.h"
#include "base/retry.h"
#include "base/text.h"
#include "cli/chat/chat_commands.h"
#include "cli/chat/chat_show.h"
#include "cli/chat/chat_signals.h"
#include "cli/terminal/editor.h"
#include "cli/terminal/output.h"
#include "cli/terminal/stop.h"
#include "cli/terminal/terminal.h"
#include "crypto/secret.h"
#include "wire/chat_codec.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROMPT "> "

enum {
    LINES_PER_TURN = 500,      /* then it is the input's turn */
    BACKLOG_LIMIT = 64 * 1024, /* then the input waits */
    FAREWELL_MS = 2000,        /* for people who have asked to end */
    SILENCE_MS = 120 * 1000,   /* without progress, after the end of the input */
    GRACE_SECONDS = 3,         /* more than a farewell takes */
    PASSWORD_MS = 10 * 1000,   /* in which a password is answered */
    LASTING_MS = 60 * 1000,    /* a connection that holds so long was no mistake */
    OUTPUT_SIZE = 64 * 1024,
    INPUT_SIZE = 16 * 1024,
    QUESTION_SIZE = 200,
};

struct talk {
    const struct ks_chat_talk *with;
    struct kesher_chat *chat;
    struct ks_chat_show show;
    bool interactive;
    bool input_open;
    bool output_open;
    bool leaving;
    bool stopping; /* by a signal */
    bool forgives; /* it was a way to leave */
    bool left;     /* the server has said so */
    bool lost;     /* the connection; what is said waits in `chat` until there is another */
    bool asked;    /* for a password, last */
    bool over;
    bool more; /* lines that have come wait for the next turn */
    enum ks_exit status;
    int signal_fd;        /* -1 when there is none */
    uint64_t deadline;    /* for leaving; 0 for none */
    uint64_t patience_ms; /* what any progress sets the deadline to; 0 when it stays */
    size_t backlog;       /* when it was looked at last */
    uint64_t answer_due;  /* to a password; 0 for none */
    uint64_t joined_ms;   /* since when there is this connection */
    struct ks_retry retry;
};

static uint64_t now_ms(void)
{
    return ks_clock_monotonic_ms(ks_clock_system());
}

/* ---- to whoever runs it ---- */

/* On stderr, above the line that is typed. */
static void tell(const char *text)
{
    ks_editor_hide();
    (void)fflush(stdout);
    ks_output_notice("%s", text);
    ks_editor_show();
}

static void tell_error(const struct kesher_error *error)
{
    ks_editor_hide();
    (void)fflush(stdout);
    ks_output_failure(error);
    ks_editor_show();
}

/* A failure, and what it means for what was said. */
static void tell_failure(const struct talk *talk, enum kesher_status status, const char *sentence)
{
    size_t unsent = talk->with->seat != NULL ? kesher_chat_unsent(talk->chat) : 0;
    if (unsent == 0)
        ks_output_failed(status, "%s", sentence);
    else
        ks_output_failed(status, "%s (lines that were not sent: %zu)", sentence, unsent);
}

/* ---- ends ---- */

/* Ends with a failure, for which there is one line to say; or, when one leaves anyhow, without. */
static void fail(struct talk *talk, const struct kesher_error *error)
{
    ks_editor_abandon();
    talk->over = true;
    if (talk->leaving && !talk->patience_ms)
        return;
    talk->status = KS_EXIT_FAILED;
    tell_failure(talk, error->status, error->sentence);
}

/* Leaves, or ends its input, without a connection: only the end of a pipe waits for one, to send the rest. */
static void leave_lost(struct talk *talk)
{
    bool any_unsent = kesher_chat_unsent(talk->chat) > 0;
    talk->over = talk->patience_ms == 0 || !any_unsent;
    if (!talk->over || !any_unsent)
        return;
    tell_failure(talk, KESHER_CONNECTION, "left without a connection");
    if (!talk->stopping)
        talk->status = KS_EXIT_FAILED;
}

/* Leaves after all that was said; progress within `limit_ms` extends that limit when `patient`. */
static void leave(struct talk *talk, uint64_t limit_ms, bool patient)
{
    struct kesher_error error;
    ks_editor_close();
    talk->input_open = false;
    talk->deadline = now_ms() + limit_ms;
    talk->patience_ms = patient ? limit_ms : 0;
    if (!talk->leaving && kesher_chat_leave(talk->chat, &error) != KESHER_OK)
        fail(talk, &error);
    talk->leaving = true;
    if (talk->lost)
        leave_lost(talk);
}

/* Whether there is something to return for. */
static bool returns(const struct talk *talk)
{
    if (talk->with->seat == NULL || talk->left)
        return false;
    return !talk->leaving || (talk->patience_ms != 0 && kesher_chat_unsent(talk->chat) > 0);
}

/* The connection is gone, and another one is to take its place. A server that takes us in and throws us out
 * again is not asked faster than one that does not answer. */
static void lose(struct talk *talk, const char *sentence)
{
    struct kesher_error loss = {.status = KESHER_CONNECTION};
    uint64_t now = now_ms();
    if (now - talk->joined_ms > LASTING_MS)
        ks_retry_note(&talk->retry, now, false);
    ks_retry_note(&talk->retry, now, true);
    talk->lost = true;
    (void)snprintf(loss.sentence, sizeof loss.sentence, "%.700s; connecting again, Ctrl-C ends", sentence);
    tell_error(&loss);
}

static void end_connection(struct talk *talk)
{
    char sentence[KESHER_SENTENCE_SIZE];
    (void)snprintf(sentence, sizeof sentence, "%s closed the connection", talk->with->address);
    if (returns(talk)) {
        lose(talk, sentence);
        return;
    }
    ks_editor_close();
    talk->over = true;
}

static void break_connection(struct talk *talk, const struct kesher_error *error)
{
    if (error->status == KESHER_CONNECTION && returns(talk))
        lose(talk, error->sentence);
    else
        fail(talk, error);
}

static void try_to_return(struct talk *talk)
{
    char line[100];
    struct kesher_error error;
    if (!ks_retry_is_due(&talk->retry, now_ms()))
        return;
    switch (ks_chat_return(talk->with->seat, &talk->chat, &error)) {
    case KS_CHAT_BACK:
        talk->lost = false;
        talk->joined_ms = now_ms();
        (void)snprintf(line, sizeof line, "joined group %u again; lines may be missing or doubled",
                       talk->with->seat->group);
        tell(line);
        break;
    case KS_CHAT_NOT_YET:
        ks_retry_note(&talk->retry, now_ms(), true);
        break;
    case KS_CHAT_NEVER:
        fail(talk, &error);
        break;
    }
}

/* Why was said. */
static void close_output(struct talk *talk)
{
    talk->output_open = false;
    talk->status = KS_EXIT_FAILED;
    leave(talk, FAREWELL_MS, false);
}

static void judge_deadline(struct talk *talk)
{
    char sentence[KESHER_SENTENCE_SIZE];
    uint64_t now = now_ms();
    size_t backlog = kesher_chat_backlog(talk->chat);
    if (talk->patience_ms != 0 && backlog != talk->backlog)
        talk->deadline = now + talk->patience_ms;
    talk->backlog = backlog;
    if (talk->deadline == 0 || now < talk->deadline || talk->over)
        return;
    talk->over = true;
    if (talk->patience_ms == 0)
        return;
    (void)snprintf(sentence, sizeof sentence,
                   "%s has not confirmed the end for %d s; check the network and the server",
                   talk->with->address, SILENCE_MS / 1000);
    tell_failure(talk, KESHER_TIMEOUT, sentence);
    talk->status = KS_EXIT_FAILED;
}

/* There are servers that end a conversation so, and forget to close. */
static void judge_silence(struct talk *talk)
{
    struct kesher_error silence = {.status = KESHER_TIMEOUT};
    if (talk->answer_due == 0 || now_ms() < talk->answer_due || talk->over)
        return;
    talk->answer_due = 0;
    (void)snprintf(silence.sentence, sizeof silence.sentence,
                   "%s has not answered the password for %d s; old servers take one of digits only: leave "
                   "with Ctrl-C and begin again",
                   talk->with->address, PASSWORD_MS / 1000);
    tell_error(&silence);
}

/* ---- what comes ---- */

/* What the server asks for is typed without being seen: from before the question is on the screen, since some
 * type fast. */
static void answer_secretly(struct talk *talk, const struct kesher_chat_line *line)
{
    char question[QUESTION_SIZE + 1];
    char secret[KESHER_CHAT_INPUT_LIMIT + 1];
    size_t size = 0;
    struct kesher_error error;
    ks_text_escape(line->text, ks_chat_show_size(line), question, QUESTION_SIZE);
    memcpy(question + strlen(question), " ", 2);
    (void)fflush(stdout);
    ks_editor_suspend();
    ks_chat_signals_let();
    bool answered = ks_terminal_ask(question, true, secret, sizeof secret, &size);
    ks_chat_signals_hold();
    ks_editor_resume();
    talk->answer_due = now_ms() + PASSWORD_MS;
    if (!answered)
        leave(talk, FAREWELL_MS, false);
    else if (kesher_chat_say(talk->chat, secret, size, &error) != KESHER_OK)
        fail(talk, &error);
    ks_secret_wipe(secret, sizeof secret);
}

static void take_line(struct talk *talk, const struct kesher_chat_line *line)
{
    talk->left = talk->left || line->kind == KESHER_CHAT_FAREWELL;
    talk->asked = line->kind == KESHER_CHAT_ASKS_PASSWORD;
    /* In a pipe the password may have come before the question. */
    bool given = talk->asked && (!talk->input_open || kesher_chat_backlog(talk->chat) > 0);
    talk->answer_due = given ? now_ms() + PASSWORD_MS : 0;
    if (talk->patience_ms != 0)
        talk->deadline = now_ms() + talk->patience_ms;
    if (talk->asked && talk->interactive && talk->input_open) {
        answer_secretly(talk, line);
    } else if (talk->output_open) {
        ks_editor_hide();
        ks_chat_show_line(&talk->show, line);
    }
}

/* What has come, and not more of it than leaves the input its turn. */
static void hear(struct talk *talk)
{
    struct kesher_chat_line line = {.kind = KESHER_CHAT_MESSAGE};
    struct kesher_error error;
    for (unsigned count = 0; !talk->over && !talk->lost && count < LINES_PER_TURN; count++) {
        if (kesher_chat_receive(talk->chat, &line, &error) != KESHER_OK)
            break_connection(talk, &error);
        else if (line.kind == KESHER_CHAT_END)
            end_connection(talk);
        else if (line.kind != KESHER_CHAT_NOTHING)
            take_line(talk, &line);
        if (line.kind == KESHER_CHAT_NOTHING)
            break;
    }
    talk->more = line.kind != KESHER_CHAT_NOTHING && !talk->lost;
    ks_editor_show();
    if (talk->output_open && !ks_output_flush())
        close_output(talk);
}

/* ---- what is typed ---- */

static void say(struct talk *talk, const char *text, size_t size)
{
    struct kesher_error error;
    if (kesher_chat_say(talk->chat, text, size, &error) != KESHER_OK)
        fail(talk, &error);
}

/* The editor's: a line, or the end of the input. */
static void take_typed(void *context, const char *line, size_t size)
{
    struct talk *talk = context;
    const char *said = line;
    size_t said_size = size;
    enum ks_chat_order order = KS_CHAT_ORDER_SAY;
    if (line == NULL)
        order = KS_CHAT_ORDER_QUIT;
    else if (talk->with->seat != NULL)
        order = ks_chat_commands_order(line, size, &said, &said_size);
    switch (order) {
    case KS_CHAT_ORDER_SAY:
        say(talk, said, said_size);
        break;
    case KS_CHAT_ORDER_HELP:
        ks_chat_show_help();
        break;
    case KS_CHAT_ORDER_QUIT:
        leave(talk, FAREWELL_MS, false);
        break;
    case KS_CHAT_ORDER_WHO:
        if (talk->with->seat->account != NULL)
            say(talk, KS_CHAT_ASK_WHO, strlen(KS_CHAT_ASK_WHO));
        else
            ks_output_notice("a classic server does not tell who is in a group");
        break;
    case KS_CHAT_ORDER_UNKNOWN:
        ks_chat_show_unknown(said, said_size);
        break;
    }
}

/* A pipe's bytes go on as they are: they are lines already. */
static void take_piped(struct talk *talk)
{
    uint8_t piece[INPUT_SIZE];
    struct kesher_error error;
    ssize_t got = read(STDIN_FILENO, piece, sizeof piece);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0)
        leave(talk, SILENCE_MS, true);
    else if (kesher_chat_send(talk->chat, piece, (size_t)got, &error) != KESHER_OK)
        fail(talk, &error);
    if (got > 0 && talk->asked)
        talk->answer_due = now_ms() + PASSWORD_MS;
    if (got > 0 && talk->with->seat == NULL) /* there may be a password among it */
        ks_secret_wipe(piece, (size_t)got);
}

/* ---- the loop ---- */

enum { SERVER, INPUT, OUTPUT, SIGNALS, WATCHED };

/* The less of a limit, of which -1 is none, and of what is left until then; 0 is never. */
static int sooner(int limit, uint64_t at)
{
    if (at == 0)
        return limit;
    uint64_t now = now_ms();
    int left = now < at ? (int)(at - now) : 0;
    return limit < 0 || left < limit ? left : limit;
}

static int wait_limit(const struct talk *talk, int limit)
{
    if (talk->more)
        return 0;
    limit = sooner(limit, talk->lost ? talk->retry.at_ms : 0);
    return sooner(sooner(limit, talk->answer_due), talk->deadline);
}

/* poll(2)'s. No server: what is closed would be ready all the time. */
static int watch_server(const struct talk *talk, struct pollfd *watched)
{
    if (!talk->lost)
        return kesher_chat_watch(talk->chat, watched);
    watched->fd = -1;
    return -1;
}

static bool wants_input(const struct talk *talk)
{
    return talk->input_open && kesher_chat_backlog(talk->chat) < BACKLOG_LIMIT;
}

/* Ctrl-C is a way to leave, for whoever sits at a terminal and is in a group. */
static void stop(struct talk *talk)
{
    talk->stopping = true;
    talk->forgives = talk->interactive && !talk->lost && ks_stop_signal() == SIGINT;
    leave(talk, FAREWELL_MS, false);
}

static void wait_for_something(struct talk *talk)
{
    struct pollfd watched[WATCHED] = {
        [INPUT] = {.fd = wants_input(talk) ? STDIN_FILENO : -1, .events = POLLIN},
        [OUTPUT] = {.fd = talk->output_open ? STDOUT_FILENO : -1}, /* its errors come unasked */
        [SIGNALS] = {.fd = talk->signal_fd, .events = POLLIN},
    };
    int limit = watch_server(talk, &watched[SERVER]);
    int ready = ks_stop_poll(watched, WATCHED, wait_limit(talk, limit), !talk->stopping);
    if (ks_stop_is_requested() && !talk->stopping)
        stop(talk);
    if (ready > 0 && talk->output_open && (watched[OUTPUT].revents & (POLLERR | POLLHUP)) != 0) {
        ks_output_error("nobody reads the standard output any more");
        close_output(talk);
    }
    if (ready > 0 && watched[SIGNALS].revents != 0)
        ks_chat_signals_take(talk->signal_fd);
    if (ready > 0 && watched[INPUT].revents != 0 && talk->input_open) {
        if (talk->interactive)
            ks_editor_read();
        else
            take_piped(talk);
    }
    judge_deadline(talk);
    judge_silence(talk);
}

static void run(struct talk *talk)
{
    while (!talk->over) {
        if (talk->lost)
            try_to_return(talk);
        else
            hear(talk);
        if (!talk->over)
            wait_for_something(talk);
    }
}

static void run_on_terminal(struct talk *talk)
{
    talk->signal_fd = ks_chat_signals_watch();
    if (talk->with->seat != NULL)
        (void)puts("/help lists the commands, /quit leaves");
    ks_editor_open(PROMPT, take_typed, talk);
    run(talk);
    ks_editor_close();
    ks_chat_signals_let();
    if (talk->signal_fd >= 0)
        close(talk->signal_fd);
}

static void talk_to_the_end(struct talk *talk)
{
    if (!ks_stop_prepare(GRACE_SECONDS)) {
        talk->status = KS_EXIT_FAILED;
        return;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setvbuf(stdout, NULL, _IOFBF, OUTPUT_SIZE); /* flushed whenever there is nothing more to print */
    if (talk->interactive)
        run_on_terminal(talk);
    else
        run(talk);
    if (talk->forgives)
        ks_stop_forgive();
}

enum ks_exit ks_chat_talk(const struct ks_chat_talk *with)
{
    bool interactive = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 && !with->json;
    struct talk talk = {
        .with = with,
        .chat = with->chat,
        .show = {.json = with->json, .screen = interactive},
        .interactive = interactive,
        .input_open = true,
        .output_open = true,
        .status = KS_EXIT_DONE,
        .signal_fd = -1,
        .joined_ms = now_ms(),
    };
    talk.show.colours = interactive && ks_chat_show_has_colours();
    talk_to_the_end(&talk);
    kesher_chat_close(talk.chat);
    return talk.status;
}
