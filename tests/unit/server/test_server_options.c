/* Unit tests of server/server_options.h: the table of kesherd. */
#include "unit/unit.h"

#include "server/server_options.h"

#include <stdio.h>

/* What --help shows can be written into the configuration, and means the same. */
static void every_default_is_a_value_of_its_option(void **state)
{
    (void)state;
    static struct ks_server_options options;
    for (size_t i = 0; i < ks_server_options_table.count; i++) {
        const struct ks_option *option = &ks_server_options_table.options[i];
        char text[KS_OPTION_VALUE_SIZE];
        const char *shown = ks_option_show(option, &ks_server_options_defaults, text);
        if (shown == NULL)
            continue;
        options = ks_server_options_defaults;
        assert_true(ks_option_set(option, shown, (char *)&options + option->offset));
        assert_true(ks_option_is_same(option, &options, &ks_server_options_defaults));
    }
}

/* A number that the table allows is never cut. */
static void every_number_has_room_in_its_member(void **state)
{
    (void)state;
    for (size_t i = 0; i < ks_server_options_table.count; i++) {
        const struct ks_option *option = &ks_server_options_table.options[i];
        if (option->kind < KS_OPTION_COUNT)
            continue;
        assert_true(option->size == sizeof(uint64_t) || option->most <= UINT32_MAX);
        assert_true(option->least <= option->most);
    }
}

static void only_what_a_reload_cannot_change_counts_as_a_change(void **state)
{
    (void)state;
    static struct ks_server_options options;
    options = ks_server_options_defaults;
    options.groups = 7;
    options.header_timeout = 7;
    options.unlimited_networks[0] = '\0';
    options.check_config = true;
    assert_null(ks_server_options_first_change(&ks_server_options_defaults, &options));
    options.name = "other";
    assert_string_equal(ks_server_options_first_change(&ks_server_options_defaults, &options), "name");
}

static void without_a_word_strangers_register_where_only_this_machine_reaches(void **state)
{
    static const char *const here[] = {"127.0.0.1:1358", "1358",        "[::1]:1358",
                                       "127.9.9.9:5",    "localhost:1", "off"};
    static const char *const there[] = {":1358",
                                        "0.0.0.0:1358",
                                        "[::]:1358",
                                        "192.0.2.7:1358",
                                        "[2001:db8::1]:1",
                                        "127.0.0.1.example.org:1",
                                        "[::ffff:1.2.3.4]:1"};
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(here); i++)
        assert_int_equal(ks_server_options_admission(KS_REGISTRATION_SETTING_UNSET, here[i]).secure,
                         KS_REGISTRATION_SETTING_OPEN);
    for (size_t i = 0; i < KS_COUNT_OF(there); i++) {
        struct ks_server_admission unset =
            ks_server_options_admission(KS_REGISTRATION_SETTING_UNSET, there[i]);
        assert_int_equal(unset.secure, KS_REGISTRATION_SETTING_INVITED);
        assert_int_equal(unset.classic, KS_REGISTRATION_SETTING_OPEN);
    }
}

static void a_word_about_registration_holds_for_all_ports(void **state)
{
    (void)state;
    for (unsigned i = KS_REGISTRATION_SETTING_OPEN; i < KS_REGISTRATION_SETTING_UNSET; i++) {
        struct ks_server_admission set =
            ks_server_options_admission((enum ks_registration_setting)i, i == 0 ? ":1358" : "1358");
        assert_int_equal(set.secure, i);
        assert_int_equal(set.classic, i);
    }
}

static void a_certificate_without_its_key_is_no_configuration(void **state)
{
    static struct ks_server_options options;
    (void)state;
    options = ks_server_options_defaults;
    assert_null(ks_server_options_judge(&options));
    options.certificate = "/a";
    assert_non_null(ks_server_options_judge(&options));
    options.private_key = "/b";
    assert_null(ks_server_options_judge(&options));
    options.certificate = NULL;
    assert_non_null(ks_server_options_judge(&options));
}

static void a_name_for_an_operators_command_is_one_line_that_is_seen(void **state)
{
    static const char *const names[] = {"alice", "Zo\xc3\xab", " a", "\xd0\xb0\xd0\xbb", "a--b"};
    static const char *const others[] = {"", "  ", "a\nb", "a\x7f", "\xff", "a\xc3", "\342\200\256evil"};
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        assert_true(ks_server_options_is_name(names[i], 64));
    for (size_t i = 0; i < KS_COUNT_OF(others); i++)
        assert_false(ks_server_options_is_name(others[i], 64));
    assert_true(ks_server_options_is_name("1234", 4));
    assert_false(ks_server_options_is_name("1234", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_a_value_of_its_option),
        cmocka_unit_test(every_number_has_room_in_its_member),
        cmocka_unit_test(only_what_a_reload_cannot_change_counts_as_a_change),
        cmocka_unit_test(without_a_word_strangers_register_where_only_this_machine_reaches),
        cmocka_unit_test(a_word_about_registration_holds_for_all_ports),
        cmocka_unit_test(a_name_for_an_operators_command_is_one_line_that_is_seen),
        cmocka_unit_test(a_certificate_without_its_key_is_no_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
