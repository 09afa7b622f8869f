/* describe.c — kesherd-describe: prints the tables of options and commands for what is made from them when
 * kesher is built: manual pages, the example configuration, completions.
 *
 * The records of ks_option_describe (base/options.h): "option" for what the configuration may have, "special"
 * for what is only on the command line, "operator-option" for commands of operators. And, with tabs likewise:
 *
 *   reloads   the name of an option that a SIGHUP changes
 *   operator  noun  verb  operand  help
 *   takes     the name of an option of the operator's command before
 */
#include "server/operator_commands.h"
#include "server/server_options.h"

static void print_operators(void)
{
    for (size_t i = 0; i < ks_operator_command_count(); i++) {
        const struct ks_operator_command *command = ks_operator_command_at(i);
        printf("operator\t%s\t%s\t%s\t%s\n", command->noun, command->verb, command->takes_name ? "NAME" : "",
               command->help);
        for (size_t option = 0; option < ks_server_options_table.count; option++)
            if ((ks_server_options_table.options[option].uses & command->options) != 0)
                printf("takes\t%s\n", ks_server_options_table.options[option].name);
    }
}

int main(void)
{
    const unsigned operators = KS_SERVER_OPTIONS_COMMANDS;
    ks_option_describe(stdout, "option", &ks_server_options_table, KS_SERVER_OPTIONS_SETTING,
                       &ks_server_options_defaults);
    for (size_t i = 0; i < ks_server_options_table.count; i++)
        if ((ks_server_options_table.options[i].uses & KS_SERVER_OPTIONS_RELOADS) != 0)
            printf("reloads\t%s\n", ks_server_options_table.options[i].name);
    ks_option_describe(stdout, "special", &ks_server_options_table, KS_SERVER_OPTIONS_SPECIAL, NULL);
    ks_option_describe(stdout, "operator-option", &ks_server_options_table, operators, NULL);
    print_operators();
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
