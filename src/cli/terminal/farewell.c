/* farewell.c — see farewell.h. */
#include "cli/terminal/farewell.h"

#include "cli/terminal/output.h"
#include "cli/terminal/stop.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* All that the signal handler can reach; written before there is one. */
static volatile sig_atomic_t is_terminal;
static char line[KS_OUTPUT_NOTICE_SIZE];

/* Nothing can be done about a terminal that cannot be written to. */
static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return;
}

static void take_signal(int signal_number)
{
    if (is_terminal)
        say("\r\033[K");
    say(line);
    ks_stop_die(signal_number);
}

void ks_farewell_prepare(const char *sentence)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction before;
    struct sigaction farewell = {.sa_handler = take_signal};
    is_terminal = isatty(STDERR_FILENO) == 1 ? 1 : 0;
    if (sentence != NULL)
        ks_output_notice_line(sentence, line);
    (void)sigfillset(&farewell.sa_mask); /* one of them is enough */
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            (void)sigaction(signals[i], &farewell, NULL);
}
