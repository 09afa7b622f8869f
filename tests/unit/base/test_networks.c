/* test_networks.c — lists of networks, and what an address may ask for in an hour. */
#include "base/limits/allowance.h"
#include "base/limits/networks.h"

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

static bool share_level(const char *one, const char *other, unsigned level)
{
    uint8_t address[KS_NETWORK_ADDRESS_SIZE];
    address_of(one, address);
    const struct ks_network_levels levels = ks_networks_levels(address);
    address_of(other, address);
    const struct ks_network_levels others = ks_networks_levels(address);
    return level < levels.count && level < others.count &&
           memcmp(levels.keys[level], others.keys[level], sizeof levels.keys[level]) == 0;
}

static void a_customer_is_an_address_or_a_64_in_a_56_in_a_48(void **state)
{
    uint8_t address[KS_NETWORK_ADDRESS_SIZE];
    (void)state;
    assert_true(share_level("2001:db8:1:2::5", "2001:db8:1:2:ffff::6", 0));
    assert_false(share_level("2001:db8:1:2::5", "2001:db8:1:3::5", 0));
    assert_true(share_level("2001:db8:1:2::5", "2001:db8:1:3::5", 1));
    assert_false(share_level("2001:db8:1:2::5", "2001:db8:1:102::5", 1));
    assert_true(share_level("2001:db8:1:2::5", "2001:db8:1:102::5", 2));
    assert_false(share_level("2001:db8:1:2::5", "2001:db8:2:2::5", 2));
    assert_true(share_level("192.0.2.1", "192.0.2.1", 0));
    assert_false(share_level("192.0.2.1", "192.0.2.2", 0));
    assert_false(share_level("192.0.2.1", "192.0.2.1", 1)); /* there is one level only */
    address_of("2001:db8::", address);                      /* a network's levels are not each other's */
    const struct ks_network_levels levels = ks_networks_levels(address);
    assert_memory_not_equal(levels.keys[0], levels.keys[1], sizeof levels.keys[0]);
    assert_memory_not_equal(levels.keys[1], levels.keys[2], sizeof levels.keys[0]);
}

/* The vectors of the paper: the key 00 01 … 0f, and inputs 00 01 …. */
static void the_keyed_hash_is_siphash_2_4(void **state)
{
    struct ks_hash_key key;
    uint8_t bytes[KS_HASH_KEY_SIZE];
    (void)state;
    for (unsigned i = 0; i < KS_HASH_KEY_SIZE; i++)
        key.bytes[i] = bytes[i] = (uint8_t)i;
    assert_int_equal(ks_keyed_hash(&key, bytes, 0), UINT64_C(0x726fdb47dd0e0e31));
    assert_int_equal(ks_keyed_hash(&key, bytes, 8), UINT64_C(0x93f5f5799a932462));
    assert_int_equal(ks_keyed_hash(&key, bytes, 15), UINT64_C(0xa129ca6149be45e5));
    key.bytes[15] ^= 1;
    assert_int_not_equal(ks_keyed_hash(&key, bytes, 15), UINT64_C(0xa129ca6149be45e5));
}

static void an_allowance_is_for_an_hour_and_comes_back_over_the_hour(void **state)
{
    struct ks_allowance *allowance = NULL;
    uint8_t address[KS_NETWORK_ADDRESS_SIZE];
    uint8_t other[KS_NETWORK_ADDRESS_SIZE];
    const uint64_t hour = UINT64_C(3600) * 1000;
    uint64_t now = 5 * hour;
    (void)state;
    assert_int_equal(ks_allowance_new(&(struct ks_hash_key){{0}}, &allowance), KS_OK);
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

static void who_owes_something_is_forgotten_for_nobody(void **state)
{
    enum { MANY = 100 * 1000 };
    struct ks_allowance *allowance = NULL;
    uint8_t address[KS_NETWORK_ADDRESS_SIZE];
    uint8_t busy[KS_NETWORK_ADDRESS_SIZE];
    unsigned granted = 0;
    (void)state;
    assert_int_equal(ks_allowance_new(&(struct ks_hash_key){{0}}, &allowance), KS_OK);
    address_of("192.0.2.1", busy);
    address_of("10.0.0.0", address);
    assert_true(ks_allowance_take(allowance, busy, 1, 1000));
    for (unsigned i = 0; i < MANY; i++) {
        memcpy(address + 12, &i, sizeof i);
        granted += ks_allowance_take(allowance, address, 1, 1000) ? 1 : 0;
        assert_false(ks_allowance_take(allowance, address, 1, 1000)); /* it has had it, or there is no room */
    }
    assert_in_range(granted, 1000, MANY / 2); /* memory is constant, so the others were refused */
    assert_false(ks_allowance_take(allowance, busy, 1, 1000));
    const uint64_t later = 1000 + UINT64_C(3600) * 1000;
    assert_true(ks_allowance_take(allowance, busy, 1, later));
    ks_allowance_free(allowance);
}

/* How many of a hundred networks, `step` apart in 2001:db8:1::/48, are granted one each. */
static unsigned granted_to_networks(unsigned step, unsigned per_hour)
{
    struct ks_allowance *allowance = NULL;
    uint8_t address[KS_NETWORK_ADDRESS_SIZE];
    unsigned granted = 0;
    assert_int_equal(ks_allowance_new(&(struct ks_hash_key){{0}}, &allowance), KS_OK);
    address_of("2001:db8:1::1", address);
    for (unsigned i = 0; i < 100; i++) {
        address[6] = (uint8_t)(i * step >> 8);
        address[7] = (uint8_t)(i * step);
        granted += ks_allowance_take(allowance, address, per_hour, 1000) ? 1 : 0;
    }
    ks_allowance_free(allowance);
    return granted;
}

static void an_allowance_is_also_of_the_56_and_the_48(void **state)
{
    (void)state;
    assert_int_equal(granted_to_networks(1, 10), 40);
    assert_int_equal(granted_to_networks(256, 5), 80);
    assert_int_equal(granted_to_networks(0, 10), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_contains_what_its_networks_do),
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(a_list_may_be_replaced_while_it_is_asked),
        cmocka_unit_test(a_customer_is_an_address_or_a_64_in_a_56_in_a_48),
        cmocka_unit_test(the_keyed_hash_is_siphash_2_4),
        cmocka_unit_test(an_allowance_is_for_an_hour_and_comes_back_over_the_hour),
        cmocka_unit_test(who_owes_something_is_forgotten_for_nobody),
        cmocka_unit_test(an_allowance_is_also_of_the_56_and_the_48),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
