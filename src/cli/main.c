/* main.c — kesher: finds the command in the table and runs it. Usage and help come from the table. */
#include "cli/context.h"
#include "cli/output.h"

#include "base/text.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

static const struct ks_command commands[] = {
    {"register", "NAME", "register NAME with the server and keep the identity in the home",
     "The key pair is written to the home before the server hears of the name. With --server the address is\n"
     "remembered in server.info, unless there is one.\n",
     KS_OPTIONS_ANY | KS_OPTIONS_SERVER | KS_OPTIONS_DATA, 1, 1, ks_command_register},
    {"put", "FILE…", "send files, encrypted and verified",
     "FILE may be - for the standard input; then --as gives the name. Files that cannot be read are reported "
     "and\n"
     "left out; when the server or the connection fails for good, the files after that are not sent.\n",
     KS_OPTIONS_ANY | KS_OPTIONS_SERVER | KS_OPTIONS_DATA | KS_OPTIONS_UPLOAD | KS_OPTIONS_NAMES, 1, SIZE_MAX,
     ks_command_put},
    {"transfer", "", "do what the home's transfer.info says: register if need be, send its file",
     "transfer.info has three lines: address:port of the server, user name, path of the file. A relative "
     "path is\n"
     "looked for in the working directory, then in the home.\n",
     KS_OPTIONS_ANY | KS_OPTIONS_SERVER | KS_OPTIONS_DATA | KS_OPTIONS_UPLOAD, 0, 0, ks_command_transfer},
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static const struct ks_command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void print_usage(FILE *stream)
{
    (void)fputs("Usage: kesher [OPTIONS] COMMAND …\n\nCommands:\n", stream);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        char form[40];
        (void)snprintf(form, sizeof form, "%s %s", commands[i].name, commands[i].arguments);
        /* the ellipsis is one column and three bytes */
        int width = strstr(form, "…") != NULL ? 22 : 20;
        (void)fprintf(stream, "  %-*s %s\n", width, form, commands[i].help);
    }
    (void)fputs("\nOptions:\n", stream);
    ks_options_print(stream, UINT_MAX);
    (void)fputs("\nExit status: 0 done, 1 failed, 2 wrong usage. `kesher COMMAND --help` tells more.\n",
                stream);
}

static void print_command_help(const struct ks_command *command)
{
    (void)printf("Usage: kesher [OPTIONS] %s %s\n\n%s.\n", command->name, command->arguments, command->help);
    if (command->details[0] != '\0')
        (void)printf("\n%s", command->details);
    (void)fputs("\nOptions:\n", stdout);
    ks_options_print(stdout, command->groups);
}

/* The reason why the command cannot run as it was asked for, or NULL. */
static const char *misuse(const struct ks_command *command, const struct ks_options *options, char *reason,
                          size_t capacity)
{
    const char *unwelcome = ks_options_unwelcome(options, command->groups);
    if (unwelcome != NULL)
        (void)snprintf(reason, capacity, "'%s' does not take --%s", command->name, unwelcome);
    else if (options->operand_count < command->operands_at_least)
        (void)snprintf(reason, capacity, "'%s' needs %s", command->name, command->arguments);
    else if (options->operand_count > command->operands_at_most)
        (void)snprintf(reason, capacity, "'%s' takes no more than: kesher %s %s", command->name,
                       command->name, command->arguments);
    else
        return NULL;
    return reason;
}

static enum ks_exit usage_error(const char *reason)
{
    ks_output_error("%s; see kesher --help", reason);
    return KS_EXIT_USAGE;
}

static enum ks_exit run_command(const struct ks_command *command, const struct ks_options *options)
{
    struct ks_context context;
    if (!ks_context_open(&context, options))
        return KS_EXIT_FAILED;
    enum ks_exit status = command->run(&context);
    ks_context_close(&context);
    if (!ks_output_flush() && status == KS_EXIT_DONE)
        status = KS_EXIT_FAILED;
    return status;
}

static enum ks_exit run_without_command(const struct ks_options *options)
{
    if (options->version)
        (void)puts("kesher " KESHER_VERSION);
    else if (options->help)
        print_usage(stdout);
    else
        return usage_error("a command is needed");
    return ks_output_flush() ? KS_EXIT_DONE : KS_EXIT_FAILED;
}

static enum ks_exit run(int argc, char **argv)
{
    struct ks_options options;
    char reason[200];
    if (!ks_options_parse(argc, argv, &options, reason, sizeof reason))
        return usage_error(reason);
    if (options.command == NULL || options.version)
        return run_without_command(&options);
    const struct ks_command *command = find_command(options.command);
    if (command == NULL) {
        char shown[100];
        ks_text_escape(options.command, strlen(options.command), shown, sizeof shown);
        (void)snprintf(reason, sizeof reason, "there is no command '%s'", shown);
        return usage_error(reason);
    }
    if (options.help) {
        print_command_help(command);
        return ks_output_flush() ? KS_EXIT_DONE : KS_EXIT_FAILED;
    }
    if (misuse(command, &options, reason, sizeof reason) != NULL)
        return usage_error(reason);
    return run_command(command, &options);
}

int main(int argc, char **argv)
{
    return (int)run(argc, argv);
}
