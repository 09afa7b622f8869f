/* describe.c — kesherd-describe: prints the table of options for what is made from it when kesher is built:
 * manual pages, the example configuration, completions.
 *
 * One record per line, its fields separated by tabs:
 *
 *   option   name  value  kind  smallest  largest  default  words  reloads  help
 *   special  name  value  help
 *   operator noun  verb  operand  help
 *   operator-option  name  value  help
 *
 * kind is text, number or word; fields without a meaning for the kind are empty, words are separated by
 * blanks. What is special is only on the command line; without a value it is a switch.
 */
#include "server/operator_commands.h"
#include "server/options.h"

static void print_words(const struct ks_option_row *row)
{
    for (size_t i = 0; i < KS_OPTION_WORDS_LIMIT && row->words[i] != NULL; i++)
        printf("%s%s", i > 0 ? " " : "", row->words[i]);
}

static void print_option(const struct ks_option_row *row)
{
    printf("option\t%s\t%s\t", row->name, row->value);
    if (row->is_number)
        printf("number\t%u\t%u\t%u\t", row->smallest, row->largest, row->standard);
    else if (row->words[0] != NULL)
        printf("word\t\t\t%s\t", row->words[row->standard]);
    else
        printf("text\t\t\t\t");
    print_words(row);
    printf("\t%s\t%s\n", row->reloads ? "reloads" : "", row->help);
}

static void print_special(const char *kind, const struct ks_option_row *row)
{
    printf("%s\t%s\t%s\t%s\n", kind, row->name, row->value != NULL ? row->value : "", row->help);
}

static void print_operators(void)
{
    for (size_t i = 0; i < ks_operator_command_count(); i++) {
        const struct ks_operator_command *command = ks_operator_command_at(i);
        printf("operator\t%s\t%s\t%s\t%s\n", command->noun, command->verb, command->takes_name ? "NAME" : "",
               command->help);
    }
    for (size_t i = 0; i < ks_operator_option_count(); i++) {
        struct ks_option_row row = ks_operator_option_row(i);
        print_special("operator-option", &row);
    }
}

int main(void)
{
    for (size_t i = 0; i < ks_options_count(); i++) {
        struct ks_option_row row = ks_options_row(i);
        print_option(&row);
    }
    for (size_t i = 0; i < ks_options_special_count(); i++) {
        struct ks_option_row row = ks_options_special_row(i);
        print_special("special", &row);
    }
    print_operators();
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
