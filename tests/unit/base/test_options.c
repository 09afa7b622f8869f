/* Unit tests of base/options.h: one table for a command line, a file and help. */
#include "unit/unit.h"

#include "base/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum colour { RED, GREEN };

struct settings {
    bool loud;
    const char *name;
    char places[16];
    enum colour colour;
    unsigned count;
    unsigned small;
    uint64_t size;
    uint64_t wait;
};

enum { BOTH = 1, LINE_ONLY = 2, OTHER = 4 };

static const char *const colours[] = {"red", "green", NULL};

static const char *judge_places(const char *text)
{
    return strchr(text, '!') == NULL && text[0] != '\0' ? NULL : "places";
}

#define MEMBER(name) KS_OPTION_MEMBER(struct settings, name)

static const struct ks_option rows[] = {
    {"loud", NULL, KS_OPTION_FLAG, BOTH, MEMBER(loud), .help = "make noise", .letter = 'l'},
    {"name", "NAME", KS_OPTION_TEXT, BOTH, MEMBER(name), .help = "who"},
    {"places", "LIST", KS_OPTION_LIST, BOTH, MEMBER(places), .help = "where", .judge = judge_places},
    {"colour", "COLOUR", KS_OPTION_WORD, BOTH, MEMBER(colour), .help = "of it", .words = colours},
    {"count", "N", KS_OPTION_COUNT, BOTH, MEMBER(count), .help = "how many", .least = 1, .most = UINT32_MAX},
    {"small", "SIZE", KS_OPTION_SIZE, LINE_ONLY, MEMBER(small), .help = "a small one", .unit = 1,
     .most = 4096},
    {"size", "SIZE", KS_OPTION_SIZE, BOTH, MEMBER(size), .help = "how large", .unit = KS_OPTION_MIB,
     .most = UINT64_MAX},
    {"wait", "TIME", KS_OPTION_DURATION, OTHER, MEMBER(wait), .help = "how long", .unit = KS_OPTION_SECOND,
     .least = 1, .most = 7 * 86400 * KS_OPTION_SECOND},
    {"help", NULL, KS_OPTION_FLAG, LINE_ONLY, MEMBER(loud), .help = "this"},
};

static const struct ks_option_table table = {
    .manual = "program --help", .options = rows, .count = KS_COUNT_OF(rows)};

static const struct settings defaults = {
    .name = "nobody", .places = "here", .colour = GREEN, .count = 3, .size = 64 * KS_OPTION_MIB};

enum { ARGUMENTS_LIMIT = 12 };

struct line {
    char *argv[ARGUMENTS_LIMIT];
    struct settings settings;
    struct ks_option_reader reader;
    const char *operands[ARGUMENTS_LIMIT];
    size_t operand_count;
};

static bool parse(struct line *line, const char *const *arguments)
{
    int argc = 1;
    const char *operand = NULL;
    memset(line, 0, sizeof *line);
    line->settings = defaults;
    for (; arguments[argc - 1] != NULL; argc++) {
        assert_true(argc < ARGUMENTS_LIMIT - 1);
        line->argv[argc] = (char *)arguments[argc - 1];
    }
    line->reader = ks_option_reader_on(&table, &line->settings, argc, line->argv);
    while (ks_option_next_operand(&line->reader, &operand))
        line->operands[line->operand_count++] = operand;
    return line->reader.why[0] == '\0';
}

#define PARSE(line, ...) parse(line, (const char *const[]){__VA_ARGS__, NULL})

#define ASSERT_REFUSED(told, ...)                                                                            \
    do {                                                                                                     \
        struct line refused;                                                                                 \
        assert_false(PARSE(&refused, __VA_ARGS__));                                                          \
        assert_string_equal(refused.reader.why, told);                                                       \
    } while (false)

/* ---- the command line ---- */

static void what_is_not_given_keeps_its_default(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "word"));
    assert_memory_equal(&line.settings, &defaults, sizeof defaults);
    assert_int_equal(line.reader.given, 0);
}

static void every_kind_of_value_goes_where_the_table_says(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "--loud", "--name", "ann", "--colour=red", "--count", "4294967295", "--size=1",
                      "--wait", "2h"));
    assert_true(line.settings.loud);
    assert_string_equal(line.settings.name, "ann");
    assert_int_equal(line.settings.colour, RED);
    assert_true(line.settings.count == UINT32_MAX);
    assert_true(line.settings.size == KS_OPTION_MIB);
    assert_true(line.settings.wait == 7200 * KS_OPTION_SECOND);
    assert_string_equal(line.settings.places, "here");
    assert_true(ks_option_was_given(&line.reader, &line.settings.name));
    assert_false(ks_option_was_given(&line.reader, &line.settings.places));
}

static void operands_stand_between_options_and_alone_behind_two_dashes(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "a", "--loud", "-", "--", "--name", "--"));
    assert_int_equal(line.operand_count, 4);
    assert_string_equal(line.operands[1], "-");
    assert_string_equal(line.operands[2], "--name");
    assert_string_equal(line.operands[3], "--");
}

static void the_last_of_two_counts_but_a_list_adds_up(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "--count", "4", "--count=5", "--places", "a", "--places=b, c"));
    assert_int_equal(line.settings.count, 5);
    assert_string_equal(line.settings.places, "a, b, c");
    ASSERT_REFUSED("--places: \"b!\" does not fit; write places; at most 15 bytes in all", "--places", "a",
                   "--places", "b!");
    ASSERT_REFUSED("--places: \"sixteen bytes ++\" does not fit; write places; at most 15 bytes in all",
                   "--places", "sixteen bytes ++");
    ASSERT_REFUSED("--places: \"bytes +\" does not fit; write places; at most 15 bytes in all", "--places",
                   "sixteen", "--places", "bytes +");
}

static void h_is_help(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "-h"));
    assert_true(ks_option_unwelcome(&line.reader, BOTH) == &rows[8]);
}

static void a_letter_stands_for_its_flag_alone(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "-l", "x"));
    assert_true(line.settings.loud && ks_option_was_given(&line.reader, &line.settings.loud));
    assert_int_equal(line.operand_count, 1);
    ASSERT_REFUSED("there is no option -ll; see program --help", "-ll");
    ASSERT_REFUSED("there is no option -l; see program --help", "-l=yes");
    ASSERT_REFUSED("there is no option -n; see program --help", "-n");
    assert_true(PARSE(&line, "--", "-l"));
    assert_false(line.settings.loud);
}

static void what_makes_no_sense_is_told_with_what_to_write(void **state)
{
    (void)state;
    ASSERT_REFUSED("there is no option --nam; see program --help", "--nam", "x");
    ASSERT_REFUSED("there is no option --\\x1b; see program --help", "--\x1b=x");
    ASSERT_REFUSED("there is no option -name; see program --help", "-name");
    ASSERT_REFUSED("there is no option -; see program --help", "-=");
    ASSERT_REFUSED("--loud takes no value", "--loud=yes");
    ASSERT_REFUSED("--name needs a value: --name NAME", "--name");
    ASSERT_REFUSED("--name: \"\" does not fit; write a value that is not empty", "--name=");
    ASSERT_REFUSED("--colour: \"blue\" does not fit; write one of: red, green", "--colour", "blue");
    ASSERT_REFUSED("--count: \"\\x0a\" does not fit; write a number from 1 to 4294967295", "--count", "\n");
    ASSERT_REFUSED(
        "--small: \"5K\" does not fit; write a size from 0 to 4K, as in 512K, 64M or 1G; a number alone "
        "counts bytes",
        "--small", "5K");
    ASSERT_REFUSED(
        "--wait: \"8d\" does not fit; write a time from 1ms to 7d, as in 90s, 10m or 1h; a number alone "
        "counts seconds",
        "--wait", "8d");
}

static void what_a_command_does_not_take_is_found(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "--loud", "--small", "1", "--wait=1"));
    assert_true(ks_option_unwelcome(&line.reader, BOTH) == &rows[5]);
    assert_true(ks_option_unwelcome(&line.reader, BOTH | LINE_ONLY) == &rows[7]);
    assert_null(ks_option_unwelcome(&line.reader, BOTH | LINE_ONLY | OTHER));
}

/* ---- numbers ---- */

static const struct {
    const char *text;
    unsigned row;
    uint64_t number;
    const char *shown;
} numbers[] = {
    {"0", 5, 0, "0"},
    {"512", 5, 512, "512"},
    {"1024", 5, 1024, "1K"},
    {"1.5 KiB", 5, 1536, "1536"},
    {"64", 6, 64 * KS_OPTION_MIB, "64M"},
    {"64mib", 6, 64 * KS_OPTION_MIB, "64M"},
    {"0.25M", 6, 256 * KS_OPTION_KIB, "256K"},
    {"100B", 6, 100, "100B"},
    {"3T", 6, 3 * KS_OPTION_MIB *KS_OPTION_MIB, "3T"},
    {"90", 7, 90 * KS_OPTION_SECOND, "90s"},
    {"0.25", 7, 250, "250ms"},
    {"60s", 7, 60 * KS_OPTION_SECOND, "1m"},
    {"90 min", 7, 5400 * KS_OPTION_SECOND, "90m"},
    {"7D", 7, 7 * 86400 * KS_OPTION_SECOND, "7d"},
};

static void numbers_have_units_and_are_shown_with_the_largest(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(numbers); i++) {
        char shown[KS_OPTION_VALUE_SIZE];
        struct settings settings = defaults;
        const struct ks_option *option = &rows[numbers[i].row];
        assert_true(ks_option_set(option, numbers[i].text, (char *)&settings + option->offset));
        assert_string_equal(ks_option_show(option, &settings, shown), numbers[i].shown);
        ks_option_format(option, numbers[i].number, shown);
        assert_string_equal(shown, numbers[i].shown);
    }
}

static void what_is_no_number_changes_nothing(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",         "-1",   "+1",  " 1",       "1 ",  "1.",  ".5",  "1.1234567",
        "1e3",      "0x10", "nan", "infinity", "1KB", "1 X", "1,5", "18446744073709551616",
        "16777216T"};
    for (size_t i = 0; i < KS_COUNT_OF(wrong); i++) {
        struct settings settings = defaults;
        assert_int_equal(i == 4, ks_option_set(&rows[6], wrong[i], &settings.size));
        assert_true(i == 4 || settings.size == defaults.size);
    }
    struct settings settings = defaults;
    assert_false(ks_option_set(&rows[4], "1.5", &settings.count));
    assert_false(ks_option_set(&rows[4], "1 ", &settings.count));
    assert_false(ks_option_set(&rows[4], "4294967296", &settings.count));
    assert_int_equal(settings.count, defaults.count);
}

/* ---- a file ---- */

struct file {
    char path[64];
    struct line line;
    struct ks_buffer text;
    enum ks_result result;
};

static void read_file(struct file *file, const char *content, size_t size, const char *option)
{
    (void)snprintf(file->path, sizeof file->path, "/tmp/kesher-options-XXXXXX");
    int fd = mkstemp(file->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, size), size);
    close(fd);
    assert_true(PARSE(&file->line, option));
    file->result = ks_option_read_file(&file->line.reader, file->path, BOTH, &file->text);
    unlink(file->path);
}

static void a_file_has_a_setting_to_a_line(void **state)
{
    (void)state;
    static const char content[] =
        "\xef\xbb\xbf# comment = 1\r\n\n; another\n  name = ann ; who\r\n\tplaces=a\nloud = "
        "YES\nplaces = b\ncount = 7";
    struct file file;
    read_file(&file, content, sizeof content - 1, "--count=9");
    assert_int_equal(file.result, KS_OK);
    assert_string_equal(file.line.settings.name, "ann");
    assert_string_equal(file.line.settings.places, "a, b");
    assert_true(file.line.settings.loud);
    assert_int_equal(file.line.settings.count, 9); /* the command line's */
    ks_buffer_free(&file.text);
}

static const struct {
    const char *content;
    unsigned line;
    const char *told;
} wrong_files[] = {
    {"\nname", 2, "not of the form name = value"},
    {"name ; = x", 1, "not of the form name = value"},
    {"[x]", 1, "there are no sections; write name = value"},
    {"small = 1", 1, "there is no setting \"small\"; see program --help"},
    {"= 1", 1, "there is no setting \"\"; see program --help"},
    {"name = ; x", 1, "name: \"\" does not fit; write a value that is not empty"},
    {"loud = maybe", 1, "loud: \"maybe\" does not fit; write yes or no"},
    {"name = a\n\nname = a", 3, "name was set in line 1 already; keep one of the two"},
    {"places = a\nplaces = b!", 2, "places: \"b!\" does not fit; write places; at most 15 bytes in all"},
    {"count = 0", 1, "count: \"0\" does not fit; write a number from 1 to 4294967295"},
};

static void a_line_that_is_wrong_is_told_with_its_number(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(wrong_files); i++) {
        char told[KS_OPTION_WHY_SIZE];
        struct file file;
        read_file(&file, wrong_files[i].content, strlen(wrong_files[i].content), "--count=9");
        assert_int_equal(file.result, KS_INVALID);
        /* A name follows its place; a sentence, too. */
        (void)snprintf(told, sizeof told, "%s:%u: %s", file.path, wrong_files[i].line, wrong_files[i].told);
        assert_string_equal(file.line.reader.why, told);
        ks_buffer_free(&file.text);
    }
}

static void a_byte_of_zero_is_told(void **state)
{
    (void)state;
    struct file file;
    read_file(&file, "name = a\0b\n", 11, "--count=9");
    assert_int_equal(file.result, KS_INVALID);
    assert_non_null(strstr(file.line.reader.why, ":1: has a byte in it that is 0"));
    ks_buffer_free(&file.text);
}

static void a_file_that_cannot_be_read_is_told(void **state)
{
    (void)state;
    struct line line;
    struct ks_buffer text;
    assert_true(PARSE(&line, "--loud"));
    assert_int_equal(ks_option_read_file(&line.reader, "/no/such/file", BOTH, &text), KS_NOT_FOUND);
    assert_string_equal(line.reader.why, "cannot read the configuration /no/such/file: not found");
    ks_buffer_free(&text);
    assert_int_equal(ks_option_read_file(&line.reader, "/", BOTH, &text), KS_IO);
    assert_string_equal(line.reader.why, "cannot read the configuration /: Is a directory");
    ks_buffer_free(&text);
}

/* ---- describing ---- */

static char *printed(void (*print)(FILE *stream))
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    print(stream);
    assert_int_equal(fclose(stream), 0);
    return text;
}

static void print_help(FILE *stream)
{
    ks_option_print(stream, &table, BOTH, &defaults);
}

static void print_records(FILE *stream)
{
    ks_option_describe(stream, "option", &table, BOTH, &defaults);
}

static void help_has_what_is_asked_for_with_its_defaults(void **state)
{
    (void)state;
    char *text = printed(print_help);
    assert_string_equal(text, "  --loud, -l       make noise\n"
                              "  --name NAME      who (default: nobody)\n"
                              "  --places LIST    where (default: here)\n"
                              "  --colour COLOUR  of it (default: green)\n"
                              "  --count N        how many (default: 3)\n"
                              "  --size SIZE      how large (default: 64M)\n");
    free(text);
}

static void records_have_a_field_for_everything(void **state)
{
    (void)state;
    char *text = printed(print_records);
    assert_string_equal(text,
                        "option\tloud\t\tflag\t\t\t\t\t\tl\tmake noise\n"
                        "option\tname\tNAME\ttext\t\t\t\tnobody\t\t\twho\n"
                        "option\tplaces\tLIST\tlist\t\t\t\there\t\t\twhere\n"
                        "option\tcolour\tCOLOUR\tword\t\t\t\tgreen\tred green\t\tof it\n"
                        "option\tcount\tN\tnumber\t1\t4294967295\t\t3\t\t\thow many\n"
                        "option\tsize\tSIZE\tnumber\t0\t18446744073709551615B\tMiB\t64M\t\t\thow large\n");
    free(text);
}

static void what_differs_is_seen(void **state)
{
    (void)state;
    char place[] = "nobody"; /* the same, elsewhere */
    struct settings other = defaults;
    other.name = place;
    for (size_t i = 0; i < KS_COUNT_OF(rows); i++)
        assert_true(ks_option_is_same(&rows[i], &defaults, &other));
    other = (struct settings){.loud = true, .colour = RED, .wait = 1};
    assert_false(ks_option_is_same(&rows[0], &defaults, &other));
    assert_false(ks_option_is_same(&rows[1], &defaults, &other));
    assert_false(ks_option_is_same(&rows[2], &defaults, &other));
    assert_false(ks_option_is_same(&rows[3], &defaults, &other));
    assert_false(ks_option_is_same(&rows[4], &defaults, &other));
    assert_true(ks_option_is_same(&rows[5], &defaults, &other));
    assert_false(ks_option_is_same(&rows[7], &defaults, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_given_keeps_its_default),
        cmocka_unit_test(every_kind_of_value_goes_where_the_table_says),
        cmocka_unit_test(operands_stand_between_options_and_alone_behind_two_dashes),
        cmocka_unit_test(the_last_of_two_counts_but_a_list_adds_up),
        cmocka_unit_test(h_is_help),
        cmocka_unit_test(a_letter_stands_for_its_flag_alone),
        cmocka_unit_test(what_makes_no_sense_is_told_with_what_to_write),
        cmocka_unit_test(what_a_command_does_not_take_is_found),
        cmocka_unit_test(numbers_have_units_and_are_shown_with_the_largest),
        cmocka_unit_test(what_is_no_number_changes_nothing),
        cmocka_unit_test(a_file_has_a_setting_to_a_line),
        cmocka_unit_test(a_line_that_is_wrong_is_told_with_its_number),
        cmocka_unit_test(a_byte_of_zero_is_told),
        cmocka_unit_test(a_file_that_cannot_be_read_is_told),
        cmocka_unit_test(help_has_what_is_asked_for_with_its_defaults),
        cmocka_unit_test(records_have_a_field_for_everything),
        cmocka_unit_test(what_differs_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
