/* test_networks.c — lists of networks, and what an address may ask for in an hour. */
#include "base/allowance.h"
#include "base/networks.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* An address as connections tell it. */
static void address_of(const char *text, uint8_t address[static KS_NETWORK_ADDRESS_SIZE])
{
    memset(address, 0, KS_NETWORK_ADDRESS_SIZE);
    if (inet_pton(AF_INET, text, address + 12) == 1)
        memset(address + 10, 0xff, 2);
    else
        assert_int_equal(inet_pton(AF_INET6, text, address), 1);
}

static bool contains(const char *list, const char *text)
{
    struct ks_networks *networks = NULL;
    uint8_t address[KS_NETWORK_ADDRESS_SIZE];
    address_of(text, address);
    assert_int_equal(ks_networks_parse(list, &networks), KS_OK);
    bool found = ks_networks_contain(networks, address);
    ks_networks_free(networks);
    return found;
}

static void a_list_contains_what_its_networks_do(void **state)
{
    (void)state;
    assert_true(contains("10.0.0.0/8", "10.255.1.2"));
    assert_false(contains("10.0.0.0/8", "11.0.0.0"));
    assert_true(contains("192.0.2.7", "192.0.2.7"));
    assert_false(contains("192.0.2.7", "192.0.2.8"));
    assert_true(contains("fd00::/8, 172.16.0.0/12", "172.31.255.255"));
    assert_false(contains("fd00::/8, 172.16.0.0/12", "172.32.0.0"));
    assert_true(contains("fd00::/8 ::1", "fdff::1"));
    assert_true(contains("fd00::/8 ::1", "::1"));
    assert_true(contains("0.0.0.0/0", "203.0.113.9"));
    assert_false(contains("0.0.0.0/0", "2001:db8::1"));
    assert_true(contains("::/0", "203.0.113.9"));
    assert_true(contains("192.0.2.128/25", "192.0.2.200"));
    assert_false(contains("192.0.2.128/25", "192.0.2.100"));
    assert_false(contains("none", "127.0.0.1"));
    assert_false(contains("", "127.0.0.1"));
}

static void what_is_no_list_is_refused(void **state)
{
    static const char *const wrong[] = {"10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8",        "x",
                                        "10.0.0.1/8x", "/8",     "none, ::1", "10.0.0.0/0000008"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct ks_networks *networks = NULL;
        assert_int_equal(ks_networks_parse(wrong[i], &networks), KS_INVALID);
        assert_null(networks);
    }
}

static void a_list_may_be_replaced_while_it_is_asked(void **state)
{
    struct ks_networks_current current = {.newest = NULL};
    uint8_t address[KS_NETWORK_ADDRESS_SIZE];
    struct ks_networks *networks = NULL;
    (void)state;
    address_of("127.0.0.1", address);
    assert_false(ks_networks_current_contain(&current, address));
    assert_int_equal(ks_networks_parse("127.0.0.0/8", &networks), KS_OK);
    ks_networks_replace(&current, networks);
    assert_true(ks_networks_current_contain(&current, address));
    assert_int_equal(ks_networks_parse("none", &networks), KS_OK);
    ks_networks_replace(&current, networks);
    assert_false(ks_networks_current_contain(&current, address));
    ks_networks_clear(&current);
}

static void a_customer_is_an_address_or_a_64(void **state)
{
    uint8_t one[KS_NETWORK_ADDRESS_SIZE];
    uint8_t other[KS_NETWORK_ADDRESS_SIZE];
    (void)state;
    address_of("2001:db8:1:2::5", one);
    address_of("2001:db8:1:2:ffff::6", other);
    ks_networks_customer(one, one);
    ks_networks_customer(other, other);
    assert_memory_equal(one, other, sizeof one);
    address_of("192.0.2.1", one);
    address_of("192.0.2.2", other);
    ks_networks_customer(one, one);
    ks_networks_customer(other, other);
    assert_memory_not_equal(one, other, sizeof one);
}

static void an_allowance_is_for_an_hour_and_comes_back_over_the_hour(void **state)
{
    struct ks_allowance *allowance = NULL;
    uint8_t address[KS_NETWORK_ADDRESS_SIZE];
    uint8_t other[KS_NETWORK_ADDRESS_SIZE];
    const uint64_t hour = UINT64_C(3600) * 1000;
    uint64_t now = 5 * hour;
    (void)state;
    assert_int_equal(ks_allowance_new(&allowance), KS_OK);
    address_of("192.0.2.1", address);
    address_of("192.0.2.2", other);
    for (unsigned i = 0; i < 60; i++)
        assert_true(ks_allowance_take(allowance, address, 60, now));
    assert_false(ks_allowance_take(allowance, address, 60, now));
    assert_true(ks_allowance_take(allowance, other, 60, now));
    assert_true(ks_allowance_take(allowance, address, 0, now)); /* no limit */
    now += hour / 60;
    assert_true(ks_allowance_take(allowance, address, 60, now));
    assert_false(ks_allowance_take(allowance, address, 60, now));
    now += 2 * hour; /* no more than an hour's is ever saved */
    for (unsigned i = 0; i < 60; i++)
        assert_true(ks_allowance_take(allowance, address, 60, now));
    assert_false(ks_allowance_take(allowance, address, 60, now));
    ks_allowance_free(allowance);
}

static void many_addresses_take_each_others_places_but_never_more_memory(void **state)
{
    struct ks_allowance *allowance = NULL;
    uint8_t address[KS_NETWORK_ADDRESS_SIZE];
    uint8_t busy[KS_NETWORK_ADDRESS_SIZE];
    (void)state;
    assert_int_equal(ks_allowance_new(&allowance), KS_OK);
    address_of("192.0.2.1", busy);
    address_of("10.0.0.0", address);
    for (unsigned i = 0; i < 10; i++)
        assert_true(ks_allowance_take(allowance, busy, 10, 1000));
    for (unsigned i = 0; i < 100000; i++) {
        memcpy(address + 12, &i, sizeof i);
        assert_true(ks_allowance_take(allowance, address, 10, 1000));
    }
    assert_false(ks_allowance_take(allowance, busy, 10, 1000)); /* who has least left is kept in mind */
    ks_allowance_free(allowance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_contains_what_its_networks_do),
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(a_list_may_be_replaced_while_it_is_asked),
        cmocka_unit_test(a_customer_is_an_address_or_a_64),
        cmocka_unit_test(an_allowance_is_for_an_hour_and_comes_back_over_the_hour),
        cmocka_unit_test(many_addresses_take_each_others_places_but_never_more_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
