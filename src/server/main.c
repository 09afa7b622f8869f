/* main.c — kesherd: what its command line asks for. Main thread. */
#include "base/privacy.h"
#include "server/data_directory.h"
#include "server/host_key.h"
#include "server/operator.h"
#include "server/server_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2 }; /* nor is it worth another try: the unit does not restart after it */

/* In the journal it stands as what it is, an error. */
static void complain(const char *why)
{
    struct ks_log log = ks_log_to_stderr(KS_LOG_ERROR);
    if (log.journald)
        ks_log_error(&log, "%s", why);
    else
        fprintf(stderr, "kesherd: %s\n", why);
}

static void print_help(void)
{
    printf("usage: kesherd [--config FILE] [--OPTION VALUE]...\n"
           "       kesherd user list | show NAME | reset-key NAME | remove NAME\n"
           "       kesherd group list\n"
           "       kesherd check [--repair]\n"
           "       kesherd address | invite | key next | key use\n\n"
           "Serves encrypted file drop, messages, group chat and ask. Every option may also stand in FILE, "
           "as \"name = value\". Commands for operators: kesherd user --help.\n\n");
    ks_option_print(stdout, &ks_server_options_table, KS_SERVER_OPTIONS_SETTING, &ks_server_options_defaults);
    printf("\nOnly on the command line:\n\n");
    ks_option_print(stdout, &ks_server_options_table, KS_SERVER_OPTIONS_SPECIAL, NULL);
}

/* What a server must not be told. 0, or the exit status after saying what. */
static int judge(struct ks_server_options *options)
{
    const struct ks_option *unwelcome =
        ks_option_unwelcome(&options->reader, KS_SERVER_OPTIONS_SETTING | KS_SERVER_OPTIONS_SPECIAL);
    const char *why = ks_server_options_judge(options);
    if (unwelcome != NULL) {
        snprintf(options->reader.why, sizeof options->reader.why,
                 "--%s goes with a command for operators; see kesherd user --help", unwelcome->name);
        why = options->reader.why;
    }
    if (why == NULL)
        return 0;
    complain(why);
    return EXIT_USAGE;
}

/* The certificate and key that an operator gives, as far as they can be judged from here. */
static int judge_certificate(const struct ks_server_options *options)
{
    struct ks_host_key_place place;
    struct ks_tls_identity *identity = NULL;
    char why[KS_HOST_KEY_WHY_SIZE] = "";
    if (strcmp(options->secure, "off") == 0)
        return 0;
    enum ks_result result = ks_host_key_find(NULL, options->certificate, options->private_key, &place, why);
    if (result == KS_OK && place.is_given)
        result = ks_host_key_read(&place, &identity, why);
    ks_tls_identity_free(identity);
    if (result == KS_OK)
        return 0;
    complain(why);
    return EXIT_USAGE;
}

static int run_server(struct ks_server *server)
{
    int status = judge(&server->options);
    if (status == 0 && server->options.check_config)
        status = judge_certificate(&server->options);
    if (status != 0)
        return status;
    if (server->options.check_config) {
        puts("the configuration is fine");
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    server->log = ks_log_to_stderr(server->options.log_level);
    server->log.rate = &server->log_rate;
    ks_data_directory_choose(&server->options);
    return ks_server_serve(server) == KS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(struct ks_server *server)
{
    struct ks_server_options *options = &server->options;
    if (!ks_server_options_read(options, server->argc, server->argv)) {
        complain(options->reader.why);
        return EXIT_USAGE;
    }
    if (options->version)
        puts("kesherd " KESHER_VERSION);
    else if (options->operand_count > 0)
        return ks_operator_run(options);
    else if (options->help)
        print_help();
    else
        return run_server(server);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct ks_server server; /* large, and alone */
    static struct ks_tally tally;   /* likewise */
    server.memory_is_hidden = ks_privacy_hide_memory() == KS_OK;
    server.tally = &tally;
    server.argc = argc;
    server.argv = argv;
    int status = run(&server);
    ks_server_options_free(&server.options);
    return status;
}
