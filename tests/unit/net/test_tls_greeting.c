/* test_tls_greeting.c — net/tls/client_hello.h and proxy_header.h: what strangers say first. */
#include "unit/unit.h"

#include "net/tls/client_hello.h"
#include "net/tls/proxy_header.h"

enum { LIMIT = 16 * 1024 };

/* A hello of `length` bytes behind its header, in records of at most `fragment` bytes. Returns its size. */
static size_t make_hello(uint8_t *bytes, size_t length, size_t fragment)
{
    size_t size = 0;
    size_t message = length + 4;
    for (size_t done = 0; done < message;) {
        size_t part = message - done < fragment ? message - done : fragment;
        const uint8_t header[5] = {22, 3, 1, (uint8_t)(part >> 8), (uint8_t)part};
        memcpy(bytes + size, header, sizeof header);
        size += sizeof header;
        for (size_t i = 0; i < part; i++, done++) {
            const uint8_t start[4] = {1, (uint8_t)(length >> 16), (uint8_t)(length >> 8), (uint8_t)length};
            bytes[size++] = done < sizeof start ? start[done] : 0xaa;
        }
    }
    return size;
}

static void test_a_hello_is_whole_with_its_last_byte(void **state)
{
    (void)state;
    static const size_t fragments[] = {1, 2, 3, 4, 5, 100, 16384};
    uint8_t bytes[8192];
    for (size_t i = 0; i < KS_COUNT_OF(fragments); i++) {
        size_t size = make_hello(bytes, 500, fragments[i]);
        for (size_t cut = 0; cut < size; cut++) {
            uint8_t *copy = unit_exact_copy(bytes, cut);
            assert_int_equal(ks_client_hello_scan(copy, cut, LIMIT), KS_MORE);
            free(copy);
        }
        assert_int_equal(ks_client_hello_scan(bytes, size, LIMIT), KS_OK);
    }
}

static void test_what_is_no_hello_is_known_by_its_first_wrong_byte(void **state)
{
    (void)state;
    static const uint8_t other_message[] = {22, 3, 1, 0, 10, 2};
    static const uint8_t empty_record[] = {22, 3, 1, 0, 0};
    static const uint8_t long_record[] = {22, 3, 1, 0x40, 1};
    assert_int_equal(ks_client_hello_scan((const uint8_t *)"G", 1, LIMIT), KS_INVALID);
    assert_int_equal(ks_client_hello_scan((const uint8_t *)"\x16\x02", 2, LIMIT), KS_INVALID);
    assert_int_equal(ks_client_hello_scan((const uint8_t *)"\x80", 1, LIMIT), KS_INVALID); /* SSL 2 */
    assert_int_equal(ks_client_hello_scan(other_message, sizeof other_message, LIMIT), KS_INVALID);
    assert_int_equal(ks_client_hello_scan(empty_record, sizeof empty_record, LIMIT), KS_INVALID);
    assert_int_equal(ks_client_hello_scan(long_record, sizeof long_record, LIMIT), KS_INVALID);
}

static void test_a_hello_that_says_it_is_too_long_is_refused_at_once(void **state)
{
    (void)state;
    static const uint8_t says_so[] = {22, 3, 1, 0x40, 0, 1, 0x01, 0xff, 0xb8}; /* 131,000 */
    assert_int_equal(ks_client_hello_scan(says_so, sizeof says_so, LIMIT), KS_TOO_LARGE);
}

static void test_a_hello_in_too_many_records_is_too_long(void **state)
{
    (void)state;
    static uint8_t bytes[6 * 4096];
    size_t size = make_hello(bytes, 4000, 1);
    assert_int_equal(ks_client_hello_scan(bytes, LIMIT - 1, LIMIT), KS_MORE);
    assert_int_equal(ks_client_hello_scan(bytes, LIMIT, LIMIT), KS_TOO_LARGE);
    assert_true(size > LIMIT);
    assert_int_equal(ks_client_hello_scan(bytes, size, LIMIT), KS_TOO_LARGE); /* all at once, too */
}

static const uint8_t ipv4[] = {13, 10, 13,  10, 0, 13, 10, 'Q', 'U', 'I', 'T',  10,   0x21, 0x11,
                               0,  12, 192, 0,  2, 7,  10, 0,   0,   1,   0x9c, 0x40, 5,    0x4e};

static void test_a_proxy_names_an_ipv4_address(void **state)
{
    (void)state;
    static const uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7};
    struct ks_proxy_header header;
    for (size_t cut = 0; cut < sizeof ipv4; cut++) {
        uint8_t *copy = unit_exact_copy(ipv4, cut);
        assert_int_equal(ks_proxy_header_parse(copy, cut, &header), KS_MORE);
        free(copy);
    }
    assert_int_equal(ks_proxy_header_parse(ipv4, sizeof ipv4, &header), KS_OK);
    assert_int_equal(header.size, sizeof ipv4);
    assert_true(header.has_address);
    assert_int_equal(header.port, 40000);
    assert_memory_equal(header.address, mapped, sizeof mapped);
}

static void test_a_proxy_names_an_ipv6_address_and_says_more_that_is_skipped(void **state)
{
    (void)state;
    uint8_t bytes[16 + 36 + 5] = {0};
    struct ks_proxy_header header;
    memcpy(bytes, ipv4, 12);
    bytes[12] = 0x21;
    bytes[13] = 0x21;
    bytes[15] = 36 + 5;
    for (size_t i = 0; i < 16; i++)
        bytes[16 + i] = (uint8_t)(0x20 + i);
    bytes[48] = 1;
    assert_int_equal(ks_proxy_header_parse(bytes, sizeof bytes - 1, &header), KS_MORE);
    assert_int_equal(ks_proxy_header_parse(bytes, sizeof bytes, &header), KS_OK);
    assert_int_equal(header.size, sizeof bytes);
    assert_int_equal(header.port, 256);
    assert_memory_equal(header.address, bytes + 16, 16);
}

static void test_a_proxy_may_speak_for_itself(void **state)
{
    (void)state;
    uint8_t bytes[16] = {0};
    struct ks_proxy_header header;
    memcpy(bytes, ipv4, 12);
    bytes[12] = 0x20;
    assert_int_equal(ks_proxy_header_parse(bytes, sizeof bytes, &header), KS_OK);
    assert_false(header.has_address);
    assert_int_equal(header.size, 16);
}

static void refuse(size_t place, uint8_t value, enum ks_result expected)
{
    uint8_t bytes[sizeof ipv4];
    struct ks_proxy_header header;
    memcpy(bytes, ipv4, sizeof bytes);
    bytes[place] = value;
    assert_int_equal(ks_proxy_header_parse(bytes, sizeof bytes, &header), expected);
}

static void test_what_is_no_proxy_header_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < 12; i++)
        refuse(i, 'P', KS_INVALID);
    refuse(12, 0x11, KS_INVALID); /* version 1 */
    refuse(12, 0x22, KS_INVALID); /* another command */
    refuse(13, 0x12, KS_INVALID); /* UDP */
    refuse(13, 0x31, KS_INVALID); /* a socket in the file system */
    refuse(13, 0x21, KS_INVALID); /* IPv6 in twelve bytes */
    refuse(14, 0xff, KS_TOO_LARGE);
    refuse(15, 11, KS_INVALID); /* too short for its address */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_hello_is_whole_with_its_last_byte),
        cmocka_unit_test(test_what_is_no_hello_is_known_by_its_first_wrong_byte),
        cmocka_unit_test(test_a_hello_that_says_it_is_too_long_is_refused_at_once),
        cmocka_unit_test(test_a_hello_in_too_many_records_is_too_long),
        cmocka_unit_test(test_a_proxy_names_an_ipv4_address),
        cmocka_unit_test(test_a_proxy_names_an_ipv6_address_and_says_more_that_is_skipped),
        cmocka_unit_test(test_a_proxy_may_speak_for_itself),
        cmocka_unit_test(test_what_is_no_proxy_header_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
