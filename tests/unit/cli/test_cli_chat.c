/* Unit tests of cli/chat/chat_commands.h: what is typed in a chat. */
#include "unit/unit.h"

#include "cli/chat/chat_commands.h"

#include <string.h>

struct typed {
    const char *line;
    enum ks_chat_order order;
    const char *said;
};

static void what_is_typed_is_said_or_an_order(void **state)
{
    (void)state;
    static const struct typed lines[] = {
        {"hello", KS_CHAT_ORDER_SAY, "hello"},      {"", KS_CHAT_ORDER_SAY, ""},
        {" /help", KS_CHAT_ORDER_SAY, " /help"},    {"a/b", KS_CHAT_ORDER_SAY, "a/b"},
        {"//help", KS_CHAT_ORDER_SAY, "/help"},     {"///", KS_CHAT_ORDER_SAY, "//"},
        {"Exit", KS_CHAT_ORDER_QUIT, "Exit"},       {"/help", KS_CHAT_ORDER_HELP, "help"},
        {"/help  ", KS_CHAT_ORDER_HELP, "help"},    {"/quit", KS_CHAT_ORDER_QUIT, "quit"},
        {"/Quit", KS_CHAT_ORDER_UNKNOWN, "Quit"},   {"/quit now", KS_CHAT_ORDER_UNKNOWN, "quit now"},
        {"/who ", KS_CHAT_ORDER_WHO, "who"},        {"//who", KS_CHAT_ORDER_SAY, "/who"},
        {"/", KS_CHAT_ORDER_UNKNOWN, ""},           {"/hel", KS_CHAT_ORDER_UNKNOWN, "hel"},
        {"/ quit", KS_CHAT_ORDER_UNKNOWN, " quit"}, {"/   ", KS_CHAT_ORDER_UNKNOWN, ""},
    };
    for (size_t i = 0; i < KS_COUNT_OF(lines); i++) {
        const char *said = NULL;
        size_t size = 0;
        uint8_t *line = unit_exact_copy(lines[i].line, strlen(lines[i].line));
        const char *text = line != NULL ? (const char *)line : "";
        assert_int_equal(ks_chat_commands_order(text, strlen(lines[i].line), &said, &size), lines[i].order);
        assert_int_equal(size, strlen(lines[i].said));
        assert_memory_equal(said, lines[i].said, size);
        free(line);
    }
}

static void every_order_is_in_the_help(void **state)
{
    (void)state;
    bool help = false;
    bool quit = false;
    bool who = false;
    size_t count = 0;
    for (; ks_chat_commands_help(count) != NULL; count++) {
        help = help || strncmp(ks_chat_commands_help(count), "/help ", 6) == 0;
        quit = quit || strncmp(ks_chat_commands_help(count), "/quit ", 6) == 0;
        who = who || strncmp(ks_chat_commands_help(count), "/who ", 5) == 0;
    }
    assert_true(help && quit && who);
    assert_null(ks_chat_commands_help(count + 1));
}

static void a_name_keeps_its_colour_and_names_differ(void **state)
{
    (void)state;
    static const char *const names[] = {"alice", "bob", "carol", "dave", "eve", "mallory", "trent", ""};
    unsigned seen = 0;
    for (size_t i = 0; i < KS_COUNT_OF(names); i++) {
        unsigned colour = ks_chat_commands_colour(names[i], strlen(names[i]));
        assert_in_range(colour, 31, 36);
        assert_int_equal(colour, ks_chat_commands_colour(names[i], strlen(names[i])));
        seen |= 1U << (colour - 31);
    }
    assert_true((seen & (seen - 1)) != 0); /* more than one */
}

static void a_group_is_a_number_that_is_not_0(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",   "0", "-1", "3x", "abc", "4294967296", "99999999999999999999",
                                        "1 2"};
    unsigned group = 0;
    assert_true(ks_chat_commands_group("3", 1, &group));
    assert_int_equal(group, 3);
    assert_true(ks_chat_commands_group(" 12 ", 4, &group));
    assert_int_equal(group, 12);
    for (size_t i = 0; i < KS_COUNT_OF(wrong); i++)
        assert_false(ks_chat_commands_group(wrong[i], strlen(wrong[i]), &group));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_typed_is_said_or_an_order),
        cmocka_unit_test(every_order_is_in_the_help),
        cmocka_unit_test(a_name_keeps_its_colour_and_names_differ),
        cmocka_unit_test(a_group_is_a_number_that_is_not_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
