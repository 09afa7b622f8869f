/* test_tls_port.c — net/tls/tls_port.h and base/limits/known_networks.h: how many strangers a secure port
 * lets in. */
#include "unit/unit.h"

#include "base/limits/known_networks.h"
#include "net/tls/tls_port_internal.h"

/* Chance by hand: what it says next. */
static uint32_t next_number;

static enum ks_result fill_by_hand(const struct ks_random *random, void *bytes, size_t size)
{
    (void)random;
    assert_int_equal(size, sizeof next_number);
    memcpy(bytes, &next_number, sizeof next_number);
    return KS_OK;
}

static const struct ks_random by_hand = {.fill = fill_by_hand};

static const uint8_t stranger[KS_PEER_ADDRESS_SIZE] = {
    [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 9};
static const uint8_t user[KS_PEER_ADDRESS_SIZE] = {
    [10] = 0xff, [11] = 0xff, [12] = 198, [13] = 51, [14] = 100, [15] = 1};
static const uint8_t neighbour[KS_PEER_ADDRESS_SIZE] = {
    [10] = 0xff, [11] = 0xff, [12] = 198, [13] = 51, [14] = 100, [15] = 77};

static struct ks_tls_port *new_port(void)
{
    struct ks_tls_port *port = NULL;
    const struct ks_tls_port_options options = {.clock = ks_clock_system(), .random = &by_hand};
    assert_int_equal(ks_tls_port_new(&options, &port), KS_OK);
    return port;
}

/* Strangers come until one is not let in. How many there are then. */
static unsigned fill(struct ks_tls_port *port, const uint8_t *address)
{
    while (ks_tls_port_admit_stranger(port, address))
        ;
    return ks_tls_port_unsigned(port);
}

static void empty(struct ks_tls_port *port)
{
    while (ks_tls_port_unsigned(port) > 0)
        ks_tls_port_count_out_stranger(port);
}

static void test_up_to_half_of_the_limit_everybody_is_let_in(void **state)
{
    (void)state;
    struct ks_tls_port *port = new_port();
    next_number = 0; /* bad luck */
    assert_int_equal(fill(port, stranger), KS_TLS_UNSIGNED_LIMIT / 2 + 1);
    empty(port);
    ks_tls_port_free(port);
}

static void test_the_last_quarter_is_for_networks_of_users(void **state)
{
    (void)state;
    struct ks_tls_port *port = new_port();
    next_number = 255; /* of 256: luck up to the end */
    assert_int_equal(fill(port, stranger), KS_TLS_UNSIGNED_LIMIT - KS_TLS_UNSIGNED_LIMIT / 4);
    ks_tls_port_note_user(port, user);
    next_number = 511; /* of 512 */
    assert_int_equal(fill(port, neighbour), KS_TLS_UNSIGNED_LIMIT);
    assert_false(ks_tls_port_admit_stranger(port, stranger));
    empty(port);
    ks_tls_port_free(port);
}

static void test_from_half_on_the_chance_grows_worse(void **state)
{
    (void)state;
    struct ks_tls_port *port = new_port();
    next_number = 100; /* of 256: as soon as more than a hundred are above the half */
    assert_int_equal(fill(port, stranger), KS_TLS_UNSIGNED_LIMIT / 2 + 101);
    empty(port);
    ks_tls_port_free(port);
}

static void test_who_is_not_let_in_is_counted_and_takes_no_place(void **state)
{
    (void)state;
    struct ks_tls_port *port = new_port();
    next_number = 0;
    fill(port, stranger);
    assert_false(ks_tls_port_admit_stranger(port, stranger));
    assert_int_equal(atomic_load(&ks_tls_port_counts(port)->dropped), 2);
    ks_tls_port_count_out_stranger(port);
    assert_true(ks_tls_port_admit_stranger(port, stranger));
    empty(port);
    ks_tls_port_free(port);
}

static void test_handshakes_have_a_limit_of_their_own(void **state)
{
    (void)state;
    struct ks_tls_port *port = new_port();
    next_number = 0;
    unsigned count = 0;
    while (ks_tls_port_admit_handshake(port, stranger))
        count++;
    assert_int_equal(count, KS_TLS_HANDSHAKES_LIMIT / 2 + 1);
    assert_int_equal(ks_tls_port_handshakes(port), count);
    while (count-- > 0)
        ks_tls_port_count_out_handshake(port);
    ks_tls_port_free(port);
}

static void test_a_network_is_known_for_a_week(void **state)
{
    (void)state;
    struct ks_known_networks *known = NULL;
    assert_int_equal(ks_known_networks_new(&(struct ks_hash_key){{7}}, &known), KS_OK);
    assert_false(ks_known_networks_contain(known, user, 0));
    ks_known_networks_add(known, user, 0);
    assert_true(ks_known_networks_contain(known, neighbour, 1000));
    assert_false(ks_known_networks_contain(known, stranger, 1000));
    assert_true(ks_known_networks_contain(known, user, KS_KNOWN_NETWORK_MS));
    assert_false(ks_known_networks_contain(known, user, KS_KNOWN_NETWORK_MS + 2));
    ks_known_networks_add(known, user, KS_KNOWN_NETWORK_MS);
    assert_true(ks_known_networks_contain(known, user, KS_KNOWN_NETWORK_MS + 2));
    ks_known_networks_free(known);
}

static void test_an_ipv6_network_is_a_48(void **state)
{
    (void)state;
    struct ks_known_networks *known = NULL;
    uint8_t address[KS_PEER_ADDRESS_SIZE] = {0x20, 1, 0x0d, 0xb8, 0, 1, 0, 2};
    assert_int_equal(ks_known_networks_new(&(struct ks_hash_key){{7}}, &known), KS_OK);
    ks_known_networks_add(known, address, 1);
    address[7] = 3;
    assert_true(ks_known_networks_contain(known, address, 2));
    address[5] = 2;
    assert_false(ks_known_networks_contain(known, address, 2));
    ks_known_networks_free(known);
}

static void test_many_networks_take_no_more_memory_and_the_newest_stay(void **state)
{
    (void)state;
    struct ks_known_networks *known = NULL;
    uint8_t address[KS_PEER_ADDRESS_SIZE] = {[10] = 0xff, [11] = 0xff};
    assert_int_equal(ks_known_networks_new(&(struct ks_hash_key){{7}}, &known), KS_OK);
    for (uint32_t i = 0; i < 100000; i++) {
        memcpy(address + 12, &i, 3);
        ks_known_networks_add(known, address, i + 1);
        assert_true(ks_known_networks_contain(known, address, i + 2));
    }
    ks_known_networks_free(known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_up_to_half_of_the_limit_everybody_is_let_in),
        cmocka_unit_test(test_the_last_quarter_is_for_networks_of_users),
        cmocka_unit_test(test_from_half_on_the_chance_grows_worse),
        cmocka_unit_test(test_who_is_not_let_in_is_counted_and_takes_no_place),
        cmocka_unit_test(test_handshakes_have_a_limit_of_their_own),
        cmocka_unit_test(test_a_network_is_known_for_a_week),
        cmocka_unit_test(test_an_ipv6_network_is_a_48),
        cmocka_unit_test(test_many_networks_take_no_more_memory_and_the_newest_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
