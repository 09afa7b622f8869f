/* main.c — kesher: finds the command in the table and runs it. Usage and help come from the table, too. */
#include "cli/commands.h"
#include "cli/terminal/output.h"
#include "cli/terminal/stop.h"

#include "base/privacy.h"
#include "base/text.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Every command speaks to a server. */
enum { OF_EVERY_COMMAND = KS_CLI_OPTIONS_ANY | KS_CLI_OPTIONS_SERVER };

static void print_usage(FILE *stream)
{
    (void)fputs("Usage: kesher [OPTIONS] COMMAND …\n\nCommands:\n", stream);
    for (size_t i = 0; i < ks_commands_count(); i++) {
        const struct ks_command *command = ks_commands_at(i);
        char form[40];
        (void)snprintf(form, sizeof form, "%s %s", command->name, command->arguments);
        /* the ellipsis is one column and three bytes */
        int width = strstr(form, "…") != NULL ? 23 : 21;
        (void)fprintf(stream, "  %-*s %s\n", width, form, command->help);
    }
    (void)fputs("\nOptions of every command:\n", stream);
    ks_option_print(stream, &ks_cli_options_table, OF_EVERY_COMMAND, &ks_cli_options_defaults);
    (void)fputs("\nOptions of some commands, whose own --help names them:\n", stream);
    ks_option_print(stream, &ks_cli_options_table, ~(unsigned)OF_EVERY_COMMAND, &ks_cli_options_defaults);
    (void)fputs("\nExit status: 0 done, 1 failed, 2 wrong usage. `kesher COMMAND --help` tells more.\n",
                stream);
}

static void print_command_help(const struct ks_command *command)
{
    (void)printf("Usage: kesher [OPTIONS] %s%s%s\n\n%s.\n", command->name,
                 command->arguments[0] != '\0' ? " " : "", command->arguments, command->help);
    if (command->details[0] != '\0')
        (void)printf("\n%s", command->details);
    (void)fputs("\nOptions:\n", stdout);
    ks_option_print(stdout, &ks_cli_options_table, command->groups, &ks_cli_options_defaults);
}

/* Names the commands that take an option which this one does not. */
static void refuse_option(const struct ks_command *command, const struct ks_option *option, char *reason,
                          size_t capacity)
{
    size_t used = (size_t)snprintf(reason, capacity, "'%s' does not take --%s, which goes with",
                                   command->name, option->name);
    const char *before = " ";
    for (size_t i = 0; i < ks_commands_count() && used < capacity; i++) {
        if ((ks_commands_at(i)->groups & option->uses) == 0)
            continue;
        used += (size_t)snprintf(reason + used, capacity - used, "%s%s", before, ks_commands_at(i)->name);
        before = ", ";
    }
}

/* The reason why the command cannot run as it was asked for, or NULL. */
static const char *misuse(const struct ks_command *command, const struct ks_cli_options *options,
                          char *reason, size_t capacity)
{
    const struct ks_option *unwelcome = ks_option_unwelcome(&options->reader, command->groups);
    if (unwelcome != NULL)
        refuse_option(command, unwelcome, reason, capacity);
    else if (options->operand_count < command->operands_at_least)
        (void)snprintf(reason, capacity, "'%s' needs %s", command->name, command->arguments);
    else if (options->operand_count > command->operands_at_most && command->operands_at_most == 0)
        (void)snprintf(reason, capacity, "'%s' takes nothing but options", command->name);
    else if (options->operand_count > command->operands_at_most)
        (void)snprintf(reason, capacity, "'%s' takes no more than: kesher %s %s", command->name,
                       command->name, command->arguments);
    else
        return NULL;
    return reason;
}

static enum ks_exit usage_error(const char *reason)
{
    ks_output_usage("%s; see kesher --help", reason);
    return KS_EXIT_USAGE;
}

static enum ks_exit run_command(const struct ks_command *command, const struct ks_cli_options *options)
{
    struct ks_context context;
    if (!ks_context_open(&context, options))
        return KS_EXIT_FAILED;
    enum ks_exit status = command->run(&context);
    ks_context_close(&context);
    /* What failed has said why, be it that stdout cannot be written to. */
    if (status == KS_EXIT_DONE && !ks_output_flush())
        status = KS_EXIT_FAILED;
    if (status == KS_EXIT_DONE)
        ks_stop_obey();
    return status;
}

static enum ks_exit run_without_command(const struct ks_cli_options *options)
{
    if (options->version)
        (void)puts("kesher " KESHER_VERSION);
    else if (options->help)
        print_usage(stdout);
    else
        return usage_error("a command is needed");
    return ks_output_flush() ? KS_EXIT_DONE : KS_EXIT_FAILED;
}

/* Before the options are read, since what is wrong with them is told as it is asked for. */
static bool asks_for_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

static enum ks_exit run(int argc, char **argv)
{
    struct ks_cli_options options;
    char reason[200];
    if (!ks_cli_options_parse(argc, argv, &options)) {
        ks_output_usage("%s", options.reader.why);
        return KS_EXIT_USAGE;
    }
    if (options.command == NULL || options.version)
        return run_without_command(&options);
    const struct ks_command *command = ks_commands_find(options.command);
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

/* Standard descriptors that were closed would go to the next file or socket that is opened, and what is meant
 * for people with them. They get one each that refuses what it is for. */
static bool occupy_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    (void)ks_privacy_hide_memory(); /* where it is refused there is nothing that the user could do */
    if (!occupy_standard_descriptors())
        return KS_EXIT_FAILED;
    ks_output_begin(asks_for_json(argc, argv));
    return (int)run(argc, argv);
}
