/* chat_signals.c — see chat_signals.h. */
#include "cli/chat/chat_signals.h"

#include "cli/terminal/editor.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void make_signals(sigset_t *signals)
{
    (void)sigemptyset(signals);
    (void)sigaddset(signals, SIGWINCH);
    (void)sigaddset(signals, SIGTSTP);
    (void)sigaddset(signals, SIGCONT);
}

int ks_chat_signals_watch(void)
{
    sigset_t signals;
    make_signals(&signals);
    if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0)
        return -1;
    return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

void ks_chat_signals_let(void)
{
    sigset_t signals;
    make_signals(&signals);
    (void)pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}

void ks_chat_signals_hold(void)
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

void ks_chat_signals_take(int fd)
{
    struct signalfd_siginfo signal;
    while (read(fd, &signal, sizeof signal) == (ssize_t)sizeof signal) {
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
