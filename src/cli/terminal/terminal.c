/* terminal.c — see terminal.h. */
#include "cli/terminal/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define TERMINAL "/dev/tty"

/* All that a signal handler can reach. Changed only while `fd` is -1. */
static volatile sig_atomic_t remembered_fd = -1;
static struct termios remembered;
static struct termios hiding;     /* while an answer is hidden */
static const char *open_question; /* the question to it */

static struct sigaction before_quit; /* what SIGQUIT did before ks_terminal_remember */

bool ks_terminal_is_there(void)
{
    int fd = open(TERMINAL, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

void ks_terminal_restore(void)
{
    if (remembered_fd >= 0)
        (void)tcsetattr(remembered_fd, TCSANOW, &remembered);
}

static void say(int fd, const char *text)
{
    /* Nothing can be done about a terminal that cannot be written to. */
    if (write(fd, text, strlen(text)) < 0)
        return;
}

/* ---- signals ---- */

static void take_signal(int number);

static bool take(int number, struct sigaction *before)
{
    const struct sigaction restoring = {.sa_handler = take_signal,
                                        .sa_flags = (int)(SA_NODEFER | SA_RESETHAND)};
    return sigaction(number, NULL, before) == 0 &&
           (before->sa_handler == SIG_IGN || sigaction(number, &restoring, NULL) == 0);
}

/* The signal does what it always does, and finds the terminal as it was. Only SIGTSTP comes back. */
static void take_signal(int number)
{
    int failure = errno;
    struct sigaction before;
    ks_terminal_restore();
    (void)raise(number);
    (void)take(number, &before);
    (void)tcsetattr(remembered_fd, TCSAFLUSH, &hiding);
    say(remembered_fd, open_question);
    errno = failure;
}

void ks_terminal_remember(int fd)
{
    ks_terminal_forget();
    if (tcgetattr(fd, &remembered) != 0 || !take(SIGQUIT, &before_quit))
        return;
    remembered_fd = fd;
}

void ks_terminal_forget(void)
{
    if (remembered_fd >= 0)
        (void)sigaction(SIGQUIT, &before_quit, NULL);
    remembered_fd = -1;
}

/* ---- hidden answers ---- */

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP};

enum { SIGNAL_COUNT = sizeof signals / sizeof signals[0] };

static bool hide(int fd, const char *question, struct sigaction before[static SIGNAL_COUNT])
{
    ks_terminal_remember(fd);
    if (remembered_fd < 0)
        return false;
    hiding = remembered;
    hiding.c_lflag &= ~(tcflag_t)ECHO;
    hiding.c_lflag |= ECHONL;
    open_question = question;
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        (void)take(signals[i], &before[i]);
    return tcsetattr(fd, TCSAFLUSH, &hiding) == 0;
}

static void stop_hiding(const struct sigaction before[static SIGNAL_COUNT])
{
    ks_terminal_restore();
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        (void)sigaction(signals[i], &before[i], NULL);
    ks_terminal_forget();
}

/* ---- questions ---- */

/* To the end of the line, byte by byte, since what follows is not ours. */
static bool read_line(int fd, char *line, size_t capacity, size_t *size)
{
    bool fits = true;
    char byte = '\0';
    *size = 0;
    for (;;) {
        ssize_t got = read(fd, &byte, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        if (byte == '\n')
            break;
        fits = *size + 1 < capacity;
        if (fits)
            line[(*size)++] = byte;
    }
    line[*size] = '\0';
    return fits;
}

bool ks_terminal_ask(const char *question, bool hidden, char *line, size_t capacity, size_t *size)
{
    struct sigaction before[SIGNAL_COUNT];
    int fd = open(TERMINAL, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ready = !hidden || hide(fd, question, before);
    if (ready)
        say(fd, question);
    bool answered = ready && read_line(fd, line, capacity, size);
    if (hidden && remembered_fd >= 0)
        stop_hiding(before);
    close(fd);
    return answered;
}
