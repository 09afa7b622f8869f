/* test_messages_codec.c — the payloads of the message service, each whole, cut at every byte, and back again.
 */
#include "wire/messages_codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct ks_client_id some_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static void a_user_entry_is_an_alias_and_a_name_field(void **state)
{
    (void)state;
    struct ks_listed_user entry = {.alias = some_id, .name = "dana", .name_size = 4};
    struct ks_listed_user parsed = {.name = NULL};
    uint8_t bytes[KS_LISTED_USER_SIZE];
    assert_int_equal(KS_LISTED_USER_SIZE, 271);
    assert_int_equal(ks_listed_user_encode(&entry, bytes), KS_OK);
    for (size_t size = 0; size < sizeof bytes; size++)
        assert_int_equal(ks_listed_user_parse(bytes, size, &parsed), KS_MORE);
    assert_int_equal(ks_listed_user_parse(bytes, sizeof bytes, &parsed), KS_OK);
    assert_memory_equal(&parsed.alias, &some_id, sizeof some_id);
    assert_int_equal(parsed.name_size, 4);
    assert_memory_equal(parsed.name, "dana", 4);
    memset(bytes + KS_CLIENT_ID_SIZE, 'x', KS_TEXT_FIELD_SIZE);
    assert_int_equal(ks_listed_user_parse(bytes, sizeof bytes, &parsed), KS_INVALID);
}

static void a_message_to_be_sent_is_target_type_and_size(void **state)
{
    (void)state;
    static const uint8_t expected_end[] = {3, 0x78, 0x56, 0x34, 0x12};
    struct ks_send_message_payload payload = {.target = some_id, .type = 3, .content_size = 0x12345678};
    struct ks_send_message_payload parsed = {.type = 0};
    uint8_t bytes[KS_SEND_MESSAGE_FIXED_SIZE];
    assert_int_equal(KS_SEND_MESSAGE_FIXED_SIZE, 21);
    ks_send_message_payload_encode(&payload, bytes);
    assert_memory_equal(bytes, some_id.bytes, 16);
    assert_memory_equal(bytes + 16, expected_end, sizeof expected_end);
    for (size_t size = 0; size < sizeof bytes; size++)
        assert_int_equal(ks_send_message_payload_parse(bytes, size, &parsed), KS_MORE);
    assert_int_equal(ks_send_message_payload_parse(bytes, sizeof bytes, &parsed), KS_OK);
    assert_memory_equal(&parsed.target, &some_id, sizeof some_id);
    assert_int_equal(parsed.type, 3);
    assert_int_equal(parsed.content_size, 0x12345678);
}

static void a_waiting_message_is_sender_id_type_and_size(void **state)
{
    (void)state;
    static const uint8_t expected_end[] = {0xFF, 0xFF, 0xFF, 0xFF, 4, 1, 0, 0, 0};
    struct ks_waiting_message message = {
        .sender = some_id, .message_id = UINT32_MAX, .type = 4, .content_size = 1};
    struct ks_waiting_message parsed = {.type = 0};
    uint8_t bytes[KS_WAITING_MESSAGE_FIXED_SIZE];
    assert_int_equal(KS_WAITING_MESSAGE_FIXED_SIZE, 25);
    ks_waiting_message_encode(&message, bytes);
    assert_memory_equal(bytes + 16, expected_end, sizeof expected_end);
    for (size_t size = 0; size < sizeof bytes; size++)
        assert_int_equal(ks_waiting_message_parse(bytes, size, &parsed), KS_MORE);
    assert_int_equal(ks_waiting_message_parse(bytes, sizeof bytes, &parsed), KS_OK);
    assert_memory_equal(&parsed.sender, &some_id, sizeof some_id);
    assert_int_equal(parsed.message_id, UINT32_MAX);
    assert_int_equal(parsed.type, 4);
    assert_int_equal(parsed.content_size, 1);
}

static void answers_of_any_other_size_are_invalid(void **state)
{
    (void)state;
    struct ks_user_key_answer key = {.target = some_id};
    struct ks_user_key_answer parsed_key;
    struct ks_message_stored_answer stored = {.target = some_id, .message_id = 7};
    struct ks_message_stored_answer parsed_stored;
    uint8_t key_bytes[KS_USER_KEY_ANSWER_SIZE + 1] = {0};
    uint8_t stored_bytes[KS_MESSAGE_STORED_ANSWER_SIZE + 1] = {0};
    memset(key.public_key, 0x5A, sizeof key.public_key);
    ks_user_key_answer_encode(&key, key_bytes);
    ks_message_stored_answer_encode(&stored, stored_bytes);
    for (size_t size = 0; size <= sizeof key_bytes; size++)
        assert_int_equal(ks_user_key_answer_parse(key_bytes, size, &parsed_key),
                         size == KS_USER_KEY_ANSWER_SIZE ? KS_OK : KS_INVALID);
    for (size_t size = 0; size <= sizeof stored_bytes; size++)
        assert_int_equal(ks_message_stored_answer_parse(stored_bytes, size, &parsed_stored),
                         size == KS_MESSAGE_STORED_ANSWER_SIZE ? KS_OK : KS_INVALID);
    assert_memory_equal(&parsed_key, &key, sizeof key);
    assert_memory_equal(&parsed_stored.target, &some_id, sizeof some_id);
    assert_int_equal(parsed_stored.message_id, 7);
}

static void only_types_one_to_four_are_known(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++)
        assert_int_equal(ks_message_type_is_known((uint8_t)type), type >= 1 && type <= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_entry_is_an_alias_and_a_name_field),
        cmocka_unit_test(a_message_to_be_sent_is_target_type_and_size),
        cmocka_unit_test(a_waiting_message_is_sender_id_type_and_size),
        cmocka_unit_test(answers_of_any_other_size_are_invalid),
        cmocka_unit_test(only_types_one_to_four_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
