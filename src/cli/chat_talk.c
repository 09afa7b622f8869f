/* chat_talk.c — see chat_talk.h: one loop over the server, the input and the signals. */
#include "cli/chat_talk.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/chat_show.h"
#include "cli/chat_words.h"
#include "cli/editor.h"
#include "cli/output.h"
#include "cli/stop.h"
#include "cli/terminal.h"
#include "crypto/secret.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define PROMPT "> "

enum {
    LINES_PER_TURN = 500,      /* then it is the input's turn */
    BACKLOG_LIMIT = 64 * 1024, /* then the input waits */
    FAREWELL_MS = 2000,        /* for people who have asked to end */
    SILENCE_MS = 120 * 1000,   /* without progress, after the end of the input */
    GRACE_SECONDS = 3,         /* more than a farewell takes */
    OUTPUT_SIZE = 64 * 1024,
    INPUT_SIZE = 16 * 1024,
    QUESTION_SIZE = 200,
};

struct talk {
    const struct ks_chat_talk *with;
    struct ks_chat_show show;
    bool interactive;
    bool input_open;
    bool output_open;
    bool leaving;
    bool stopping; /* by a signal */
    bool left;     /* the server has said so */
    bool over;
    bool more; /* lines that have come wait for the next turn */
    enum ks_exit status;
    int signal_fd;        /* -1 when there is none */
    uint64_t deadline;    /* for leaving; 0 for none */
    uint64_t patience_ms; /* what any progress sets the deadline to; 0 when it stays */
    size_t backlog;       /* when it was looked at last */
};

static uint64_t now_ms(void)
{
    return ks_clock_monotonic_ms(ks_clock_system());
}

/* ---- ends ---- */

/* Ends with a failure, for which there is one line to say; or, when one leaves anyhow, without. */
static void fail(struct talk *talk, const struct kesher_error *error)
{
    ks_editor_close();
    talk->over = true;
    if (talk->leaving && !talk->patience_ms)
        return;
    talk->status = KS_EXIT_FAILED;
    ks_output_failure(error);
}

/* Leaves after all that was said; progress within `limit_ms` extends that limit when `patient`. */
static void leave(struct talk *talk, uint64_t limit_ms, bool patient)
{
    struct kesher_error error;
    ks_editor_close();
    talk->input_open = false;
    talk->deadline = now_ms() + limit_ms;
    talk->patience_ms = patient ? limit_ms : 0;
    if (!talk->leaving && kesher_chat_leave(talk->with->chat, &error) != KESHER_OK)
        fail(talk, &error);
    talk->leaving = true;
}

static void end_connection(struct talk *talk)
{
    ks_editor_close();
    talk->over = true;
    if (talk->with->menu || talk->left || talk->leaving)
        return;
    ks_output_error("%s closed the connection; its log may tell why", talk->with->address);
    talk->status = KS_EXIT_FAILED;
}

static void close_output(struct talk *talk)
{
    if (!talk->output_open)
        return;
    talk->output_open = false;
    talk->status = KS_EXIT_FAILED;
    ks_output_error("nobody reads the standard output any more");
    leave(talk, FAREWELL_MS, false);
}

static void judge_deadline(struct talk *talk)
{
    uint64_t now = now_ms();
    size_t backlog = kesher_chat_backlog(talk->with->chat);
    if (talk->patience_ms != 0 && backlog != talk->backlog)
        talk->deadline = now + talk->patience_ms;
    talk->backlog = backlog;
    if (talk->deadline == 0 || now < talk->deadline || talk->over)
        return;
    talk->over = true;
    if (talk->patience_ms == 0)
        return;
    ks_output_error("%s has not confirmed the end for %d s; check the network and the server",
                    talk->with->address, SILENCE_MS / 1000);
    talk->status = KS_EXIT_FAILED;
}

/* ---- signals of a terminal ---- */

static void make_signals(sigset_t *signals)
{
    (void)sigemptyset(signals);
    (void)sigaddset(signals, SIGWINCH);
    (void)sigaddset(signals, SIGTSTP);
    (void)sigaddset(signals, SIGCONT);
}

/* They come as input from now on. Without that, typing works all the same. */
static int watch_signals(void)
{
    sigset_t signals;
    make_signals(&signals);
    if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0)
        return -1;
    return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* They do what they always do. */
static void let_signals(void)
{
    sigset_t signals;
    make_signals(&signals);
    (void)pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}

static void hold_signals(void)
{
    sigset_t signals;
    make_signals(&signals);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

/* Stops as a program does that knows nothing of terminals; SIGCONT tells when it goes on. */
static void suspend(void)
{
    sigset_t stop;
    (void)sigemptyset(&stop);
    (void)sigaddset(&stop, SIGTSTP);
    ks_editor_suspend();
    (void)raise(SIGTSTP);
    (void)pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
    (void)pthread_sigmask(SIG_BLOCK, &stop, NULL);
}

static void take_signals(const struct talk *talk)
{
    struct signalfd_siginfo signal;
    while (read(talk->signal_fd, &signal, sizeof signal) == (ssize_t)sizeof signal) {
        if (signal.ssi_signo == SIGWINCH) {
            ks_editor_resize();
        } else if (signal.ssi_signo == SIGTSTP) {
            suspend();
        } else { /* who stopped us by SIGSTOP has changed the terminal behind our back */
            ks_editor_suspend();
            ks_editor_resume();
        }
    }
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
    let_signals();
    bool answered = ks_terminal_ask(question, true, secret, sizeof secret, &size);
    hold_signals();
    ks_editor_resume();
    if (!answered)
        leave(talk, FAREWELL_MS, false);
    else if (kesher_chat_say(talk->with->chat, secret, size, &error) != KESHER_OK)
        fail(talk, &error);
    ks_secret_wipe(secret, sizeof secret);
}

static void take_line(struct talk *talk, const struct kesher_chat_line *line)
{
    talk->left = talk->left || line->kind == KESHER_CHAT_FAREWELL;
    if (talk->patience_ms != 0)
        talk->deadline = now_ms() + talk->patience_ms;
    if (line->kind == KESHER_CHAT_ASKS_PASSWORD && talk->interactive && talk->input_open) {
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
    for (unsigned count = 0; !talk->over && count < LINES_PER_TURN; count++) {
        if (kesher_chat_receive(talk->with->chat, &line, &error) != KESHER_OK)
            fail(talk, &error);
        else if (line.kind == KESHER_CHAT_END)
            end_connection(talk);
        else if (line.kind != KESHER_CHAT_NOTHING)
            take_line(talk, &line);
        if (line.kind == KESHER_CHAT_NOTHING)
            break;
    }
    talk->more = line.kind != KESHER_CHAT_NOTHING;
    ks_editor_show();
    if (talk->output_open && fflush(stdout) != 0)
        close_output(talk);
}

/* ---- what is typed ---- */

static void print_help(void)
{
    for (size_t i = 0; ks_chat_words_help(i) != NULL; i++)
        (void)puts(ks_chat_words_help(i));
}

static void print_unknown(const char *word, size_t size)
{
    char shown[200];
    (void)printf("there is no command /%s; /help lists them\n",
                 ks_text_escape(word, size, shown, sizeof shown));
}

static void say(struct talk *talk, const char *text, size_t size)
{
    struct kesher_error error;
    if (kesher_chat_say(talk->with->chat, text, size, &error) != KESHER_OK)
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
    else if (!talk->with->menu)
        order = ks_chat_words_order(line, size, &said, &said_size);
    switch (order) {
    case KS_CHAT_ORDER_SAY:
        say(talk, said, said_size);
        break;
    case KS_CHAT_ORDER_HELP:
        print_help();
        break;
    case KS_CHAT_ORDER_QUIT:
        leave(talk, FAREWELL_MS, false);
        break;
    case KS_CHAT_ORDER_UNKNOWN:
        print_unknown(said, said_size);
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
    else if (kesher_chat_send(talk->with->chat, piece, (size_t)got, &error) != KESHER_OK)
        fail(talk, &error);
    if (got > 0 && talk->with->menu) /* there may be a password among it */
        ks_secret_wipe(piece, (size_t)got);
}

/* ---- the loop ---- */

enum { SERVER, INPUT, OUTPUT, SIGNALS, WATCHED };

static int wait_limit(const struct talk *talk, int limit)
{
    if (talk->more)
        return 0;
    if (talk->deadline == 0)
        return limit;
    uint64_t now = now_ms();
    int left = now < talk->deadline ? (int)(talk->deadline - now) : 0;
    return limit < 0 || left < limit ? left : limit;
}

static bool wants_input(const struct talk *talk)
{
    return talk->input_open && kesher_chat_backlog(talk->with->chat) < BACKLOG_LIMIT;
}

static void wait_for_something(struct talk *talk)
{
    struct pollfd watched[WATCHED] = {
        [INPUT] = {.fd = wants_input(talk) ? STDIN_FILENO : -1, .events = POLLIN},
        [OUTPUT] = {.fd = talk->output_open ? STDOUT_FILENO : -1}, /* its errors come unasked */
        [SIGNALS] = {.fd = talk->signal_fd, .events = POLLIN},
    };
    int limit = kesher_chat_watch(talk->with->chat, &watched[SERVER]);
    int ready = ks_stop_poll(watched, WATCHED, wait_limit(talk, limit), !talk->stopping);
    if (ks_stop_is_requested() && !talk->stopping) {
        talk->stopping = true;
        leave(talk, FAREWELL_MS, false);
    }
    if (ready > 0 && (watched[OUTPUT].revents & (POLLERR | POLLHUP)) != 0)
        close_output(talk);
    if (ready > 0 && watched[SIGNALS].revents != 0)
        take_signals(talk);
    if (ready > 0 && watched[INPUT].revents != 0 && talk->input_open) {
        if (talk->interactive)
            ks_editor_read();
        else
            take_piped(talk);
    }
    judge_deadline(talk);
}

static void run(struct talk *talk)
{
    while (!talk->over) {
        hear(talk);
        if (!talk->over)
            wait_for_something(talk);
    }
}

static void run_on_terminal(struct talk *talk)
{
    talk->signal_fd = watch_signals();
    if (!talk->with->menu)
        (void)puts("/help lists the commands, /quit leaves");
    ks_editor_open(PROMPT, take_typed, talk);
    run(talk);
    ks_editor_close();
    let_signals();
    if (talk->signal_fd >= 0)
        close(talk->signal_fd);
}

enum ks_exit ks_chat_talk(const struct ks_chat_talk *with)
{
    bool interactive = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 && !with->json;
    struct talk talk = {
        .with = with,
        .show = {.json = with->json, .screen = interactive},
        .interactive = interactive,
        .input_open = true,
        .output_open = true,
        .status = KS_EXIT_DONE,
        .signal_fd = -1,
    };
    talk.show.colours = interactive && ks_chat_show_has_colours();
    if (!ks_stop_prepare(GRACE_SECONDS))
        return KS_EXIT_FAILED;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setvbuf(stdout, NULL, _IOFBF, OUTPUT_SIZE); /* flushed whenever there is nothing more to print */
    if (interactive)
        run_on_terminal(&talk);
    else
        run(&talk);
    return talk.status;
}
