/* describe.c — kesher-describe: prints the tables of commands and options for what is made from them when
 * kesher is built: manual pages and completions.
 *
 * One record per line, its fields separated by tabs:
 *
 *   command  name  arguments  help
 *   detail   a line of what more there is to say about the command before
 *   takes    the name of an option of the command before
 *   option   name  value, empty for a switch  help
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
    for (size_t i = 0; i < ks_options_count(); i++) {
        struct ks_option_row row = ks_options_row(i);
        if ((row.groups & command->groups) != 0)
            (void)printf("takes\t%s\n", row.name);
    }
}

int main(void)
{
    for (size_t i = 0; i < ks_options_count(); i++) {
        struct ks_option_row row = ks_options_row(i);
        (void)printf("option\t%s\t%s\t%s\n", row.name, row.value != NULL ? row.value : "", row.help);
    }
    for (size_t i = 0; i < ks_commands_count(); i++)
        print_command(ks_commands_at(i));
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : 1;
}
