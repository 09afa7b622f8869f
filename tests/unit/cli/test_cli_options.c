/* Unit tests of cli/commands/cli_options.h: what a command line says. */
#include "unit/unit.h"

#include "cli/commands/cli_options.h"

#include <stdio.h>
#include <string.h>

enum { ARGUMENTS_LIMIT = 12 };

struct line {
    char *argv[ARGUMENTS_LIMIT];
    struct ks_cli_options options;
};

/* Parses "kesher" and `arguments`, which end in NULL. */
static bool parse(struct line *line, const char *const *arguments)
{
    int argc = 1;
    memset(line, 0, sizeof *line);
    line->argv[0] = (char *)"kesher";
    for (; arguments[argc - 1] != NULL; argc++) {
        assert_true(argc < ARGUMENTS_LIMIT - 1);
        line->argv[argc] = (char *)arguments[argc - 1];
    }
    return ks_cli_options_parse(argc, line->argv, &line->options);
}

#define PARSE(line, ...) parse(line, (const char *const[]){__VA_ARGS__, NULL})

static void options_stand_anywhere(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "--server", "a:1", "send", "--file=x", "bob", "--accept-key", "--json"));
    assert_string_equal(line.options.command, "send");
    assert_string_equal(line.options.server, "a:1");
    assert_string_equal(line.options.file, "x");
    assert_true(line.options.accept_key);
    assert_true(line.options.json);
    assert_int_equal(line.options.operand_count, 1);
    assert_string_equal(line.options.operands[0], "bob");
}

static void nothing_is_set_that_was_not_given(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "inbox"));
    assert_null(line.options.save_to);
    assert_null(line.options.file);
    assert_false(line.options.follow || line.options.forget || line.options.accept_key);
    assert_int_equal(line.options.operand_count, 0);
}

static void after_two_dashes_there_are_only_operands(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "send", "--", "bob", "--json"));
    assert_false(line.options.json);
    assert_int_equal(line.options.operand_count, 2);
    assert_string_equal(line.options.operands[1], "--json");
    assert_true(PARSE(&line, "send", "--", "bob", "--"));
    assert_string_equal(line.options.operands[1], "--");
}

static void one_dash_and_the_empty_word_are_operands(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "send", "-", ""));
    assert_int_equal(line.options.operand_count, 2);
    assert_string_equal(line.options.operands[0], "-");
    assert_string_equal(line.options.operands[1], "");
}

static void what_makes_no_sense_is_refused_with_a_reason(void **state)
{
    (void)state;
    struct line line;
    assert_false(PARSE(&line, "inbox", "--folow"));
    assert_string_equal(line.options.reader.why, "there is no option --folow; see kesher --help");
    assert_false(PARSE(&line, "inbox", "--follow=yes"));
    assert_string_equal(line.options.reader.why, "--follow takes no value");
    assert_false(PARSE(&line, "inbox", "--save-to"));
    assert_string_equal(line.options.reader.why, "--save-to needs a value: --save-to DIR");
    assert_false(PARSE(&line, "inbox", "--save-to="));
    assert_false(PARSE(&line, "inbox", "-follow"));
    assert_false(PARSE(&line, "inbox", "--\x1b[31m"));
    assert_string_equal(line.options.reader.why, "there is no option --\\x1b[31m; see kesher --help");
}

static const struct {
    const char *option;
    const char *value;
    unsigned group;
} groups[] = {
    {"--server", "a:1", KS_CLI_OPTIONS_SERVER},
    {"--json", NULL, KS_CLI_OPTIONS_DATA},
    {"--pipeline", NULL, KS_CLI_OPTIONS_UPLOAD},
    {"--as", "x", KS_CLI_OPTIONS_NAMES},
    {"--accept-key", NULL, KS_CLI_OPTIONS_KEYS},
    {"--forget", NULL, KS_CLI_OPTIONS_KEYS | KS_CLI_OPTIONS_TRUST},
    {"--file", "x", KS_CLI_OPTIONS_FILE},
    {"--follow", NULL, KS_CLI_OPTIONS_INBOX},
    {"--save-to", "x", KS_CLI_OPTIONS_SAVE},
    {"--quiet", NULL, KS_CLI_OPTIONS_QUIET},
    {"--recursive", NULL, KS_CLI_OPTIONS_TREES},
    {"--replace", NULL, KS_CLI_OPTIONS_REPLACE},
    {"--sha256", NULL, KS_CLI_OPTIONS_SECURE_UPLOAD},
    {"--adopt", NULL, KS_CLI_OPTIONS_REGISTER},
    {"--invitation", "x", KS_CLI_OPTIONS_REGISTER},
    {"--passphrase", NULL, KS_CLI_OPTIONS_NEW_KEY},
    {"--passphrase-file", "x", KS_CLI_OPTIONS_ACCOUNT},
    {"--yes", NULL, KS_CLI_OPTIONS_FINAL},
};

static void an_option_is_welcome_in_its_group_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(groups); i++) {
        struct line line;
        assert_true(PARSE(&line, groups[i].option, groups[i].value));
        assert_null(ks_option_unwelcome(&line.options.reader, groups[i].group));
        assert_string_equal(ks_option_unwelcome(&line.options.reader, ~groups[i].group)->name,
                            groups[i].option + 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(nothing_is_set_that_was_not_given),
        cmocka_unit_test(after_two_dashes_there_are_only_operands),
        cmocka_unit_test(one_dash_and_the_empty_word_are_operands),
        cmocka_unit_test(what_makes_no_sense_is_refused_with_a_reason),
        cmocka_unit_test(an_option_is_welcome_in_its_group_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
