/* main.c — kesher-bench: loads a server and tells how fast it was. One thread, but for echo. */
#include "bench/modes/modes.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { STATUS_FAILED = 1, STATUS_USAGE = 2 };

static bool (*const modes[KS_BENCH_MODES])(struct ks_run *run) = {
    [KS_BENCH_UPLOAD] = ks_mode_upload,
    [KS_BENCH_SEND] = ks_mode_send,
    [KS_BENCH_PULL] = ks_mode_pull,
    [KS_BENCH_CHAT] = ks_mode_chat,
    [KS_BENCH_ASK] = ks_mode_ask,
    [KS_BENCH_IDLE] = ks_mode_idle,
    [KS_BENCH_USERS] = ks_mode_users,
    [KS_BENCH_ECHO] = ks_mode_echo,
    [KS_BENCH_HANDSHAKE] = ks_mode_handshake,
};

static int run_mode(const struct ks_settings *settings)
{
    int status = STATUS_FAILED;
    struct ks_run *run = malloc(sizeof *run); /* its percentiles are large for a stack */
    if (run == NULL) {
        (void)fputs("kesher-bench: no memory\n", stderr);
        return STATUS_FAILED;
    }
    if (ks_run_begin(run, settings) == KS_OK) {
        ks_findings_text(&run->findings, "mode", ks_settings_mode_name(settings->mode));
        ks_findings_text(&run->findings, "protocol", settings->protocol);
        if (modes[settings->mode](run) && ks_findings_print(&run->findings, settings->json, stdout))
            status = EXIT_SUCCESS;
        else if (!run->failed)
            ks_run_fail(run, "cannot write the result");
    }
    if (status != EXIT_SUCCESS)
        (void)fprintf(stderr, "kesher-bench: %s %s: %s\n", ks_settings_mode_name(settings->mode),
                      settings->server, run->reason);
    ks_run_end(run);
    free(run);
    return status;
}

int main(int argc, char **argv)
{
    struct ks_settings settings;
    (void)signal(SIGPIPE, SIG_IGN);
    if (!ks_settings_parse(argc, argv, &settings)) {
        (void)fprintf(stderr, "kesher-bench: %s\n", settings.reader.why);
        return STATUS_USAGE;
    }
    if (settings.help) {
        ks_settings_print(stdout, settings.mode);
        return EXIT_SUCCESS;
    }
    if (settings.version) {
        (void)puts("kesher-bench " KESHER_VERSION);
        return EXIT_SUCCESS;
    }
    return run_mode(&settings);
}
