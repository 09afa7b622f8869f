/* describe.c — kesher-describe: prints the tables of commands and options for what is made from them when
 * kesher is built: manual pages and completions.
 *
 * Options in the records of ks_option_describe (base/options.h), commands in these, their fields separated by
 * tabs:
 *
 *   command  name  arguments  help
 *   detail   a line of what more there is to say about the command before
 *   takes    the name of an option of the command before
 */
#include "cli/commands.h"

#include <string.h>

static void print_details(const char *text)
{
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        (void)printf("detail\t%.*s\n", (int)size, text);
        text += size + (text[size] == '\n' ? 1 : 0);
    }
}

static void print_command(const struct ks_command *command)
{
    (void)printf("command\t%s\t%s\t%s\n", command->name, command->arguments, command->help);
    print_details(command->details);
    for (size_t i = 0; i < ks_cli_options_table.count; i++)
        if ((ks_cli_options_table.options[i].uses & command->groups) != 0)
            (void)printf("takes\t%s\n", ks_cli_options_table.options[i].name);
}

int main(void)
{
    ks_option_describe(stdout, "option", &ks_cli_options_table, ~0U, &ks_cli_options_defaults);
    for (size_t i = 0; i < ks_commands_count(); i++)
        print_command(ks_commands_at(i));
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : 1;
}
