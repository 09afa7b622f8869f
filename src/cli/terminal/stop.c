/* stop.c — see stop.h. */
#include "cli/terminal/stop.h"

#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* All that a signal handler can reach. */
static volatile sig_atomic_t requested; /* the signal, or 0 */
static volatile sig_atomic_t grace;

/* A shell that waits for us learns from it that a signal ended us, and tells 128 and its number. */
void ks_stop_die(int signal_number)
{
    sigset_t signals;
    const struct sigaction usual = {.sa_handler = SIG_DFL};
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, signal_number);
    (void)sigaction(signal_number, &usual, NULL);
    (void)raise(signal_number);
    (void)pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    _exit(128 + signal_number); /* the first process of a container does not die of signals */
}

static void end_now(int signal_number)
{
    int reason = requested ? (int)requested : signal_number;
    ks_terminal_restore();
    ks_stop_die(reason);
}

static void take_signal(int signal_number)
{
    if (requested)
        end_now(signal_number);
    requested = signal_number;
    (void)alarm((unsigned)grace);
}

/* A hang-up that is ignored (nohup) stays so. */
static bool take_hang_up(const struct sigaction *stop)
{
    struct sigaction before;
    return sigaction(SIGHUP, NULL, &before) == 0 &&
           (before.sa_handler == SIG_IGN || sigaction(SIGHUP, stop, NULL) == 0);
}

bool ks_stop_prepare(unsigned grace_seconds)
{
    char reason[128];
    struct sigaction stop = {.sa_handler = take_signal, .sa_flags = SA_RESTART};
    struct sigaction late = {.sa_handler = end_now};
    grace = (sig_atomic_t)grace_seconds;
    if (sigemptyset(&stop.sa_mask) == 0 && sigemptyset(&late.sa_mask) == 0 &&
        sigaction(SIGALRM, &late, NULL) == 0 && sigaction(SIGINT, &stop, NULL) == 0 &&
        sigaction(SIGTERM, &stop, NULL) == 0 && take_hang_up(&stop))
        return true;
    ks_output_error("cannot handle signals: %s", strerror_r(errno, reason, sizeof reason));
    return false;
}

bool ks_stop_is_requested(void)
{
    return requested != 0;
}

int ks_stop_signal(void)
{
    return (int)requested;
}

void ks_stop_forgive(void)
{
    (void)alarm(0);
    requested = 0;
}

void ks_stop_obey(void)
{
    if (requested)
        ks_stop_die((int)requested);
}

/* The signals are let in by ppoll alone: one that came after the question would not wake it otherwise. */
int ks_stop_poll(struct pollfd *watched, nfds_t count, int timeout_ms, bool heed)
{
    sigset_t signals;
    sigset_t before;
    const struct timespec limit = {.tv_sec = timeout_ms / 1000,
                                   .tv_nsec = (long)(timeout_ms % 1000) * 1000000L};
    int ready = -1;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, &before);
    if (heed && ks_stop_is_requested())
        errno = EINTR;
    else
        ready = ppoll(watched, count, timeout_ms < 0 ? NULL : &limit, &before);
    int failure = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = failure;
    return ready;
}

bool ks_stop_sleep(uint64_t milliseconds)
{
    struct pollfd output = {.fd = STDOUT_FILENO}; /* asks for nothing: POLLERR comes unasked */
    return ks_stop_poll(&output, 1, (int)milliseconds, true) <= 0;
}
