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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_a_value_of_its_option),
        cmocka_unit_test(every_number_has_room_in_its_member),
        cmocka_unit_test(only_what_a_reload_cannot_change_counts_as_a_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
