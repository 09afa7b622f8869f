/* Unit tests of wire/frame.h and wire/drop_codec.h: every codec against bytes written by hand, and cut short
 * at every byte.
 */
#include "unit/unit.h"

#include "base/bytes.h"
#include "wire/drop_codec.h"

#include <stdlib.h>
#include <string.h>

static struct ks_client_id id_of(uint8_t first)
{
    struct ks_client_id id = {{0}};
    for (size_t i = 0; i < sizeof id.bytes; i++)
        id.bytes[i] = (uint8_t)(first + i);
    return id;
}

/* ---- cursors ---- */

static void integers_are_little_endian_and_unaligned(void **state)
{
    (void)state;
    uint8_t bytes[7] = {0};
    ks_store_u16(bytes + 1, 0xa1b2);
    ks_store_u32(bytes + 3, 0xc3d4e5f6);
    assert_memory_equal(bytes, ((const uint8_t[]){0, 0xb2, 0xa1, 0xf6, 0xe5, 0xd4, 0xc3}), sizeof bytes);
    assert_int_equal(ks_load_u16(bytes + 1), 0xa1b2);
    assert_int_equal(ks_load_u32(bytes + 3), 0xc3d4e5f6);
}

static void reader_stops_at_the_end_and_remembers(void **state)
{
    (void)state;
    const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct ks_reader reader = ks_reader_over(bytes, sizeof bytes);
    assert_int_equal(ks_reader_u8(&reader), 1);
    assert_int_equal(ks_reader_u16(&reader), 0x0302);
    assert_int_equal(ks_reader_u32(&reader), 0x07060504);
    assert_false(reader.failed);
    assert_int_equal(ks_reader_u16(&reader), 0); /* one byte is left */
    assert_true(reader.failed);
    assert_int_equal(ks_reader_u8(&reader), 0); /* and stays there */
    assert_null(ks_reader_take(&reader, 0));
    uint8_t copy = 99;
    ks_reader_copy(&reader, &copy, 1);
    assert_int_equal(copy, 99);
}

static void writer_stops_at_the_end_and_remembers(void **state)
{
    (void)state;
    uint8_t bytes[8] = {0};
    struct ks_writer writer = ks_writer_over(bytes, 7);
    ks_writer_u8(&writer, 1);
    ks_writer_u16(&writer, 0x0302);
    ks_writer_put(&writer, NULL, 0);
    ks_writer_put(&writer, (const uint8_t[]){4, 5}, 2);
    assert_false(writer.failed);
    ks_writer_u32(&writer, 0xffffffff); /* two bytes are left */
    assert_true(writer.failed);
    ks_writer_u8(&writer, 0xff);
    assert_int_equal(writer.size, 5);
    assert_memory_equal(bytes, ((const uint8_t[]){1, 2, 3, 4, 5, 0, 0, 0}), sizeof bytes);
}

/* ---- headers ---- */

static const uint8_t request_bytes[KS_REQUEST_HEADER_SIZE] = {
    0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19,
    0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 3,    0x04, 0x04, /* 1028 */
    0x13, 0x01, 0x00, 0xf0,                               /* 0xf0000113 */
};

static void request_header_is_read(void **state)
{
    (void)state;
    struct ks_request_header header;
    assert_int_equal(ks_request_header_parse(request_bytes, sizeof request_bytes, &header), KS_OK);
    assert_memory_equal(header.client_id.bytes, request_bytes, KS_CLIENT_ID_SIZE);
    assert_int_equal(header.version, 3);
    assert_int_equal(header.code, KS_REQUEST_SEND_FILE);
    assert_int_equal(header.payload_size, 0xf0000113);
}

static void request_header_is_written(void **state)
{
    (void)state;
    const struct ks_request_header header = {id_of(0x10), 3, KS_REQUEST_SEND_FILE, 0xf0000113};
    uint8_t bytes[KS_REQUEST_HEADER_SIZE];
    ks_request_header_encode(&header, bytes);
    assert_memory_equal(bytes, request_bytes, sizeof bytes);
}

static void request_header_wants_more_until_its_last_byte(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof request_bytes; size++) {
        uint8_t *bytes = unit_exact_copy(request_bytes, size);
        struct ks_request_header header;
        assert_int_equal(ks_request_header_parse(bytes, size, &header), KS_MORE);
        free(bytes);
    }
}

static const uint8_t response_bytes[KS_RESPONSE_HEADER_SIZE] = {2, 0x28, 0x23, 0xff, 0xff, 0xff, 0xff};

static void response_header_is_read_and_written(void **state)
{
    (void)state;
    struct ks_response_header header;
    assert_int_equal(ks_response_header_parse(response_bytes, sizeof response_bytes, &header), KS_OK);
    assert_int_equal(header.version, KS_VERSION_MESSAGES);
    assert_int_equal(header.code, KS_RESPONSE_ERROR);
    assert_int_equal(header.payload_size, 0xffffffff);
    uint8_t bytes[KS_RESPONSE_HEADER_SIZE];
    ks_response_header_encode(&header, bytes);
    assert_memory_equal(bytes, response_bytes, sizeof bytes);
}

static void response_header_wants_more_until_its_last_byte(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof response_bytes; size++) {
        uint8_t *bytes = unit_exact_copy(response_bytes, size);
        struct ks_response_header header;
        assert_int_equal(ks_response_header_parse(bytes, size, &header), KS_MORE);
        free(bytes);
    }
}

/* ---- text fields ---- */

static void text_field_ends_at_the_first_nul_and_the_rest_is_ignored(void **state)
{
    (void)state;
    uint8_t field[KS_TEXT_FIELD_SIZE];
    const char *text = NULL;
    size_t size = 0;
    for (size_t length = 0; length < KS_TEXT_FIELD_SIZE; length++) {
        memset(field, 'x', sizeof field);
        field[length] = '\0';
        assert_int_equal(ks_text_field_parse(field, &text, &size), KS_OK);
        assert_ptr_equal(text, field);
        assert_int_equal(size, length);
    }
}

static void text_field_without_a_nul_is_invalid(void **state)
{
    (void)state;
    uint8_t field[KS_TEXT_FIELD_SIZE + 1] = {0}; /* the NUL behind the field does not count */
    const char *text = NULL;
    size_t size = 0;
    memset(field, 'x', KS_TEXT_FIELD_SIZE);
    assert_int_equal(ks_text_field_parse(field, &text, &size), KS_INVALID);
}

static void text_field_is_padded_with_nuls(void **state)
{
    (void)state;
    uint8_t field[KS_TEXT_FIELD_SIZE];
    uint8_t expected[KS_TEXT_FIELD_SIZE] = "alice";
    memset(field, 'x', sizeof field);
    assert_int_equal(ks_text_field_encode("alice", 5, field), KS_OK);
    assert_memory_equal(field, expected, sizeof field);
    assert_int_equal(ks_text_field_encode(NULL, 0, field), KS_OK);
    assert_memory_equal(field, (const uint8_t[KS_TEXT_FIELD_SIZE]){0}, sizeof field);
}

static void text_field_takes_254_bytes_and_no_nul_inside(void **state)
{
    (void)state;
    uint8_t field[KS_TEXT_FIELD_SIZE];
    char text[KS_TEXT_FIELD_SIZE];
    memset(text, 't', sizeof text);
    assert_int_equal(ks_text_field_encode(text, 254, field), KS_OK);
    assert_int_equal(field[253], 't');
    assert_int_equal(field[254], 0);
    assert_int_equal(ks_text_field_encode(text, 255, field), KS_TOO_LARGE);
    text[0] = '\0';
    assert_int_equal(ks_text_field_encode(text, 2, field), KS_INVALID);
}

/* ---- request payloads ---- */

static void name_payload_is_read_and_wants_more_until_its_last_byte(void **state)
{
    (void)state;
    uint8_t bytes[KS_NAME_PAYLOAD_SIZE];
    struct ks_name_payload payload;
    assert_int_equal(ks_name_payload_encode("bob", 3, bytes), KS_OK);
    assert_int_equal(ks_name_payload_parse(bytes, sizeof bytes, &payload), KS_OK);
    assert_int_equal(payload.name_size, 3);
    assert_memory_equal(payload.name, "bob", 4);
    for (size_t size = 0; size < sizeof bytes; size++) {
        uint8_t *part = unit_exact_copy(bytes, size);
        assert_int_equal(ks_name_payload_parse(part, size, &payload), KS_MORE);
        free(part);
    }
    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(ks_name_payload_parse(bytes, sizeof bytes, &payload), KS_INVALID);
    assert_int_equal(ks_name_payload_encode((const char *)bytes, 255, bytes), KS_TOO_LARGE);
}

static void name_and_key_payload_is_read_and_wants_more_until_its_last_byte(void **state)
{
    (void)state;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(i + 1);
    uint8_t bytes[KS_NAME_AND_KEY_PAYLOAD_SIZE];
    struct ks_name_and_key_payload payload;
    assert_int_equal(ks_name_and_key_payload_encode("bob", 3, key, bytes), KS_OK);
    assert_memory_equal(bytes + 255, key, sizeof key);
    assert_int_equal(ks_name_and_key_payload_parse(bytes, sizeof bytes, &payload), KS_OK);
    assert_int_equal(payload.name_size, 3);
    assert_memory_equal(payload.name, "bob", 4);
    assert_memory_equal(payload.public_key, key, sizeof key);
    for (size_t size = 0; size < sizeof bytes; size++) {
        uint8_t *part = unit_exact_copy(bytes, size);
        assert_int_equal(ks_name_and_key_payload_parse(part, size, &payload), KS_MORE);
        free(part);
    }
    memset(bytes, 'x', KS_TEXT_FIELD_SIZE);
    assert_int_equal(ks_name_and_key_payload_parse(bytes, sizeof bytes, &payload), KS_INVALID);
    assert_int_equal(ks_name_and_key_payload_encode("a\0b", 3, key, bytes), KS_INVALID);
}

static void send_file_payload_is_read_and_wants_more_until_its_last_byte(void **state)
{
    (void)state;
    uint8_t bytes[KS_SEND_FILE_FIXED_SIZE];
    struct ks_send_file_payload payload;
    assert_int_equal(ks_send_file_payload_encode(0x01020310, "a.txt", 5, bytes), KS_OK);
    assert_memory_equal(bytes, ((const uint8_t[]){0x10, 3, 2, 1, 'a', '.', 't', 'x', 't', 0}), 10);
    assert_int_equal(ks_send_file_payload_parse(bytes, sizeof bytes, &payload), KS_OK);
    assert_int_equal(payload.content_size, 0x01020310);
    assert_ptr_equal(payload.name_field, bytes + 4);
    assert_int_equal(payload.name_size, 5);
    for (size_t size = 0; size < sizeof bytes; size++) {
        uint8_t *part = unit_exact_copy(bytes, size);
        assert_int_equal(ks_send_file_payload_parse(part, size, &payload), KS_MORE);
        free(part);
    }
}

static void send_file_payload_without_a_nul_still_tells_its_content_size(void **state)
{
    (void)state;
    uint8_t bytes[KS_SEND_FILE_FIXED_SIZE];
    struct ks_send_file_payload payload = {0};
    memset(bytes, 'x', sizeof bytes);
    ks_store_u32(bytes, 4096);
    assert_int_equal(ks_send_file_payload_parse(bytes, sizeof bytes, &payload), KS_INVALID);
    assert_int_equal(payload.content_size, 4096);
    assert_ptr_equal(payload.name_field, bytes + 4);
}

static const struct {
    uint32_t payload_size;
    uint32_t content_size;
    enum ks_result result;
} content_table[] = {
    {259, 0, KS_OK}, /* judged by the service, which refuses it */
    {259 + 16, 16, KS_OK},
    {259 + 17, 17, KS_OK}, /* the same */
    {259, 16, KS_OK},      /* content left out of the payload size */
    {259, 4294967024, KS_OK},
    {259 + 4294967024, 4294967024, KS_OK}, /* the largest */
    {0, 0, KS_INVALID},
    {258, 0, KS_INVALID},
    {260, 0, KS_INVALID},
    {259 + 15, 16, KS_INVALID},
    {259 + 17, 16, KS_INVALID},
    {16, 16, KS_INVALID},
    {259, 4294967025, KS_INVALID},
    {259, UINT32_MAX, KS_INVALID},
    {258, UINT32_MAX, KS_INVALID}, /* 259 + content size, wrapped to 32 bits */
    {UINT32_MAX, UINT32_MAX, KS_INVALID},
    {UINT32_MAX, 4294967036, KS_INVALID}, /* fits 32 bits, and is no multiple of 16 */
    {UINT32_MAX, 0, KS_INVALID},
};

static void content_follows_as_the_two_sizes_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(content_table); i++) {
        uint64_t follows = 1234567;
        enum ks_result result = ks_send_file_content_follows(content_table[i].payload_size,
                                                             content_table[i].content_size, &follows);
        if (result != content_table[i].result)
            fail_msg("row %zu: %s", i, ks_result_text(result));
        assert_int_equal(follows, result == KS_OK ? content_table[i].content_size : 1234567);
    }
}

static void file_is_padded_to_the_next_multiple_of_16(void **state)
{
    (void)state;
    assert_int_equal(ks_content_size_of_file(0), 16);
    assert_int_equal(ks_content_size_of_file(15), 16);
    assert_int_equal(ks_content_size_of_file(16), 32);
    assert_int_equal(ks_content_size_of_file(17), 32);
    assert_int_equal(ks_content_size_of_file(KS_FILE_SIZE_LIMIT), KS_CONTENT_SIZE_LIMIT);
    assert_true(ks_content_size_of_file((uint64_t)KS_FILE_SIZE_LIMIT + 1) > KS_CONTENT_SIZE_LIMIT);
}

/* ---- answers ---- */

static void client_id_answer_has_exactly_16_bytes(void **state)
{
    (void)state;
    const struct ks_client_id id = id_of(1);
    struct ks_client_id read;
    for (size_t size = 0; size <= 17; size++) {
        uint8_t bytes[17] = {0};
        memcpy(bytes, id.bytes, sizeof id.bytes);
        assert_int_equal(ks_client_id_answer_parse(bytes, size, &read), size == 16 ? KS_OK : KS_INVALID);
    }
    assert_memory_equal(read.bytes, id.bytes, sizeof id.bytes);
}

static void key_answer_is_written_and_read(void **state)
{
    (void)state;
    struct ks_key_answer answer = {.client_id = id_of(0x20)};
    for (size_t i = 0; i < sizeof answer.encrypted_key; i++)
        answer.encrypted_key[i] = (uint8_t)(200 - i);
    uint8_t bytes[KS_KEY_ANSWER_SIZE + 1] = {0};
    ks_key_answer_encode(&answer, bytes);
    assert_memory_equal(bytes, answer.client_id.bytes, 16);
    assert_memory_equal(bytes + 16, answer.encrypted_key, 128);
    struct ks_key_answer read = {0};
    assert_int_equal(ks_key_answer_parse(bytes, KS_KEY_ANSWER_SIZE, &read), KS_OK);
    assert_memory_equal(&read, &answer, sizeof answer);
    for (size_t size = 0; size <= sizeof bytes; size++)
        assert_int_equal(ks_key_answer_parse(bytes, size, &read), size == 144 ? KS_OK : KS_INVALID);
}

static void file_answer_is_written_and_read(void **state)
{
    (void)state;
    struct ks_file_answer answer = {.client_id = id_of(0x30), .content_size = 32, .cksum = 3287646509};
    memcpy(answer.name_field, "hello.txt\0garbage", 17);
    uint8_t bytes[KS_FILE_ANSWER_SIZE + 1] = {0};
    ks_file_answer_encode(&answer, bytes);
    assert_memory_equal(bytes, answer.client_id.bytes, 16);
    assert_memory_equal(bytes + 16, ((const uint8_t[]){32, 0, 0, 0}), 4);
    assert_memory_equal(bytes + 20, answer.name_field, 255);
    assert_memory_equal(bytes + 275, ((const uint8_t[]){0x2d, 0x81, 0xf5, 0xc3}), 4);
    struct ks_file_answer read = {0};
    assert_int_equal(ks_file_answer_parse(bytes, KS_FILE_ANSWER_SIZE, &read), KS_OK);
    assert_int_equal(read.content_size, 32);
    assert_int_equal(read.cksum, 3287646509);
    assert_memory_equal(read.client_id.bytes, answer.client_id.bytes, 16);
    assert_memory_equal(read.name_field, answer.name_field, 255);
    for (size_t size = 0; size <= sizeof bytes; size++)
        assert_int_equal(ks_file_answer_parse(bytes, size, &read), size == 279 ? KS_OK : KS_INVALID);
}

static void kept_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *kept; /* NULL: refused */
    } cases[] = {
        {"letter.txt", "letter.txt"},
        {"/etc/passwd", "passwd"},
        {"C:\\Users\\me\\a b.doc", "a b.doc"},
        {"a/b\\c", "c"},
        {"a\\b/c", "c"},
        {"../../up", "up"},
        {"...", "..."},
        {".hidden", ".hidden"},
        {"-rf", "-rf"},
        {"~", "~"},
        {"שלום.txt", "שלום.txt"},
        {"\xff\xfe", "\xff\xfe"},
        {" ", " "},
        {"", NULL},
        {"/", NULL},
        {"a/", NULL},
        {"a\\", NULL},
        {".", NULL},
        {"..", NULL},
        {"a/..", NULL},
        {"a\\.", NULL},
        {"a\nb", NULL},
        {"a\tb", NULL},
        {"a\x7f", NULL},
        {"\x1f/plain", NULL},
    };
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        const char *kept = NULL;
        size_t size = 0;
        enum ks_result result = ks_kept_name(cases[i].name, strlen(cases[i].name), &kept, &size);
        assert_int_equal(result, cases[i].kept == NULL ? KS_INVALID : KS_OK);
        if (cases[i].kept == NULL)
            continue;
        assert_int_equal(size, strlen(cases[i].kept));
        assert_memory_equal(kept, cases[i].kept, size);
    }
    const char *kept = NULL;
    size_t size = 0;
    assert_int_equal(ks_kept_name("nul\0inside", 10, &kept, &size), KS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_little_endian_and_unaligned),
        cmocka_unit_test(reader_stops_at_the_end_and_remembers),
        cmocka_unit_test(writer_stops_at_the_end_and_remembers),
        cmocka_unit_test(request_header_is_read),
        cmocka_unit_test(request_header_is_written),
        cmocka_unit_test(request_header_wants_more_until_its_last_byte),
        cmocka_unit_test(response_header_is_read_and_written),
        cmocka_unit_test(response_header_wants_more_until_its_last_byte),
        cmocka_unit_test(text_field_ends_at_the_first_nul_and_the_rest_is_ignored),
        cmocka_unit_test(text_field_without_a_nul_is_invalid),
        cmocka_unit_test(text_field_is_padded_with_nuls),
        cmocka_unit_test(text_field_takes_254_bytes_and_no_nul_inside),
        cmocka_unit_test(name_payload_is_read_and_wants_more_until_its_last_byte),
        cmocka_unit_test(name_and_key_payload_is_read_and_wants_more_until_its_last_byte),
        cmocka_unit_test(send_file_payload_is_read_and_wants_more_until_its_last_byte),
        cmocka_unit_test(send_file_payload_without_a_nul_still_tells_its_content_size),
        cmocka_unit_test(content_follows_as_the_two_sizes_say),
        cmocka_unit_test(file_is_padded_to_the_next_multiple_of_16),
        cmocka_unit_test(client_id_answer_has_exactly_16_bytes),
        cmocka_unit_test(key_answer_is_written_and_read),
        cmocka_unit_test(file_answer_is_written_and_read),
        cmocka_unit_test(kept_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
